"""The product and the Stripe stand-in over real HTTP, and what happens at Stripe without anybody having asked."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import reconcile
from soulseer.jobs.context import JobContext
from soulseer.models.reconciliation import ReconciliationDifference, ReconciliationRun
from tests.money_in.conftest import SECRET_KEY, Sandbox, product, sandbox, statements, stripe_server  # noqa: F401 - fixtures

HOURS = timedelta(hours=1)


@dataclass(frozen=True)
class Stripe:
    """What a person or the world does at Stripe."""

    url: str

    def move(self, what: str, **given: Any) -> dict[str, Any]:
        """A line of the balance that ``what`` (payouts, fees, charges, transfers, lines/txn_…) makes or changes."""
        answer = requests.post(f"{self.url}/sandbox/balance/{what}", json=given, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def lines(self) -> list[dict[str, Any]]:
        """All lines of the balance, newest first."""
        return self._get("balance_transactions", limit=100)["data"]

    def cents(self) -> int:
        """All that Stripe holds."""
        balance = self._get("balance")
        return sum(part["amount"] for name in ("available", "pending") for part in balance[name])

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/v1/{path}", params=query, auth=(SECRET_KEY, ""), timeout=5)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def stripe(sandbox: Sandbox) -> Stripe:  # noqa: F811
    return Stripe(sandbox.stripe)


def reconciled(later: timedelta = timedelta(0), **arguments: str) -> dict[str, Any]:
    """One run of the job with its clock moved on by ``later``."""
    return reconcile.run(JobContext(now=clock.now() + later, arguments=arguments))


def last_run() -> ReconciliationRun:
    with transaction():
        return db.session.scalars(
            select(ReconciliationRun).order_by(ReconciliationRun.id.desc()).limit(1)
        ).one()


def differences(*states: str) -> list[ReconciliationDifference]:
    """Differences, oldest first; live ones unless states are named."""
    row = ReconciliationDifference
    with transaction():
        query = select(row).where(row.state.in_(states or ("open", "explained"))).order_by(row.id)
        return list(db.session.scalars(query))


def only_difference() -> ReconciliationDifference:
    (one,) = differences()
    return one
