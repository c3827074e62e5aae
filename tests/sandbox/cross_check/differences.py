"""Where the others are known to differ from our stand-in, and why ours stands. The test fails on any difference that is not
here, and on one that is here and is no more."""

from tests.sandbox.cross_check.asking import ABSENT
from tests.sandbox.cross_check.comparison import Difference
from tests.sandbox.cross_check.servers import EMULATE, LOCALSTRIPE

# localstripe names no error codes, but for declined cards; our gateway reads resource_missing.
NAMES_NO_CODES = {LOCALSTRIPE}

_NO_LIMIT = "Stripe's lists take a limit from 1 to 100; this one takes any"
_NEWEST = "Stripe lists the newest first; localstripe the oldest, but for a few kinds"
_NO_402 = "with confirm=true Stripe answers a refused card by 402 with the intent inside; localstripe by the intent alone"
_NO_DETAILS = "localstripe's charges have no payment_method_details"
_NO_OFF_SESSION = "localstripe ignores off_session; Stripe refuses what its owner would have to confirm"
_NOT_FOUND = "an unknown object named by a parameter is 400 at Stripe, and 404 where the address names it"
_NO_CODE_READ = (
    "localstripe sends no resource_missing, by which our gateway knows that there is no such object"
)
_NO_SUM = "localstripe gives back more than was paid"
_NO_KEYS = "localstripe ignores idempotency keys"
_NO_PRICES = "localstripe is older than prices: its items have plans, which Stripe still sends beside and nothing of ours reads"
_NO_AUTH = "emulate asks for no key"
_EVENT = (
    "emulate signs as Stripe does, but its events are only a type and an object: our gateway refuses them"
)
_NO_REFERENCE = "emulate keeps no client_reference_id"

_REFUSED_AMOUNT = "400 invalid_request_error parameter_invalid_integer"
_MISSING_BY_PARAMETER = "400 invalid_request_error resource_missing"

KNOWN: dict[tuple[str, str], dict[str, Difference]] = {
    (LOCALSTRIPE, "pages"): {
        "newest_first": Difference(True, False, _NEWEST),
        "limit_101.outcome": Difference(_REFUSED_AMOUNT, "200", _NO_LIMIT),
    },
    (LOCALSTRIPE, "payment_succeeds"): {"read.card": Difference("Visa ending in 4242", None, _NO_DETAILS)},
    (LOCALSTRIPE, "payment_declined"): {
        "made.outcome": Difference("402 card_error card_declined", "200", _NO_402),
        "read.card": Difference("Visa ending in 0341", None, _NO_DETAILS),
        "read.refusal": Difference("generic_decline", "card_declined", "localstripe tells no decline_code"),
        "read.charge.captured": Difference(False, True, "of a charge that failed; nothing of ours reads it"),
    },
    (LOCALSTRIPE, "payment_asks_its_owner"): {
        "made.outcome": Difference("402 card_error authentication_required", "200", _NO_OFF_SESSION),
        "read.status": Difference("requires_payment_method", "requires_action", _NO_OFF_SESSION),
        "read.refusal": Difference("authentication_required", None, _NO_OFF_SESSION),
        "read.card": Difference("Visa ending in 3184", None, _NO_OFF_SESSION),
        "read.charge.outcome": Difference("200", "none", _NO_OFF_SESSION),
    },
    (LOCALSTRIPE, "payment_at_fault"): {
        "amount_below_the_least.outcome": Difference(
            "400 invalid_request_error amount_too_small", "200", "localstripe knows no least amount"
        ),
        "customer_unknown.outcome": Difference(_MISSING_BY_PARAMETER, "404 invalid_request_error", _NOT_FOUND),
        "method_unknown.outcome": Difference(_MISSING_BY_PARAMETER, "404 invalid_request_error", _NOT_FOUND),
        "gateway_unknown": Difference("refused: missing", "refused", _NO_CODE_READ),
    },
    (LOCALSTRIPE, "refunds"): {
        "above_the_rest.outcome": Difference("400 invalid_request_error", "200", _NO_SUM),
        "too_much.outcome": Difference("400 invalid_request_error charge_already_refunded", "200", _NO_SUM),
        "after_rest.amount_refunded": Difference(2_500, 4_001, _NO_SUM),
        "listed": Difference([1_000, 1_500], [1_000, 1_500, 1_501], _NO_SUM),
        "of_unknown_charge.outcome": Difference(_MISSING_BY_PARAMETER, "404 invalid_request_error", _NOT_FOUND),
        "by_intent": Difference("done", "refused", "localstripe's refunds are of a charge; ours name the payment intent"),
    },
    (LOCALSTRIPE, "idempotency"): {
        "same": Difference(True, False, _NO_KEYS),
        "other.outcome": Difference("400 idempotency_error", "200", _NO_KEYS),
        "given_back": Difference(400, 1_300, _NO_KEYS),
    },
    (LOCALSTRIPE, "balance"): {"payment.fee": Difference(103, 0, "localstripe takes no fee: ours 2.9 % and 30 cents")},
    (LOCALSTRIPE, "forgotten_card"): {
        "again": Difference("refused", "done", "Stripe refuses to detach a card that nobody keeps"),
        "unknown": Difference("refused: missing", "refused", _NO_CODE_READ),
    },
    (LOCALSTRIPE, "subscriptions"): {
        "item.price.unit_amount": Difference(2_900, ABSENT, _NO_PRICES),
        "item.plan.amount": Difference(ABSENT, 2_900, _NO_PRICES),
        "ended.canceled_at": Difference("int", "NoneType", "Stripe notes when it was canceled; localstripe only when it ended"),
        "again.outcome": Difference(
            "404 invalid_request_error resource_missing", "200", "what is canceled cannot be canceled at Stripe"
        ),
    },
    (LOCALSTRIPE, "products"): {
        "twice": Difference("refused", "try again", "Stripe answers 400 resource_already_exists, localstripe 409"),
    },
    (EMULATE, "customers"): {
        "changed.metadata.person": Difference("7", ABSENT, "Stripe adds to metadata; emulate puts the new in its place"),
        "keyless": Difference(401, 200, _NO_AUTH),
    },
    (EMULATE, "pages"): {
        "limit_0.outcome": Difference(_REFUSED_AMOUNT, "200", _NO_LIMIT),
        "limit_101.outcome": Difference(_REFUSED_AMOUNT, "200", _NO_LIMIT),
    },
    (EMULATE, "keys"): {
        "without": Difference(401, 200, _NO_AUTH),
        "type": Difference("invalid_request_error", ABSENT, _NO_AUTH),
    },
    (EMULATE, "products"): {
        "under_our_id": Difference(True, False, "emulate takes no id of ours"),
        "twice": Difference("refused", "done", "emulate takes no id of ours"),
        "nameless.outcome": Difference(
            "400 invalid_request_error parameter_missing", "400 invalid_request_error", "emulate names no code here"
        ),
    },
    (EMULATE, "prices"): {
        "interval": Difference("month", None, "emulate keeps only that a price is recurring"),
        "lookup_key": Difference(True, False, "emulate keeps no lookup keys"),
    },
    (EMULATE, "checkout"): {
        "top_up": Difference("done", "refused", "emulate knows no price_data, of which our top-ups are made"),
        "opened.reference": Difference("subscription:7", None, _NO_REFERENCE),
    },
    (EMULATE, "closed_checkout"): {
        "closed.reference": Difference("subscription:7", None, _NO_REFERENCE),
        "gateway_again.reference": Difference("subscription:7", None, _NO_REFERENCE),
        "again.outcome": Difference(
            "400 invalid_request_error", "400 invalid_request_error checkout_session_not_open",
            "Stripe sends a message and no code, as far as public logs of it show",
        ),
        "modeless.outcome": Difference(
            "400 invalid_request_error parameter_missing", "400 invalid_request_error", "emulate names no code here"
        ),
    },
    (EMULATE, "webhooks"): {
        "event.object": Difference("event", ABSENT, _EVENT),
        "event.livemode": Difference(False, ABSENT, _EVENT),
        "id": Difference("evt_", "abse", _EVENT),
        "created": Difference("int", "NoneType", _EVENT),
        "believed": Difference("customer.created", "The body is not a Stripe event.", _EVENT),
    },
}  # fmt: skip
