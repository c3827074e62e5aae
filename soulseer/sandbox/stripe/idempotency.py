"""Idempotency keys by Stripe's rules for API v1 (https://docs.stripe.com/api/idempotent_requests).

The first answer of an executed POST is kept under its key and repeated. What fails validation is not kept, nor is what
meets another request under way with the same key.
"""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.store import Store

LONGEST_KEY = 255
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Attempt:
    """One POST that bears a key."""

    key: str
    endpoint: str
    fingerprint: str
    request_id: str


@dataclass(frozen=True)
class KeptAnswer:
    """What the first request was told; `request_id` is the first one's."""

    status: int
    body: str
    request_id: str


def fingerprint_of(pairs: list[tuple[str, str]]) -> str:
    """The same for the same parameters in any order."""
    return hashlib.sha256(repr(sorted(pairs)).encode()).hexdigest()


class IdempotencyKeys:
    """The keys in use now (in memory) and the answers kept for a day (in the store)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._under_way: set[str] = set()

    @contextmanager
    def claimed(self, attempt: Attempt) -> Iterator[KeptAnswer | None]:
        """Hold the key while the request runs; yields the kept answer, if there is one.

        Raises ApiError: 409 while another request holds the key, 400 where it was used for something else.
        """
        if len(attempt.key) > LONGEST_KEY:
            raise ApiError(
                f"Idempotency keys can be at most {LONGEST_KEY} characters long.", type="idempotency_error"
            )
        with self._guard:
            if attempt.key in self._under_way:
                raise ApiError(
                    "There is currently another in-progress request using this Idempotent Key (that probably means you"
                    " submitted twice, and the other request is still going through):"
                    f" {attempt.key}. Please try again later.",
                    status=409,
                    code="idempotency_key_in_use",
                )
            self._under_way.add(attempt.key)
        try:
            yield self._kept(attempt)
        finally:
            with self._guard:
                self._under_way.discard(attempt.key)

    def keep(self, connection: sqlite3.Connection, attempt: Attempt, status: int, body: str) -> None:
        """Keep the answer in the same transaction as the effect, so that a crash leaves both or neither."""
        connection.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                attempt.key,
                attempt.endpoint,
                attempt.fingerprint,
                status,
                body,
                attempt.request_id,
                int(time.time()),
            ),
        )

    def _kept(self, attempt: Attempt) -> KeptAnswer | None:
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT * FROM idempotency WHERE key = ? AND created > ?",
                (attempt.key, int(time.time()) - KEPT_SECONDS),
            ).fetchone()
        if row is None:
            return None
        advice = f"Try using a key other than '{attempt.key}' if you meant to execute a different request."
        if row["endpoint"] != attempt.endpoint:
            raise ApiError(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for"
                f" ('{attempt.endpoint}' vs '{row['endpoint']}'). {advice}",
                type="idempotency_error",
            )
        if row["fingerprint"] != attempt.fingerprint:
            raise ApiError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
                f" {advice}",
                type="idempotency_error",
            )
        return KeptAnswer(row["status"], row["body"], row["request_id"])
