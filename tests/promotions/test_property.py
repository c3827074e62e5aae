"""Grants, charges, expiry and fair credit in any order, on top of all that happens to a reading: the product and a
small model agree, and no dollar of credit becomes cash."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from soulseer.jobs import expire_promotions
from soulseer.jobs.context import JobContext
from soulseer.services import ledger_check, promotions
from tests.factories import START
from tests.promotions.credit import credit, give
from tests.readings.model import MINUTE, SECOND, Model
from tests.readings.test_property import WAITS, Reading, instant


@dataclass
class Grant:
    """Cents that remain until ``expires_at``, microseconds after the beginning."""

    remaining: int
    expires_at: int


class CreditedModel(Model):
    """A client with grants beside the wallet: those that expire first go first, and come back after all cash has."""

    def __init__(self, wallet: int, rate: int) -> None:
        super().__init__(wallet, rate)
        self.grants: list[Grant] = []
        self.by_cash = self.by_credit = self.given_back = self.expired = self.granted = 0

    def good(self, at: int) -> list[Grant]:
        found = [grant for grant in self.grants if grant.remaining and grant.expires_at > at]
        return sorted(found, key=lambda grant: grant.expires_at)

    def can_pay(self, at: int) -> bool:
        return self.books.wallet + sum(grant.remaining for grant in self.good(at)) >= self.books.rate

    def take(self, cents: int, at: int) -> None:
        for grant in self.good(at):
            part = min(cents, grant.remaining)
            grant.remaining -= part
            self.by_credit += part
            cents -= part
        self.by_cash += cents
        self.books.wallet -= cents

    def put_back(self, cents: int) -> None:
        cash = min(cents, self.by_cash)
        self.books.wallet += cash
        self.given_back += cents - cash

    def book_off(self, at: int) -> None:
        for grant in self.grants:
            if grant.expires_at <= at:
                self.expired += grant.remaining
                grant.remaining = 0

    @property
    def credit(self) -> int:
        return self.granted - self.by_credit - self.expired + self.given_back


class CreditedReading(Reading):
    """A reading whose client is given credit again and again."""

    model_of = CreditedModel
    model: CreditedModel

    @rule(
        cents=st.sampled_from([1, 50, 199, 200, 350, 1000]),
        lives=st.sampled_from([20 * SECOND, MINUTE, MINUTE + 1, 90 * SECOND, 5 * MINUTE, 24 * 60 * MINUTE]),
    )
    def grant(self, cents: int, lives: int) -> None:
        dollars, end = str(Decimal(cents) / 100), self.now + lives
        give(self.room.client.id, dollars, end / SECOND, at=self.now / SECOND)
        self.model.grants.append(Grant(cents, end))
        self.model.granted += cents

    @rule(wait=WAITS)
    def grants_expire(self, wait: int) -> None:
        self.now += wait
        counts = expire_promotions.run(JobContext(now=instant(self.now)))
        assert counts["error"] == 0
        self.model.book_off(self.now)

    @invariant()
    def credit_agrees(self) -> None:
        client = self.room.client.id
        assert credit(client) == Decimal(self.model.credit) / 100
        held = promotions.holding(client, START + timedelta(microseconds=self.now))
        good = sum(grant.remaining for grant in self.model.good(self.now))
        assert held.promotional == Decimal(good + self.model.given_back) / 100

    @invariant()
    def no_credit_becomes_cash(self) -> None:
        assert self.model.by_cash + self.model.by_credit == self.model.books.minutes * self.model.books.rate
        assert self.model.given_back <= self.model.by_credit

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "room"):
            self.credit_agrees()
            self.model.book_off(10**15)
            expire_promotions.run(JobContext(now=START + timedelta(days=700)))
            assert credit(self.room.client.id) == 0
            assert ledger_check.check() == []


def _run(examples: int, steps: int, *, derandomize: bool = True) -> None:
    run_state_machine_as_test(
        CreditedReading,
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


def test_product_and_model_agree_about_credit(app: Flask) -> None:
    _run(examples=25, steps=25)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_product_and_model_agree_about_credit_for_long(app: Flask) -> None:
    _run(examples=800, steps=40, derandomize=False)
