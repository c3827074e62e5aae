"""Checkout sessions with mode=subscription. Amounts in cents."""

from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

LONGEST_SECONDS = 24 * 3600
_PARAMETERS = (
    "mode", "line_items", "success_url", "cancel_url", "client_reference_id", "metadata", "customer", "subscription_data",
    "payment_method_collection", "expand",
)  # fmt: skip


def create_subscription_session(work: Work, parameters: Parameters) -> Document:
    """A new open session for one recurring price. Raises ApiError on any parameter at fault."""
    parameters.allow_only(*_PARAMETERS)
    success_url = parameters.web_address("success_url")
    if success_url is None:
        raise ApiError("Missing required param: success_url.", code="parameter_missing", param="success_url")
    customer = work.get("customer", parameters.required_text("customer"), param="customer", in_path=False)
    items = parameters.levels("line_items")
    if len(items) != 1:
        raise ApiError("The sandbox needs exactly one line item for a subscription.", param="line_items")
    items[0].allow_only("price", "quantity")
    price = work.get("price", items[0].required_text("price"), param="line_items[0][price]", in_path=False)
    if not price["active"] or price["type"] != "recurring":
        raise ApiError("You must provide an active recurring price in subscription mode.", param="line_items")
    data = parameters.level("subscription_data")
    if data is not None:
        data.allow_only("metadata", "trial_period_days", "description")
    trial_days = (data.whole("trial_period_days", least=1, most=730) if data else None) or 0
    amount = 0 if trial_days else price["unit_amount"]
    product = work.get("product", price["product"])
    session_id = new_id("cs_test", 58)
    session: Document = {
        "id": session_id, "object": "checkout.session", "amount_subtotal": amount, "amount_total": amount,
        "cancel_url": parameters.web_address("cancel_url"),
        "client_reference_id": parameters.text("client_reference_id", longest=200),
        "created": work.now, "currency": price["currency"], "customer": customer["id"], "customer_creation": None,
        "customer_details": {"email": customer["email"], "name": None, "phone": None, "address": None, "tax_exempt": "none", "tax_ids": None},
        "customer_email": None, "expires_at": work.now + LONGEST_SECONDS, "invoice": None, "livemode": False,
        "metadata": parameters.metadata(), "mode": "subscription", "payment_intent": None,
        "payment_method_collection": "always", "payment_method_types": ["card"], "payment_status": "unpaid",
        "setup_intent": None, "status": "open", "submit_type": None, "subscription": None, "success_url": success_url,
        "ui_mode": "hosted_page", "url": f"{work.settings.base_url}/c/pay/{session_id}",
    }  # fmt: skip
    work.save(session)
    words = f"{product['name']}, ${price['unit_amount'] / 100:.2f} a {price['recurring']['interval']}"
    line = {
        "id": new_id("li"), "object": "item", "amount_discount": 0, "amount_subtotal": amount, "amount_tax": 0,
        "amount_total": amount, "currency": price["currency"], "metadata": {}, "price": price, "quantity": 1,
        "description": f"{words}, after {trial_days} days of trial" if trial_days else words,
    }  # fmt: skip
    work.save({"id": f"{session_id}:line_items", "object": "line_items", "created": work.now, "data": [line]})
    work.save(
        {
            "id": f"{session_id}:subscription",
            "object": "subscription_data",
            "created": work.now,
            "price": price["id"],
            "trial_days": trial_days,
            "metadata": data.metadata() if data else {},
        }
    )
    return session
