"""One module per API resource; each has `register(api)`. A new resource is a new module and a line in RESOURCES."""

from collections.abc import Callable

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.resources import (
    accounts,
    balance,
    billing_portal,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    invoices,
    payment_intents,
    payment_methods,
    products,
    refunds,
    subscriptions,
    transfers,
    webhook_endpoints,
)

RESOURCES: tuple[Callable[[Api], None], ...] = (
    accounts.register,
    balance.register,
    billing_portal.register,
    charges.register,
    checkout_sessions.register,
    customers.register,
    disputes.register,
    events.register,
    invoices.register,
    payment_intents.register,
    payment_methods.register,
    products.register,
    refunds.register,
    subscriptions.register,
    transfers.register,
    webhook_endpoints.register,
)
