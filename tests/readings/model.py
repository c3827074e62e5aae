"""A reading session as design §4 tells it, in the plainest words: a second opinion for the property test.

It imports nothing of the product. Instants and durations are whole microseconds since the request, money is cents.
"""

import copy
from dataclasses import dataclass, field
from fractions import Fraction

SECOND = 1_000_000
MINUTE = 60 * SECOND
TIMEOUT, GRACE, RING = 30 * SECOND, 300 * SECOND, 120 * SECOND
MAX_RECONNECTS = 5
SHARE = Fraction(70, 100)
OTHER = {"client": "reader", "reader": "client"}


class Refused(Exception):
    """A call is refused with HTTP ``status``; ``settled``: what had become due before it stays."""

    def __init__(self, status: int, *, settled: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.settled = settled


def share(cents: int) -> int:
    return round(cents * SHARE)


@dataclass
class Books:
    """What the outside can see of one session and of the money around it."""

    wallet: int
    rate: int
    state: str = "waiting"
    minutes: int = 0
    ceiling: int | None = None
    credit: int = 0
    earnings: int = 0
    revenue: int = 0
    active: int = 0
    kept: int = 0
    reconnects: int = 0
    active_since: int | None = None
    paid_until: int | None = None
    covered_until: int | None = None
    grace_until: int | None = None
    cause: str | None = None
    reason: str | None = None
    ended_at: int | None = None
    joined: dict[str, int] = field(default_factory=dict)


class Model:
    """Calls give what they would: nothing, or Refused. ``now`` never goes back."""

    def __init__(self, wallet: int, rate: int) -> None:
        self.books = Books(wallet, rate)
        self.signs: dict[str, int] = {}
        self.remembers_since: int | None = None

    # What people do

    def call(self, action: str, who: str, now: int) -> None:
        """join, leave, reconnect, end, token, beat, or ``limit 3`` (``limit``: none), by ``who``."""
        self.wake(now)
        signs, before = dict(self.signs), copy.deepcopy(self.books)
        if before.state not in ("ended", "finalized") and not self._gap(who, now):
            self.signs[who] = now
        at = self.effective(now)
        try:
            self._settle(at, signs, who, closing=action in ("leave", "end"))
            if action != "beat":
                if self.books.state in ("ended", "finalized"):
                    over = self.books.reason in ("no_answer", "grace_over")
                    raise Refused(410 if over else 409, settled=True)
                if action.startswith("limit"):
                    asked = action.partition(" ")[2]
                    # What is paid is paid: a lower limit ends with the minute that runs.
                    self.books.ceiling = max(int(asked), self.books.minutes) if asked else None
                else:
                    getattr(self, "_end_call" if action == "end" else "_" + action)(who, at, now, signs)
        except Refused as refusal:
            if not refusal.settled:
                self.books = before
                raise
            self._seen_if_live(who, now)
            raise
        self._seen_if_live(who, now)

    def _seen_if_live(self, who: str, now: int) -> None:
        if self.books.state in ("ended", "finalized"):
            self.signs = {}
        else:
            self.signs[who] = now

    def _join(self, who: str, at: int, now: int, signs: dict[str, int]) -> None:
        books, other = self.books, OTHER[who]
        if books.state == "paused":
            raise Refused(409)
        if books.state == "waiting":
            books.joined.setdefault(who, at)
            if other in books.joined and self._was_seen(other, now, signs, books.joined[other]):
                books.state = "active"
                books.active_since = books.paid_until = books.covered_until = at
                if not self.can_pay(at):
                    raise Refused(402)
                self._pay(at)
        elif books.state == "reconnecting" and self._was_seen(other, now, signs):
            books.state, books.cause, books.grace_until = "active", None, None
            books.active_since = books.covered_until = at
            books.paid_until, books.kept = at + books.kept, 0

    def _leave(self, who: str, at: int, now: int, signs: dict[str, int]) -> None:
        if self.books.state == "active":
            self._pause(at, at, f"{who}_left")
        elif self.books.state != "paused":
            raise Refused(409)

    def _reconnect(self, who: str, at: int, now: int, signs: dict[str, int]) -> None:
        books = self.books
        if books.state == "reconnecting":
            return
        if books.state != "paused":
            raise Refused(409)
        if books.reconnects == MAX_RECONNECTS:
            self._end(at, "too_many_reconnects", by="system")
            raise Refused(409, settled=True)
        if books.kept == 0 and self.at_ceiling():
            raise Refused(409, settled=True)
        if books.kept == 0 and not self.can_pay(at):
            raise Refused(402, settled=True)
        books.state = "reconnecting"
        books.reconnects += 1

    def _end_call(self, who: str, at: int, now: int, signs: dict[str, int]) -> None:
        self._end(at, f"{who}_ended", by=who)

    def _token(self, who: str, at: int, now: int, signs: dict[str, int]) -> None:
        if self.books.state == "paused":
            raise Refused(409, settled=True)

    # What the jobs do

    def tick(self, now: int, *, assume_present: bool = False) -> None:
        books = self.books
        if books.state != "active":
            if not assume_present:
                self.wake(now)
            return
        assert books.covered_until is not None
        assert books.paid_until is not None
        if assume_present:
            books.covered_until = max(books.covered_until, now)
            cover, unseen = now, False
        else:
            self.wake(now)
            cover = now - TIMEOUT
            unseen = any(self.signs.get(who, cover - 1) < cover for who in OTHER)
        if unseen:
            self._settle(self.effective(now), dict(self.signs))
            return
        while books.paid_until < cover and not self.at_ceiling() and self.can_pay(now):
            self._pay(now)
            books.covered_until = max(books.covered_until, cover)
        if books.paid_until < cover:
            self.wake(now)
            self._settle(self.effective(now), dict(self.signs))

    def expire(self, now: int) -> None:
        """Rings, graces and silences that are over."""
        self.wake(now)
        books = self.books
        over = books.ended_at is None and (
            now >= RING
            if books.state == "waiting"
            else books.grace_until is not None and now >= books.grace_until
        )
        silent = books.state == "active" and any(
            self.signs.get(who, now - TIMEOUT - 1) < now - TIMEOUT for who in OTHER
        )
        if over or silent:
            self._settle(self.effective(now), dict(self.signs))

    def finalize(self) -> None:
        if self.books.state == "ended":
            self.books.state = "finalized"

    def lose_memory(self) -> None:
        """Redis forgets all; its memory begins again with the next call."""
        self.signs, self.remembers_since = {}, None

    def wake(self, now: int) -> None:
        if self.remembers_since is None:
            self.remembers_since = now

    # The rules

    def effective(self, now: int) -> int:
        """A call counts from the later of now and what is covered (only a simulation makes the second one later)."""
        return max(now, self.books.covered_until or 0)

    def _was_seen(self, who: str, now: int, signs: dict[str, int], joined: int | None = None) -> bool:
        last = max(signs.get(who, -TIMEOUT - 1), -TIMEOUT - 1 if joined is None else joined)
        return last >= 0 and now - last <= TIMEOUT

    def _witnessed(self, who: str, signs: dict[str, int]) -> int:
        """The last instant at which ``who`` is known to have been there. That a session began is no sign of life."""
        books = self.books
        assert books.covered_until is not None
        if who not in signs:
            return books.covered_until
        if books.covered_until == books.active_since:
            return signs[who]
        return max(signs[who], books.covered_until)

    def _gap(self, who: str, now: int) -> bool:
        """Whether the call itself reveals a gap, which must be booked before the call is remembered."""
        if self.books.state != "active" or who not in self.signs or self.effective(now) != now:
            return False
        return now - self._witnessed(who, self.signs) > TIMEOUT

    def _settle(
        self, at: int, signs: dict[str, int], caller: str | None = None, *, closing: bool = False
    ) -> None:
        books = self.books
        if books.state == "waiting" and at >= RING:
            self._end(RING, "no_answer", by="system")
        if books.state == "active":
            self._settle_active(at, signs, caller, closing)
        if books.state in ("paused", "reconnecting"):
            assert books.grace_until is not None
            if at >= books.grace_until:
                self._end(books.grace_until, "grace_over", by="system")

    def _settle_active(self, at: int, signs: dict[str, int], caller: str | None, closing: bool) -> None:
        books = self.books
        assert books.covered_until is not None
        assert books.paid_until is not None
        assert self.remembers_since is not None
        present, silent = {}, set()
        for who in OTHER:
            excused = who not in signs and at - self.remembers_since < TIMEOUT
            if at > books.covered_until and at - self._witnessed(who, signs) > TIMEOUT and not excused:
                silent.add(who)
            present[who] = max(books.covered_until, signs.get(who, 0))
            called = who == caller and not (excused and at - self._witnessed(who, signs) > TIMEOUT)
            if who not in silent and (called or closing):
                present[who] = at
        cover = min(at, *present.values())
        while books.paid_until < cover and not self.at_ceiling() and self.can_pay(at):
            self._pay(at)
            books.covered_until = max(books.covered_until, cover)
        if books.paid_until < cover:
            self._pause(books.paid_until, at, "ceiling" if self.at_ceiling() else "low_balance")
        elif silent:
            self._pause(cover, at, "platform" if len(silent) == 2 else f"{silent.pop()}_dropped")

    def at_ceiling(self) -> bool:
        """Whether the client wants to pay no further minute."""
        return self.books.ceiling is not None and self.books.minutes >= self.books.ceiling

    def can_pay(self, at: int) -> bool:
        """Whether the client can pay a minute at ``at``."""
        return self.books.wallet >= self.books.rate

    def take(self, cents: int, at: int) -> None:
        """Take what a minute costs from the client."""
        self.books.wallet -= cents

    def put_back(self, cents: int) -> None:
        """Give the client back what fair credit is due."""
        self.books.wallet += cents

    def _pay(self, at: int) -> None:
        books = self.books
        assert books.paid_until is not None
        self.take(books.rate, at)
        books.earnings += share(books.rate)
        books.revenue += books.rate - share(books.rate)
        books.minutes += 1
        books.paid_until += MINUTE

    def _stop(self, effective: int) -> None:
        books = self.books
        assert books.active_since is not None
        assert books.paid_until is not None
        books.active += effective - books.active_since
        books.kept = max(0, books.paid_until - effective)
        books.active_since = None
        books.covered_until = max(books.covered_until or 0, effective)

    def _pause(self, effective: int, recorded: int, cause: str) -> None:
        books = self.books
        self._stop(effective)
        books.state, books.cause = "paused", cause
        books.grace_until = (
            recorded if cause in ("low_balance", "ceiling", "platform") else effective
        ) + GRACE

    def _end(self, effective: int, reason: str, *, by: str) -> None:
        books = self.books
        due = books.cause in ("reader_left", "reader_dropped", "platform")
        if books.state == "active":
            due = by != "client"
            self._stop(effective)
        books.state, books.reason, books.ended_at = "ended", reason, effective
        if due:
            books.credit = round(Fraction(books.rate * books.kept, MINUTE))
            back = share(books.rate) - share(books.rate - books.credit)
            self.put_back(books.credit)
            books.earnings -= back
            books.revenue -= books.credit - back
        self.signs = {}
