"""Payment intents made by the API: a saved card charged while its owner is not there. Amounts in cents."""

from soulseer.sandbox.stripe import payments
from soulseer.sandbox.stripe.checkout import LEAST_AMOUNT, MOST_AMOUNT
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.payment_methods import card_off_session
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work

_PARAMETERS = (
    "amount", "currency", "customer", "payment_method", "payment_method_types", "off_session", "confirm", "description",
    "metadata", "receipt_email", "expand",
)  # fmt: skip


def create_confirmed(work: Work, parameters: Parameters) -> Document:
    """A payment intent, charged at once. Raises ApiError: 402 with the intent where the card is refused (what was done
    stays done), 400 on any parameter at fault."""
    parameters.allow_only(*_PARAMETERS)
    if not (parameters.flag("confirm") and parameters.flag("off_session")):
        raise ApiError("The sandbox serves only confirm=true with off_session=true.", param="confirm")
    parameters.required_text("amount")
    amount = parameters.whole("amount", least=1) or 0
    if amount < LEAST_AMOUNT:
        raise ApiError("Amount must be at least $0.50 usd", code="amount_too_small", param="amount")
    if amount > MOST_AMOUNT:
        raise ApiError("Amount must be no more than $999,999.99", code="amount_too_large", param="amount")
    currency = parameters.required_text("currency").lower()
    if currency != "usd":
        raise ApiError(f"Invalid currency: {currency}. The sandbox knows usd.", param="currency")
    customer = work.get("customer", parameters.required_text("customer"), param="customer", in_path=False)
    named = parameters.required_text("payment_method")
    method = work.find("payment_method", named)
    if method is None or method["customer"] != customer["id"]:
        raise ApiError(
            f"The PaymentMethod '{named}' does not belong to the Customer '{customer['id']}'.",
            code="resource_missing" if method is None else None,
            param="payment_method",
        )
    card = card_off_session(work, method)
    wanted: Document = {
        "description": parameters.text("description"),
        "metadata": parameters.metadata(),
        "receipt_email": parameters.text("receipt_email"),
        "setup_future_usage": None,
    }
    intent = payments.new_intent(
        work, amount=amount, currency=currency, customer=customer["id"], methods=["card"], wanted=wanted
    )
    charge = payments.new_charge(intent, card, None, work.now) | {"payment_method": method["id"]}
    if card.decline is None:
        payments.succeed(work, intent, charge)
        payments.announce_success(work, intent, charge)
        return intent
    work.save(charge)
    payments.decline_intent(work, intent, charge, card)
    payments.announce_failure(work, intent, charge)
    raise ApiError(
        card.decline.message,
        status=402,
        type="card_error",
        code=card.decline.code,
        executed=True,
        effects_stay=True,
        decline_code=card.decline.decline_code,
        charge=charge["id"],
        payment_intent=intent,
    )
