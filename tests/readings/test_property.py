"""Two participants, a wallet, the jobs and a forgetful Redis, in any order: the product and a small model agree."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from soulseer import gateways
from soulseer.blueprints import room_calls
from soulseer.db import transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import SoulSeerError
from soulseer.domain.transfers import TransferKind
from soulseer.services import ceilings, ledger, ledger_check, reading_tokens
from tests import factories
from tests.factories import START
from tests.readings.model import MINUTE, RING, SECOND, TIMEOUT, Model, Refused
from tests.readings.room import MOVES, Room

PEOPLE = st.sampled_from(["client", "reader"])
# Mostly a heartbeat's pace; often a limit exactly, and a microsecond to either side of it.
WAITS = st.sampled_from(
    [0, 1, 3 * SECOND, 9_500_000, 10 * SECOND, 10 * SECOND, 25 * SECOND, 30 * SECOND, 30 * SECOND + 1, 59_999_999]
    + [MINUTE * minutes + more for minutes in (1, 2, 5) for more in (-1, 0, 1)]
)  # fmt: skip
SHORT_WAITS = st.sampled_from([0, 1, 2 * SECOND, 10 * SECOND, 29_999_999, 30 * SECOND])


def instant(microseconds: int | None) -> Any:
    return None if microseconds is None else START + timedelta(microseconds=microseconds)


class Reading(RuleBasedStateMachine):
    """One session from the request to the receipt."""

    model_of = Model

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.tips = 0

    @initialize(
        wallet=st.sampled_from([199, 200, 397, 398, 1000, 5000]) | st.integers(199, 2500),
        rate=st.sampled_from([199, 1, 3, 100, 145]),
        joined=st.sampled_from(["both", "both", "client", "nobody"]),
    )
    def requested(self, wallet: int, rate: int, joined: str) -> None:
        gateways.current().presence.redis.flushdb()
        self.revenue_before = ledger.platform_balance(AccountKind.PLATFORM_REVENUE)
        self.room = Room(wallet=str(Decimal(wallet) / 100), rate=str(Decimal(rate) / 100))
        self.model = self.model_of(wallet, rate)
        if joined != "nobody":
            self.both("join", "client")
        if joined == "both":
            self.both("join", "reader")

    def both(self, action: str, who: str) -> None:
        """Do it on either side; both accept it or both refuse it alike."""
        expected = found = 0
        try:
            self.model.call(action, who, self.now)
        except Refused as refusal:
            expected = refusal.status
        try:
            self._product(action, who)
        except SoulSeerError as error:
            found = error.status
        assert found == expected, f"{action} by {who} at {self.now}: {found}, the model says {expected}"

    def _product(self, action: str, who: str) -> None:
        if action.startswith("limit"):
            asked = action.partition(" ")[2]
            move = partial(ceilings.change, ceiling=ceilings.wanted(int(asked) if asked else None, None))
            room_calls.move(move, self.room.id, self.room.person(who), instant(self.now))
        elif action == "beat":
            room_calls.look(self.room.id, self.room.person(who), instant(self.now))
        else:
            move = reading_tokens.settle_for_token if action == "token" else MOVES[action]
            room_calls.move(move, self.room.id, self.room.person(who), instant(self.now))

    @rule(wait=WAITS, who=PEOPLE, action=st.sampled_from(["join", "leave", "reconnect", "token", "beat"]))
    def call(self, wait: int, who: str, action: str) -> None:
        self.now += wait
        self.both(action, who)

    @rule(wait=SHORT_WAITS, who=PEOPLE, action=st.sampled_from(["join", "reconnect", "beat", "leave"]))
    def call_soon(self, wait: int, who: str, action: str) -> None:
        self.call(wait, who, action)

    @rule(
        times=st.integers(1, 9),
        who=st.sampled_from([("client", "reader"), ("client", "reader"), ("client",), ("reader",)]),
    )
    def beats(self, times: int, who: tuple[str, ...]) -> None:
        for _ in range(times):
            self.now += 10 * SECOND
            for one in who:
                self.both("beat", one)

    @rule(
        limit=st.sampled_from(["paid_until", "grace_until", "ring", "client", "reader", "tick"]),
        off=st.sampled_from([-1, 0, 0, 1]),
        who=PEOPLE,
        then=st.sampled_from(
            ["beat", "reconnect", "join", "leave", "end", "tick", "tick", "simulate", "expire"]
        ),
        there=st.booleans(),
    )
    def at_a_limit(self, limit: str, off: int, who: str, then: str, there: bool) -> None:
        """Something happens exactly when a time runs out, or a microsecond to either side; ``there``: both were there."""
        books = self.model.books
        moments = {
            "paid_until": books.paid_until,
            "tick": None if books.paid_until is None else books.paid_until + TIMEOUT,
            "grace_until": books.grace_until,
            "ring": RING,
            **{one: self.model.signs[one] + TIMEOUT for one in self.model.signs},
        }
        moment = moments.get(limit)
        if moment is None or moment + off < self.now:
            return
        while there and self.now + 25 * SECOND < moment:
            self.now += 25 * SECOND
            self.both("beat", "client")
            self.both("beat", "reader")
        self.now = moment + off
        if then in ("tick", "simulate", "expire"):
            getattr(self, then)(0)
        else:
            self.both(then, who)

    @precondition(lambda self: self.model.books.state == "active")
    @rule(
        beyond=st.sampled_from([0, TIMEOUT]),
        off=st.sampled_from([-1, 0, 1]),
        action=st.sampled_from(["tick", "simulate"]),
    )
    def tick_as_a_minute_falls_due(self, beyond: int, off: int, action: str) -> None:
        """Exactly when paid time ends, or when the tick may know that it was covered; both are there."""
        moment = (self.model.books.paid_until or 0) + beyond + off
        while self.now + 25 * SECOND < moment:
            self.now += 25 * SECOND
            self.both("beat", "client")
            self.both("beat", "reader")
        if moment >= self.now:
            self.now = moment
            getattr(self, action)(0)

    @rule()
    def leave_and_return(self) -> None:
        self.both("leave", "client")
        self.come_back("client", 0)

    @rule(first=PEOPLE, wait=SHORT_WAITS)
    def come_back(self, first: str, wait: int) -> None:
        """What a page does by itself after a pause."""
        self.both("reconnect", first)
        self.now += wait
        self.both("join", "client")
        self.both("join", "reader")

    @rule(wait=SHORT_WAITS, more=st.sampled_from([None, -1, 0, 0, 1, 2]))
    def limit(self, wait: int, more: int | None) -> None:
        """The client limits the minutes: below, at or above what is paid; or no longer."""
        self.now += wait
        self.both("limit" if more is None else f"limit {max(1, self.model.books.minutes + more)}", "client")

    @rule(wait=WAITS, who=PEOPLE)
    def end(self, wait: int, who: str) -> None:
        self.now += wait
        self.both("end", who)

    @rule(wait=WAITS)
    def tick(self, wait: int) -> None:
        self.now += wait
        self.room.tick(self.now / SECOND)
        self.model.tick(self.now)

    @rule(ahead=WAITS)
    def simulate(self, ahead: int) -> None:
        """A tick with the clock moved on, which then goes on from where it was."""
        self.room.tick((self.now + ahead) / SECOND, assume_present=True)
        self.model.tick(self.now + ahead, assume_present=True)

    @rule(wait=WAITS)
    def expire(self, wait: int) -> None:
        self.now += wait
        self.room.expire(self.now / SECOND)
        self.model.expire(self.now)

    @rule()
    def redis_loses_its_memory(self) -> None:
        gateways.current().presence.redis.flushdb()
        self.model.lose_memory()

    @rule(cents=st.sampled_from([199, 1, 500]))
    def top_up(self, cents: int) -> None:
        self._post(TransferKind.ADJUSTMENT, AccountKind.PLATFORM_PROMOTIONS, cents)
        self.model.books.wallet += cents

    @rule(part=st.sampled_from([1, 2, 10]))
    def spend(self, part: int) -> None:
        """The client spends elsewhere: all of it, the half, a tenth."""
        cents = self.model.books.wallet // part
        if cents:
            self._post(TransferKind.SHOP_ORDER, AccountKind.PLATFORM_REVENUE, -cents)
            self.model.books.wallet -= cents
            self.tips += cents

    def _post(self, kind: TransferKind, other: AccountKind, cents: int) -> None:
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, self.room.client.id)
        amount = Decimal(cents) / 100
        with transaction():
            postings = [ledger.Posting(wallet, amount), ledger.Posting(ledger.account_id(other), -amount)]
            ledger.post(kind, f"property:{next(factories._numbers)}", postings, instant(self.now))

    @rule()
    def finalize(self) -> None:
        self.room.finalize(self.now / SECOND)
        self.model.finalize()

    @invariant()
    def they_agree(self) -> None:
        session, books = self.room.session, self.model.books
        found = {
            "state": session.state,
            "minutes": session.minutes_billed,
            "credit": session.credit_cents,
            "active": session.active_microseconds,
            "kept": session.kept_microseconds,
            "reconnects": session.reconnects,
            "ceiling": session.max_minutes,
            "cause": session.pause_cause,
            "reason": session.end_reason,
            "paid_until": session.paid_until,
            "covered_until": session.covered_until,
            "active_since": session.active_since,
            "grace_until": session.grace_until,
            "ended_at": session.ended_at,
            "wallet": self.room.wallet,
            "earnings": self.room.earnings,
            "revenue": ledger.platform_balance(AccountKind.PLATFORM_REVENUE) - self.revenue_before,
        }
        instants = ("paid_until", "covered_until", "active_since", "grace_until", "ended_at")
        expected = {
            **{name: instant(getattr(books, name)) for name in instants},
            **{
                name: getattr(books, name)
                for name in ("state", "minutes", "ceiling", "credit", "active", "kept", "reconnects")
            },
            **{name: getattr(books, name) for name in ("cause", "reason")},
            "wallet": Decimal(books.wallet) / 100,
            "earnings": Decimal(books.earnings) / 100,
            "revenue": Decimal(books.revenue + self.tips) / 100,
        }
        wrong = {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}
        assert not wrong, f"at {self.now}: (product, model) {wrong}"

    @invariant()
    def nobody_is_served_unpaid_time_and_nobody_goes_negative(self) -> None:
        books = self.model.books
        assert books.wallet >= 0
        assert books.active <= books.minutes * MINUTE
        assert books.ceiling is None or books.minutes <= books.ceiling
        if books.ended_at is not None:
            assert books.minutes == (max(1, -(-books.active // MINUTE)) if books.minutes else 0)

    def teardown(self) -> None:
        if not hasattr(self, "room"):
            return
        event(f"ends as {self.model.books.reason or self.model.books.state}")
        event(f"minutes {min(self.model.books.minutes, 5)}, reconnects {min(self.model.books.reconnects, 3)}")
        if self.model.books.ended_at is None:
            self.both("end", "reader")
        self.room.finalize(self.now / SECOND)
        self.model.finalize()
        self.they_agree()
        assert self.room.session.state == "finalized"
        assert ledger_check.check() == []


def _run(examples: int, steps: int, *, derandomize: bool = True) -> None:
    run_state_machine_as_test(
        Reading,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=derandomize,
            print_blob=not derandomize,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )


def test_product_and_model_agree(app: Flask) -> None:
    _run(examples=40, steps=25)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_product_and_model_agree_for_long(app: Flask) -> None:
    _run(examples=1500, steps=40, derandomize=False)
