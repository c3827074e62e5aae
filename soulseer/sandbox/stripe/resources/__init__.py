"""One module per API resource; each has `register(api)`. A new resource is a new module and a line in RESOURCES."""

from collections.abc import Callable

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.resources import (
    balance,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    payment_intents,
    refunds,
)

RESOURCES: tuple[Callable[[Api], None], ...] = (
    balance.register,
    charges.register,
    checkout_sessions.register,
    customers.register,
    disputes.register,
    events.register,
    payment_intents.register,
    refunds.register,
)
