"""Checkout sessions: how one is made of parameters, and how it ends without a payment. Amounts are in cents."""

from typing import Any

from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.subscription_checkout import create_subscription_session
from soulseer.sandbox.stripe.work import Work, new_id

LEAST_AMOUNT, MOST_AMOUNT = 50, 99_999_999
LONGEST_SECONDS = 24 * 3600
_PARAMETERS = (
    "mode", "line_items", "success_url", "cancel_url", "client_reference_id", "metadata", "expires_at", "customer",
    "customer_email", "customer_creation", "payment_intent_data", "payment_method_options", "payment_method_types",
    "submit_type", "locale", "ui_mode", "expand",
)  # fmt: skip


def create_session(work: Work, parameters: Parameters) -> Document:
    """A new open session with its line items. Raises ApiError on any parameter at fault."""
    if parameters.text("mode") == "subscription":
        return create_subscription_session(work, parameters)
    parameters.allow_only(*_PARAMETERS)
    if parameters.required_text("mode") != "payment":
        raise ApiError("The sandbox serves only mode=payment.", param="mode")
    success_url = parameters.web_address("success_url")
    if success_url is None:
        raise ApiError("Missing required param: success_url.", code="parameter_missing", param="success_url")
    customer = _customer(work, parameters)
    items = [_line_item(item) for item in parameters.levels("line_items")]
    if not items:
        raise ApiError("Missing required param: line_items.", code="parameter_missing", param="line_items")
    amount, currency = _total(items)
    session_id = new_id("cs_test", 58)
    address = parameters.text("customer_email") or (customer or {}).get("email")
    session: Document = {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": parameters.web_address("cancel_url"),
        "client_reference_id": parameters.text("client_reference_id", longest=200),
        "client_secret": None,
        "consent": None,
        "consent_collection": None,
        "created": work.now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None, "terms_of_service_acceptance": None},
        "customer": customer["id"] if customer else None,
        "customer_creation": None if customer else parameters.choice("customer_creation", ("always", "if_required")),
        "customer_details": {"email": address, "name": None, "phone": None, "address": None, "tax_exempt": "none", "tax_ids": None} if address else None,
        "customer_email": parameters.text("customer_email"),
        "discounts": [],
        "expires_at": _expiry(work, parameters),
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": parameters.text("locale"),
        "metadata": parameters.metadata(),
        "mode": "payment",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": _method_options(parameters),
        "payment_method_types": parameters.texts("payment_method_types") or ["card", "us_bank_account"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": parameters.choice("submit_type", ("auto", "book", "donate", "pay")),
        "subscription": None,
        "success_url": success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": parameters.choice("ui_mode", ("hosted", "hosted_page")) or "hosted_page",
        "url": f"{work.settings.base_url}/c/pay/{session_id}",
        "wallet_options": None,
    }  # fmt: skip
    work.save(session)
    # Kept beside the session: Stripe shows line items only to who expands them.
    work.save({"id": f"{session_id}:line_items", "object": "line_items", "created": work.now, "data": items})
    work.save(
        {
            **_intent_data(parameters),
            "id": f"{session_id}:intent",
            "object": "intent_data",
            "created": work.now,
        }
    )
    return session


def expire(work: Work, session: Document) -> Document:
    """Close an open session unpaid, and announce it."""
    closed = work.save(session | {"status": "expired", "url": None})
    work.announce("checkout.session.expired", closed)
    return closed


def expire_overdue(work: Work) -> None:
    """Expire every open session whose `expires_at` has come."""
    rows = work.connection.execute(
        "SELECT id FROM object WHERE kind = 'checkout.session' AND json_extract(document, '$.status') = 'open'"
        " AND json_extract(document, '$.expires_at') <= ?",
        (work.now,),
    ).fetchall()
    for row in rows:
        expire(work, work.get("checkout.session", row["id"]))


def current_session(work: Work, session_id: str) -> Document:
    """The session, expired first if its time is over; raises ApiError 404."""
    session = work.get("checkout.session", session_id)
    if session["status"] == "open" and session["expires_at"] <= work.now:
        return expire(work, session)
    return session


def return_address(session: Document) -> str:
    """Where the buyer goes after paying."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _customer(work: Work, parameters: Parameters) -> Document | None:
    identifier = parameters.text("customer")
    if identifier is None:
        return None
    if "customer_email" in parameters:
        raise ApiError(
            "You may only specify one of these parameters: customer, customer_email.", param="customer"
        )
    return work.get("customer", identifier, param="customer", in_path=False)


def _line_item(item: Parameters) -> dict[str, Any]:
    item.allow_only("price_data", "quantity")
    price = item.level("price_data")
    if price is None:
        raise ApiError("The sandbox needs price_data on each line item.", param=item.qualified("price_data"))
    price.allow_only("currency", "unit_amount", "product_data")
    product = price.level("product_data")
    if product is None:
        name = price.qualified("product_data")
        raise ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    product.allow_only("name", "description", "metadata", "images")
    price.required_text("unit_amount")
    unit_amount = price.whole("unit_amount", most=MOST_AMOUNT) or 0
    quantity = item.whole("quantity", least=1, most=999_999) or 1
    currency = price.required_text("currency").lower()
    if currency != "usd":
        raise ApiError(
            f"Invalid currency: {currency}. The sandbox knows usd.", param=price.qualified("currency")
        )
    amount = unit_amount * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": currency,
        "description": product.required_text("name"),
        "metadata": {},
        "price": {
            "id": new_id("price"), "object": "price", "active": False, "currency": currency, "livemode": False,
            "type": "one_time", "unit_amount": unit_amount, "unit_amount_decimal": str(unit_amount),
        },
        "quantity": quantity,
    }  # fmt: skip


def _total(items: list[dict[str, Any]]) -> tuple[int, str]:
    amount = sum(item["amount_total"] for item in items)
    if amount < LEAST_AMOUNT:
        raise ApiError(
            "The Checkout Session's total amount due must add up to at least $0.50 usd",
            code="amount_too_small",
        )
    if amount > MOST_AMOUNT:
        raise ApiError(
            "The Checkout Session's total amount due must be no more than $999,999.99",
            code="amount_too_large",
        )
    return amount, str(items[0]["currency"])


def _expiry(work: Work, parameters: Parameters) -> int:
    wanted = parameters.whole("expires_at")
    if wanted is None:
        return work.now + LONGEST_SECONDS
    # A minute's tolerance: the caller's clock read the time before ours.
    if wanted < work.now + work.settings.shortest_checkout_seconds - 60:
        raise ApiError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            param="expires_at",
        )
    if wanted > work.now + LONGEST_SECONDS + 60:
        raise ApiError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return wanted


def _intent_data(parameters: Parameters) -> dict[str, Any]:
    """What the payment intent is to bear when the buyer pays."""
    data = parameters.level("payment_intent_data")
    if data is None:
        return {"description": None, "metadata": {}, "receipt_email": None, "setup_future_usage": None}
    data.allow_only("description", "metadata", "receipt_email", "setup_future_usage")
    return {
        "description": data.text("description"),
        "metadata": data.metadata(),
        "receipt_email": data.text("receipt_email"),
        "setup_future_usage": data.choice("setup_future_usage", ("on_session", "off_session")),
    }


def _method_options(parameters: Parameters) -> dict[str, Any]:
    """What is asked of single payment methods: that a card is kept for later."""
    options = parameters.level("payment_method_options")
    if options is None:
        return {}
    options.allow_only("card")
    card = options.level("card")
    if card is None:
        return {}
    card.allow_only("setup_future_usage")
    usage = card.choice("setup_future_usage", ("on_session", "off_session"))
    return {"card": {"setup_future_usage": usage}} if usage else {}
