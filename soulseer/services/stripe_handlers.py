"""Which capability acts on which type of Stripe event: one line per capability."""

from soulseer.services import (
    checkout_events,
    dispute_events,
    payment_events,
    payout_events,
    refund_events,
    subscription_events,
)
from soulseer.services.stripe_events import Handler


def _by_type(*capabilities: tuple[Handler, ...]) -> dict[str, Handler]:
    """Every handler under each of its types. Raises ValueError where two claim the same type."""
    found: dict[str, Handler] = {}
    for handlers in capabilities:
        for handler in handlers:
            for name in handler.types:
                if name in found:
                    raise ValueError(f"two handlers claim {name}")
                found[name] = handler
    return found


HANDLERS = _by_type(
    checkout_events.HANDLERS,
    refund_events.HANDLERS,
    dispute_events.HANDLERS,
    payout_events.HANDLERS,
    payment_events.HANDLERS,
    subscription_events.HANDLERS,
)
