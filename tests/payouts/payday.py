"""A reader who is set up at the stand-in, and the jobs that pay her."""

from datetime import datetime, timedelta

import requests
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.gateways import stripe_connect
from soulseer.jobs import process_stripe_webhook, send_payouts, weekly_payouts
from soulseer.jobs.context import JobContext
from soulseer.models.payouts import Payout
from soulseer.services import payout_accounts, payouts
from tests.payouts.world import LATER, Reader

SOON = LATER + timedelta(minutes=10)


class PaidReader(Reader):
    """A reader with an Express account that has told everything, and ``available`` dollars released."""

    def __init__(self, sandbox, available: str | None = None) -> None:
        super().__init__()
        self.sandbox = sandbox
        with transaction():
            begun = payout_accounts.begin(self.id, LATER)
        opened = payout_accounts.ask_stripe(begun, "reader@test.test")
        self.account = opened.id
        self.post(f"accounts/{opened.id}/onboard")
        self.refresh()
        if available is not None:
            self.earn(available)
            self.release()

    def post(self, path: str, **body: object) -> requests.Response:
        """A switch of the stand-in."""
        answer = requests.post(f"{self.sandbox.stripe}/sandbox/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer

    def refresh(self, now: datetime = LATER) -> None:
        """Read the account at Stripe and keep what it says."""
        told = stripe_connect.retrieve_account(gateways.current().stripe, self.account)
        with transaction():
            payout_accounts.record(self.id, told, now)

    def begin(self, now: datetime = LATER, key: str | None = None) -> int:
        with transaction():
            return payouts.begin(self.id, now, origin="request", key=key).id

    @property
    def payouts(self) -> list[Payout]:
        """Her payouts, oldest first."""
        db.session.rollback()
        return list(
            db.session.scalars(
                select(Payout)
                .where(Payout.person_id == self.id)
                .order_by(Payout.id)
                .execution_options(populate_existing=True)
            )
        )

    @property
    def transfers(self) -> list[dict]:
        """What Stripe has sent to her account, oldest first."""
        answer = requests.get(
            f"{self.sandbox.stripe}/v1/transfers",
            params={"destination": self.account, "limit": 100},
            auth=("sk_test_0123456789", ""),
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()["data"][::-1]


def sweep(now: datetime = SOON, **arguments: str) -> dict:
    return send_payouts.run(JobContext(now=now, arguments=arguments))


def weekly(now: datetime = LATER) -> dict:
    return weekly_payouts.run(JobContext(now=now))


def events(now: datetime = SOON) -> dict:
    """Act on what is in the inbox."""
    return process_stripe_webhook.run(JobContext(now=now))
