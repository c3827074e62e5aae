"""Any order of earning, refund, release, payout, refusal, lost answer and reversal: books, statements and the stand-in's own
list of transfers equal a model of whole cents that knows nothing of the product."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.gateways import stripe_connect
from soulseer.services import payout_accounts, payouts, statements
from soulseer.services.payouts import PayoutRefused
from tests.factories import START, person
from tests.payouts.payday import PaidReader, sweep
from tests.payouts.world import assert_clean

HOLD = 7
MINIMUM = 2500


@dataclass
class Sent:
    """A payout: cents, what came back of it, open, paid or failed."""

    cents: int
    reversed: int = 0
    state: str = "open"


@dataclass
class Model:
    """A reader's money in cents; ``held`` are [cents left, day of release] of what is pending, oldest first."""

    held: list[list[int]] = field(default_factory=list)
    available: int = 0
    owed: int = 0
    paused: bool = False
    sent: list[Sent] = field(default_factory=list)

    def earn(self, cents: int, day: int) -> None:
        self.held.append([cents, day + HOLD])

    def take_back(self, cents: int) -> None:
        for row in reversed(self.held):
            part = min(cents, row[0])
            row[0], cents = row[0] - part, cents - part
        part = min(cents, self.available)
        self.available -= part
        self.owed += cents - part

    def release(self, day: int) -> None:
        for row in [row for row in self.held if row[1] <= day]:
            self.held.remove(row)
            self.come_in(row[0])

    def come_in(self, cents: int) -> None:
        self.available += cents
        kept = min(self.owed, self.available)
        self.available, self.owed = self.available - kept, self.owed - kept

    @property
    def open(self) -> Sent | None:
        return next((one for one in self.sent if one.state == "open"), None)

    def may_be_paid(self) -> bool:
        return not self.paused and self.open is None and self.available - self.owed >= MINIMUM

    def begin(self) -> None:
        self.sent.append(Sent(self.available - self.owed))
        self.available = self.owed = 0

    def end(self, state: str) -> None:
        one = self.open
        if one is not None:
            one.state = state
            if state == "failed":
                self.come_in(one.cents)


CENTS = st.integers(1, 9000)
STEPS = st.one_of(
    st.tuples(st.just("earn"), CENTS),
    st.tuples(st.just("earn"), CENTS),
    st.tuples(st.just("take_back"), CENTS),
    st.tuples(st.just("wait"), st.integers(1, 9)),
    st.tuples(st.just("release"), st.just(0)),
    st.tuples(st.just("begin"), st.just(0)),
    st.tuples(st.just("payday"), CENTS),
    st.tuples(st.just("payday"), CENTS),
    st.tuples(st.just("send"), st.just(0)),
    st.tuples(st.sampled_from(["send", "refuse", "lose"]), st.just(0)),
    st.tuples(st.just("reverse"), CENTS),
    st.tuples(st.just("resume"), st.just(0)),
)


class Run:
    """The product beside the model, step by step."""

    def __init__(self, sandbox) -> None:
        self.sandbox, self.reader, self.model = sandbox, PaidReader(sandbox), Model()
        self.staff, self.day = person("finance").id, 0

    @property
    def now(self) -> datetime:
        return START + timedelta(days=self.day)

    def take(self, name: str, value: int) -> None:
        getattr(self, name)(value)
        balances = tuple(int(Decimal(amount) * 100) for amount in self.reader.balances)
        model = self.model
        assert balances == (sum(row[0] for row in model.held), model.available, -model.owed), (name, value)

    def payday(self, cents: int) -> None:
        """Enough earned, held and released for a payout: most orders come to one."""
        for name, value in [("earn", cents + MINIMUM), ("wait", HOLD), ("release", 0), ("begin", 0)]:
            self.take(name, value)

    def earn(self, cents: int) -> None:
        self.reader.earn(str(Decimal(cents) / 100), self.now)
        self.model.earn(cents, self.day)

    def take_back(self, cents: int) -> None:
        self.reader.take_back(str(Decimal(cents) / 100), self.now)
        self.model.take_back(cents)

    def wait(self, days: int) -> None:
        self.day += days

    def release(self, _: int) -> None:
        self.reader.release(self.now)
        self.model.release(self.day)

    def begin(self, _: int) -> None:
        try:
            self.reader.begin(self.now)
            begun = True
        except PayoutRefused:
            begun = False
        assert begun == self.model.may_be_paid()
        if begun:
            self.model.begin()

    def send(self, _: int) -> None:
        self._sweep()
        self.model.end("paid")

    def refuse(self, _: int) -> None:
        one = self.reader.payouts[-1] if self.model.open else None
        # What was sent and whose answer was lost is not refused any more: the same key gives the same answer.
        was_sent = one is not None and any(
            sent["transfer_group"] == payouts.reference(one) for sent in self.reader.transfers
        )
        self.reader.post("transfers", outcome="refuse")
        self._sweep()
        self.reader.post("transfers", outcome="succeed")
        self.model.end("paid" if was_sent else "failed")

    def lose(self, _: int) -> None:
        if self.model.open is not None:
            self.sandbox.faults(timeout_after_effect=3)
            self._sweep()
            self.sandbox.faults(timeout_after_effect=0)

    def _sweep(self) -> None:
        """Send what is open as soon as it is due: the minutes between two tries are not what this is about."""
        one = self.reader.payouts[-1] if self.model.open else None
        if one is not None:
            sweep(max(one.next_check_at, one.created_at), payout=str(one.id))

    def reverse(self, cents: int) -> None:
        paid = [
            (row, one)
            for row, one in zip(self.reader.payouts, self.model.sent, strict=True)
            if one.state == "paid"
        ]
        if not paid:
            return
        row, one = paid[-1]
        part = min(cents, one.cents - one.reversed)
        if part <= 0:
            return
        self.reader.post(f"transfers/{row.stripe_transfer_id}/reverse", amount=part)
        told = stripe_connect.retrieve_transfer(gateways.current().stripe, row.stripe_transfer_id)
        for _ in range(2):
            with transaction():
                payouts.record(row.id, told, self.now)
        one.reversed += part
        self.model.come_in(part)
        self.model.paused = True

    def resume(self, _: int) -> None:
        if self.model.paused:
            with transaction():
                payout_accounts.resume(self.reader.id, self.staff, "Looked at, and mended.", self.now)
            self.model.paused = False

    def compare(self) -> None:
        """Statements sum to their payouts, Stripe sent what the model says, the books are clean."""
        rows = self.reader.payouts
        assert [int(row.amount * 100) for row in rows] == [one.cents for one in self.model.sent]
        for row, one in zip(rows, self.model.sent, strict=True):
            assert int(row.reversed_amount * 100) == one.reversed
            assert row.state == ("reversed" if one.reversed == one.cents else one.state)
            if one.state != "failed":
                assert sum(line.amount for line in statements.lines(row)) == row.amount
        at_stripe = {sent["transfer_group"]: sent for sent in self.reader.transfers}
        for row, one in zip(rows, self.model.sent, strict=True):
            sent = at_stripe.pop(payouts.reference(row), None)
            if one.state == "paid":
                assert sent is not None
                assert (sent["amount"], sent["amount_reversed"]) == (one.cents, one.reversed)
            elif one.state == "failed":
                assert sent is None
        assert at_stripe == {}
        db.session.rollback()
        assert_clean()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=12, max_size=30))
def test_any_order_comes_to_what_the_model_says(app, sandbox, steps) -> None:
    run = Run(sandbox)
    for name, value in steps:
        run.take(name, value)
    run.compare()
    event(f"{len(run.model.sent)} payouts, {sum(one.reversed > 0 for one in run.model.sent)} came back")
