"""Top-ups, spending, refunds, withdrawals, Stripe's moods and the dashboard in any order, against a small model.

The model knows whole cents and nothing of the product; Stripe's own list of money given back must equal it as well.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind as A
from soulseer.domain.errors import SoulSeerError
from soulseer.domain.money import from_cents, to_cents
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import release_earnings
from soulseer.jobs.context import JobContext
from soulseer.models.refunds import Refund
from soulseer.services import earnings, ledger, withdrawals
from tests.factories import person
from tests.money_in.conftest import Sandbox
from tests.money_in.events import wait_for
from tests.refunds.steps import (
    TOP_UP,
    TRANSACTION,
    Source,
    asked,
    at_stripe,
    clean,
    heard,
    held,
    in_dashboard,
    paid,
    refund,
    sent,
    switch,
    top_up,
)

AMOUNT = st.one_of(st.integers(1, 400), st.sampled_from([999, 1000, 2500, 6000]))
PLACE = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from([500, 2500, 3333])),
    st.tuples(st.just("spend"), AMOUNT),
    st.tuples(st.just("give_back"), st.integers(0, 1), AMOUNT),
    st.tuples(st.just("give_back"), st.integers(0, 1), AMOUNT),
    st.tuples(st.just("to_card"), PLACE, AMOUNT),
    st.tuples(st.just("withdraw"), AMOUNT),
    st.tuples(st.just("send"), st.sampled_from(["well", "refused", "silent"])),
    st.tuples(st.just("comes_back"), PLACE),
    st.tuples(st.just("dashboard"), PLACE, AMOUNT),
    st.tuples(st.just("release")),
)


def half_even(value: Fraction) -> int:
    return round(value)


@dataclass
class Model:
    """Cents. ``payments``: [paid, given back]; ``gifts``: [total, the reader's, given back]; ``cards``: refunds to
    the card by number: [payment, amount, state]."""

    wallet: int = 0
    owed: int = 0
    reader: int = 0
    payments: list[list[int]] = field(default_factory=list)
    gifts: list[list[int]] = field(default_factory=list)
    cards: dict[int, list[Any]] = field(default_factory=dict)

    def takes(self, amount: int) -> int:
        """What the newest payments give of ``amount``, as far as they go."""
        return min(amount, sum(paid_in - back for paid_in, back in self.payments))

    def credit(self, amount: int) -> None:
        """Into the wallet; a debt first."""
        to_debt = min(amount, self.owed)
        self.owed -= to_debt
        self.wallet += amount - to_debt


class World:
    """One client and one reader, the product and the model side by side."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.model = sandbox, Model()
        self.client, self.reader, self.staff = person().id, person("reader").id, person("support").id
        self.top_ups: list[int] = []
        self.movements: list[int] = []
        sandbox.faults(fail_api={"count": 0}, timeout_after_effect=0)

    def pay(self, cents: int) -> None:
        self.top_ups.append(paid(self.sandbox, self.client, str(from_cents(cents))).id)
        self.model.payments.append([cents, 0])
        self.model.credit(cents)

    def spend(self, cents: int) -> None:
        if cents > self.model.wallet or self.model.owed:
            return
        part = half_even(Fraction(cents * 7, 10))
        entries = [
            (A.CLIENT_WALLET, self.client, -cents),
            (A.READER_EARNINGS_PENDING, self.reader, part),
            (A.PLATFORM_REVENUE, None, cents - part),
        ]
        with transaction():
            made, _ = ledger.post(
                TransferKind.GIFT,
                f"gift:{uuid4()}",
                [ledger.Posting(ledger.account_id(k, o), from_cents(c)) for k, o, c in entries if c],
                clock.now(),
            )
            if part:
                earnings.record_movement(self.reader, "gift", from_cents(part), made, clock.now())
        self.movements.append(made)
        self.model.gifts.append([cents, part, 0])
        self.model.wallet -= cents
        self.model.reader += part

    def give_back(self, place: int, cents: int) -> None:
        if place >= len(self.movements):
            return
        gift = self.model.gifts[place]
        allowed = gift[2] + cents <= gift[0]
        assert self._did(
            lambda: asked(Source(TRANSACTION, self.movements[place]), _text(cents), self.staff)
        ) == (allowed)
        if allowed:
            before, after = (
                gift[1] - half_even(Fraction(gift[1] * (gift[0] - back), gift[0]))
                for back in (gift[2], gift[2] + cents)
            )
            gift[2] += cents
            self.model.reader -= after - before
            self.model.credit(cents)

    def to_card(self, place: int, cents: int) -> None:
        if place >= len(self.top_ups):
            return
        payment = self.model.payments[place]
        allowed = payment[1] + cents <= payment[0] and cents <= self.model.wallet
        made: list[Any] = []
        assert allowed == self._did(
            lambda: made.append(asked(Source(TOP_UP, self.top_ups[place]), _text(cents), self.staff))
        )
        if allowed:
            self._leaves(place, cents, made[0].id, "approved")

    def withdraw(self, cents: int) -> None:
        allowed = cents <= self.model.wallet and self.model.takes(cents) == cents and not self.model.owed
        made: list[Any] = []

        def deed() -> None:
            with transaction():
                made.append(withdrawals.withdraw(self.client, from_cents(cents), clock.now()))

        assert self._did(deed) == allowed
        left = cents
        for place in reversed(range(len(self.top_ups))):
            part = min(left, self.model.payments[place][0] - self.model.payments[place][1]) if allowed else 0
            if part:
                number = self._newest_refund_of(self.top_ups[place])
                self._leaves(place, part, number, "approved")
                left -= part

    def send(self, mood: str) -> None:
        if mood == "refused":
            self.sandbox.faults(fail_api={"status": 400, "count": 1})
        elif mood == "silent":
            self.sandbox.faults(timeout_after_effect=3)
        sent(timedelta(hours=7))
        # Whatever the mood was, everything is decided in the end.
        self.sandbox.faults(fail_api={"count": 0}, timeout_after_effect=0)
        sent(timedelta(hours=14))
        for number, card in self.model.cards.items():
            if card[2] == "approved":
                card[2] = refund(number).state
                assert card[2] in ("settled", "failed")
                if card[2] == "failed":
                    assert mood == "refused"
                    self._returns(card)

    def comes_back(self, place: int) -> None:
        settled = [number for number, card in self.model.cards.items() if card[2] == "settled"]
        if place >= len(settled):
            return
        switch(self.sandbox, f"/{refund(settled[place]).stripe_refund_id}/fail")
        self._hear("failed", settled[place])
        self.model.cards[settled[place]][2] = "failed"
        self._returns(self.model.cards[settled[place]])

    def dashboard(self, place: int, cents: int) -> None:
        # Ours first: what Stripe has not been told of yet it would give twice.
        self.send("well")
        if (
            place >= len(self.top_ups)
            or sum(self.model.payments[place][1:]) + cents > self.model.payments[place][0]
        ):
            return
        intent = top_up(self.top_ups[place]).stripe_payment_intent_id
        in_dashboard(self.sandbox, intent, cents)
        heard()
        self._until(lambda: self._newest_refund_of(self.top_ups[place]) not in {0, *self.model.cards})
        number = self._newest_refund_of(self.top_ups[place])
        short = max(cents - self.model.wallet, 0)
        self._leaves(place, cents - short, number, "settled")
        self.model.cards[number] = [place, cents, "settled"]
        self.model.payments[place][1] += short
        self.model.owed += short

    def release(self) -> None:
        release_earnings.run(JobContext(now=clock.now() + timedelta(days=8)))

    def agree(self) -> None:
        """Product, model and Stripe say the same."""
        earned = sum(held(kind, self.reader) for kind in ledger.EARNED_KINDS)
        assert to_cents(held(A.CLIENT_WALLET, self.client)) == self.model.wallet
        assert to_cents(-held(A.CLIENT_RECEIVABLE, self.client)) == self.model.owed
        assert to_cents(Decimal(earned)) == self.model.reader
        for number, payment in zip(self.top_ups, self.model.payments, strict=True):
            found = top_up(number)
            assert to_cents(found.refunded_amount) == payment[1]
            listed = at_stripe(self.sandbox, found.stripe_payment_intent_id)
            given = sum(one["amount"] for one in listed if one["status"] == "succeeded")
            waiting = sum(
                card[1] for card in self.model.cards.values()
                if card[2] == "approved" and self.top_ups[card[0]] == number
            )  # fmt: skip
            assert given == payment[1] - waiting

    def _leaves(self, place: int, cents: int, number: int, state: str) -> None:
        self.model.cards[number] = [place, cents, state]
        self.model.payments[place][1] += cents
        self.model.wallet -= cents

    def _returns(self, card: list[Any]) -> None:
        self.model.payments[card[0]][1] -= card[1]
        self.model.credit(card[1])

    def _newest_refund_of(self, top_up_id: int) -> int:
        with transaction():
            query = select(Refund.id).where(Refund.top_up_id == top_up_id).order_by(Refund.id.desc()).limit(1)
            return db.session.scalar(query) or 0

    def _hear(self, state: str, number: int) -> None:
        self._until(lambda: refund(number).state == state)

    def _until(self, condition: Any) -> None:
        def tried() -> bool:
            heard(timedelta(days=1))
            return bool(condition())

        wait_for(tried)

    @staticmethod
    def _did(deed: Any) -> bool:
        try:
            deed()
            return True
        except SoulSeerError as error:
            if error.status not in (409, 422):
                raise
            return False


def _text(cents: int) -> str:
    return str(from_cents(cents))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=6, max_size=14))
def test_any_order_comes_to_the_same(sandbox: Sandbox, steps: list[tuple[Any, ...]]) -> None:
    world = World(sandbox)
    world.pay(5000)
    world.spend(1999)
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
        world.agree()
    world.send("well")
    world.agree()
    clean()
