"""Delivers events to the product's webhook: signed, retried with back-off, going on after a restart."""

import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import urllib3

from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.settings import StripeSettings
from soulseer.sandbox.stripe.store import Store

_AT_ONCE = 4
_MOST_IN_HAND = 4 * _AT_ONCE
_LONGEST_SLEEP_SECONDS = 1.0


def signature_header(payload: bytes, secret: str, timestamp: int) -> str:
    """`t=…,v1=…`: HMAC-SHA256 over `timestamp.payload` (https://docs.stripe.com/webhooks#verify-manually)."""
    signed = str(timestamp).encode() + b"." + payload
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Courier:
    """A background thread that hands what is due to a few senders, and calls `expire_due` about once a second."""

    def __init__(self, books: Store, settings: StripeSettings, expire_due: Callable[[], None]) -> None:
        self._store = books
        self._settings = settings
        self._expire_due = expire_due
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._guard = threading.Lock()
        self._in_hand: set[int] = set()
        self._http = urllib3.PoolManager(
            maxsize=_AT_ONCE, timeout=settings.delivery_timeout_seconds, retries=False
        )
        self._senders = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what is on the way and start nothing new."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        self._senders.shutdown(wait=True, cancel_futures=True)
        self._http.clear()

    def wake(self) -> None:
        """Something may have become due."""
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            self._expire_due()
            self._send_due()
            self._woken.wait(self._seconds_until_next())

    def _send_due(self) -> None:
        for sequence, event_id in self._next_due():
            self._senders.submit(self._send, sequence, event_id).add_done_callback(_report_failure)

    def _next_due(self) -> list[tuple[int, str]]:
        """Take in hand what is due, oldest first, as far as there is room."""
        with self._store.transaction() as connection, self._guard:
            room = _MOST_IN_HAND - len(self._in_hand)
            rows = connection.execute(
                "SELECT sequence, event_id FROM delivery WHERE state = 'pending' AND due_at <= ? ORDER BY due_at LIMIT ?",
                (time.time(), _MOST_IN_HAND),
            ).fetchall()
            taken = [
                (row["sequence"], row["event_id"]) for row in rows if row["sequence"] not in self._in_hand
            ][:room]
            self._in_hand.update(sequence for sequence, _ in taken)
        return taken

    def _seconds_until_next(self) -> float:
        with self._store.transaction() as connection, self._guard:
            if len(self._in_hand) >= _MOST_IN_HAND:
                return _LONGEST_SLEEP_SECONDS  # the first sender to finish wakes us
            rows = connection.execute(
                "SELECT sequence, due_at FROM delivery WHERE state = 'pending' ORDER BY due_at LIMIT ?",
                (_MOST_IN_HAND,),
            ).fetchall()
            waits: list[float] = [
                row["due_at"] - time.time() for row in rows if row["sequence"] not in self._in_hand
            ]
        return max(0.0, min([_LONGEST_SLEEP_SECONDS, *waits]))

    def _send(self, sequence: int, event_id: str) -> None:
        try:
            with self._store.transaction() as connection:
                event = store.read(connection, event_id, "event")
            if event is None:
                raise LookupError(f"delivery {sequence} names no event: {event_id}")
            accepted, outcome = self._post(json.dumps(event, indent=2).encode())
            self._record(sequence, accepted, outcome)
        finally:
            with self._guard:
                self._in_hand.discard(sequence)
            self.wake()

    def _post(self, payload: bytes) -> tuple[bool, str]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature_header(payload, self._settings.webhook_secret, int(time.time())),
        }
        try:
            answer = self._http.request(
                "POST", self._settings.webhook_url, body=payload, headers=headers, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            return False, type(error).__name__
        return 200 <= answer.status < 300, f"HTTP {answer.status}"

    def _record(self, sequence: int, accepted: bool, outcome: str) -> None:
        now, settings = time.time(), self._settings
        with self._store.transaction() as connection:
            row = connection.execute("SELECT * FROM delivery WHERE sequence = ?", (sequence,)).fetchone()
            attempts = row["attempts"] + 1
            if accepted:
                connection.execute(
                    "UPDATE delivery SET state = 'delivered', attempts = ?, last_outcome = ?, delivered_at = ?"
                    " WHERE sequence = ?",
                    (attempts, outcome, now, sequence),
                )
                return
            # 1, 2, 4, … seconds; the exponent is held so that it never overflows.
            wait = min(
                settings.longest_retry_seconds, settings.first_retry_seconds * 2 ** min(attempts - 1, 30)
            )
            over = now + wait - row["first_due_at"] > settings.give_up_after_seconds
            connection.execute(
                "UPDATE delivery SET state = ?, attempts = ?, last_outcome = ?, due_at = ? WHERE sequence = ?",
                ("abandoned" if over else "pending", attempts, outcome, now + wait, sequence),
            )


def _report_failure(sending: "Future[None]") -> None:
    if not sending.cancelled() and (error := sending.exception()) is not None:
        print(f"webhook delivery failed: {error!r}", file=sys.stderr, flush=True)
