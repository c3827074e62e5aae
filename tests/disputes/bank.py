"""What payers and their banks do at the stand-in, and what our books make of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import requests
from sqlalchemy import func, select

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.disputes import Dispute, SpendingHold
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.payments import TopUp
from soulseer.services import holds, ledger, ledger_check
from tests.factories import START
from tests.money_in.conftest import SECRET_KEY, Sandbox
from tests.money_in.events import begun, top_up, wait_for, work


def delivered(sandbox: Sandbox) -> None:
    """Wait until the stand-in has no event left to deliver."""

    def none_left() -> bool:
        with sandbox.stand_in.store.transaction() as connection:
            row = connection.execute("SELECT count(*) FROM delivery WHERE state = 'pending'").fetchone()
        return int(row[0]) == 0

    wait_for(none_left)


def catch_up(sandbox: Sandbox, later: timedelta = timedelta(0)) -> dict[str, Any]:
    """Have every event delivered and acted on."""
    delivered(sandbox)
    return work(later)


def paid(sandbox: Sandbox, person_id: int, amount: str = "25.00") -> TopUp:
    """A top-up that was paid and credited."""
    opened = begun(person_id, amount)
    assert opened.stripe_checkout_session_id
    sandbox.pay(opened.stripe_checkout_session_id).raise_for_status()
    catch_up(sandbox)
    done = top_up(opened.id)
    assert done.state == "paid"
    return done


def ask_back(sandbox: Sandbox, top_up: TopUp, cents: int | None = None, **more: Any) -> str:
    """The payer's bank asks back (part of) a payment: the dispute's id at Stripe."""
    wanted = {"checkout_session": top_up.stripe_checkout_session_id, "reason": "fraudulent", **more}
    if cents is not None:
        wanted["amount"] = cents
    answer = requests.post(f"{sandbox.stripe}/sandbox/disputes", json=wanted, timeout=10)
    assert answer.ok, answer.text
    return str(answer.json()["id"])


def bank(sandbox: Sandbox, dispute_id: str, deed: str) -> None:
    """The bank decides (win, lose) or goes on (escalate)."""
    answer = requests.post(f"{sandbox.stripe}/sandbox/disputes/{dispute_id}/{deed}", timeout=10)
    assert answer.ok, answer.text


def give_back(sandbox: Sandbox, top_up: TopUp, cents: int) -> None:
    """Refund a part of a payment in Stripe's dashboard."""
    with sandbox.stand_in.work() as work_unit:
        checkout = work_unit.get("checkout.session", str(top_up.stripe_checkout_session_id))
    wanted = {"payment_intent": checkout["payment_intent"], "amount": cents}
    answer = requests.post(f"{sandbox.stripe}/v1/refunds", data=wanted, auth=(SECRET_KEY, ""), timeout=10)
    assert answer.ok, answer.text


def spend(person_id: int, amount: str) -> None:
    """The client spends: money leaves the wallet for the platform."""
    with transaction():
        key = f"test:spend:{db.session.scalar(select(func.count(LedgerTransaction.id)))}"
        ledger.post(
            TransferKind.ADJUSTMENT,
            key,
            [
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person_id), -Decimal(amount)),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), Decimal(amount)),
            ],
            START,
        )


def balances(person_id: int) -> tuple[str, str]:
    """What is in the wallet, and what is owed."""
    with transaction():
        return str(ledger.balance(AccountKind.CLIENT_WALLET, person_id)), str(holds.owed(person_id))


def dispute(dispute_id: str) -> Dispute:
    with transaction():
        return db.session.scalars(select(Dispute).where(Dispute.stripe_dispute_id == dispute_id)).one()


def standing(person_id: int) -> list[str]:
    """Kinds of the holds that stand."""
    with transaction():
        query = select(SpendingHold.kind).where(
            SpendingHold.person_id == person_id, SpendingHold.lifted_at.is_(None)
        )
        return sorted(db.session.scalars(query))


def movements(*kinds: str) -> list[tuple[str, str]]:
    """(kind, key) of the ledger transactions of these kinds, oldest first."""
    with transaction():
        query = (
            select(LedgerTransaction.kind, LedgerTransaction.idempotency_key)
            .where(LedgerTransaction.kind.in_(kinds))
            .order_by(LedgerTransaction.id)
        )
        return [(row[0], row[1]) for row in db.session.execute(query)]


def clearing() -> Decimal:
    """What our books say lies at Stripe, fees left out."""
    with transaction():
        return -ledger.platform_balance(AccountKind.STRIPE_CLEARING)


def at_stripe(sandbox: Sandbox) -> Decimal:
    """What the stand-in says was moved, fees left out."""
    with sandbox.stand_in.store.transaction() as connection:
        row = connection.execute(
            "SELECT coalesce(sum(json_extract(document, '$.amount')), 0) FROM object WHERE kind = 'balance_transaction'"
        ).fetchone()
    return Decimal(row[0]) / 100


def clean() -> bool:
    """Whether every invariant of the books holds."""
    found = ledger_check.check()
    assert found == [], found
    return True
