"""The customer object, made by the API or by a checkout that was told to."""

from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id


def new_customer(
    work: Work,
    *,
    email: str | None = None,
    name: str | None = None,
    phone: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Document:
    """A customer, saved and announced."""
    customer: Document = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": work.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": description,
        "discount": None,
        "email": email,
        "invoice_prefix": new_id("x", 8)[2:].upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None},
        "livemode": False,
        "metadata": metadata or {},
        "name": name,
        "next_invoice_sequence": 1,
        "phone": phone,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }  # fmt: skip
    work.save(customer)
    work.announce("customer.created", customer)
    return customer
