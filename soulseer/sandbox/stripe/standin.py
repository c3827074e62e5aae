"""The stand-in as one object: its books, its faults, its idempotency keys and its courier."""

from collections.abc import Iterator
from contextlib import contextmanager

from soulseer.sandbox.stripe.checkout import expire_overdue
from soulseer.sandbox.stripe.courier import Courier
from soulseer.sandbox.stripe.faults import Faults
from soulseer.sandbox.stripe.idempotency import IdempotencyKeys
from soulseer.sandbox.stripe.settings import StripeSettings
from soulseer.sandbox.stripe.store import Store
from soulseer.sandbox.stripe.subscriptions import bill_due
from soulseer.sandbox.stripe.work import Work


class StandIn:
    """Shared by the API, the checkout page and the control pages."""

    def __init__(self, settings: StripeSettings) -> None:
        self.settings = settings
        self.store = Store(settings.directory)
        self.faults = Faults()
        self.keys = IdempotencyKeys(self.store)
        self.courier = Courier(self.store, settings, expire_due=self.expire_due)

    @contextmanager
    def work(self, request_id: str | None = None, idempotency_key: str | None = None) -> Iterator[Work]:
        """One unit of work: committed when the block ends well, and then the courier looks for what it may deliver."""
        with self.store.transaction() as connection:
            yield Work(
                connection,
                self.settings,
                self.faults.plan_deliveries,
                request_id=request_id,
                idempotency_key=idempotency_key,
            )
        self.courier.wake()

    def expire_due(self) -> None:
        """Close the Checkout sessions whose time is over, and bill the subscriptions whose time has come."""
        with self.store.transaction() as connection:
            work = Work(connection, self.settings, self.faults.plan_deliveries)
            expire_overdue(work)
            bill_due(work)

    def close(self) -> None:
        """Stop delivering and close the books; what is undelivered goes on after the next start."""
        self.courier.stop()
        self.store.close()
