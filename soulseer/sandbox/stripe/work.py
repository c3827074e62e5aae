"""One unit of work on the stand-in's books, whoever asks for it: the API, the checkout page or the clock."""

import secrets
import sqlite3
import string
import time
from collections.abc import Callable
from typing import Any

from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.errors import no_such
from soulseer.sandbox.stripe.settings import API_VERSION, StripeSettings
from soulseer.sandbox.stripe.store import Document

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """A fresh id in Stripe's form, such as `pi_…`."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"


class Work:
    """Reads and writes API objects inside one transaction and announces what happened to them.

    `now` is the Unix second that everything in this unit bears.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        settings: StripeSettings,
        plan_deliveries: Callable[[], list[tuple[str, float]]],
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.now = int(time.time())
        self._plan_deliveries = plan_deliveries
        self._request = {"id": request_id, "idempotency_key": idempotency_key}

    def find(self, kind: str, identifier: str) -> Document | None:
        """The object, or None."""
        return store.read(self.connection, identifier, kind)

    def get(self, kind: str, identifier: str, *, param: str = "id", in_path: bool = True) -> Document:
        """The object; raises ApiError (404, or 400 where a parameter named it)."""
        found = self.find(kind, identifier)
        if found is None:
            raise no_such(
                kind.replace("balance_transaction", "balance transaction"),
                identifier,
                param=param,
                in_path=in_path,
            )
        return found

    def save(self, document: Document) -> Document:
        """Write the object, new or changed."""
        store.write(self.connection, document)
        return document

    def announce(self, type: str, document: Document) -> Document:
        """Record an event about the object as it is now, and what the faults in force make of its delivery."""
        event: Document = {
            "id": new_id("evt"),
            "object": "event",
            "account": None,
            "api_version": API_VERSION,
            "context": None,
            "created": self.now,
            "data": {"object": document},
            "livemode": False,
            "pending_webhooks": 1,
            "request": dict(self._request),
            "type": type,
        }
        self.save(event)
        if type in self.settings.unsubscribed:
            return event
        for state, delay_seconds in self._plan_deliveries():
            self.deliver(event["id"], state=state, delay_seconds=delay_seconds)
        return event

    def deliver(self, event_id: str, *, state: str = "pending", delay_seconds: float = 0) -> None:
        """Put one delivery of the event in line."""
        due_at = time.time() + delay_seconds
        self.connection.execute(
            "INSERT INTO delivery (event_id, state, first_due_at, due_at) VALUES (?, ?, ?, ?)",
            (event_id, state, due_at, due_at),
        )

    def undelivered(self, event_id: str) -> int:
        """How many deliveries of the event are still to succeed."""
        row: Any = self.connection.execute(
            "SELECT count(*) FROM delivery WHERE event_id = ? AND state = 'pending'", (event_id,)
        ).fetchone()
        return int(row[0])
