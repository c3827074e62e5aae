"""Steps of the tests of automatic top-ups: somebody with a saved card, a run of the job, what came of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import requests
from sqlalchemy import select, text

from soulseer.blueprints import wallet
from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import auto_reload as job
from soulseer.jobs.context import JobContext
from soulseer.models.auto_reload import AutoReload
from soulseer.models.mail import MailMessage
from soulseer.models.payments import TopUp
from soulseer.models.people import Person
from soulseer.services import auto_reload, customers, ledger, top_ups
from soulseer.services.auto_reload import Terms
from tests import factories
from tests.money_in.conftest import SECRET_KEY, Sandbox
from tests.money_in.events import wait_for, wallet_of, work

NOW = datetime.now(UTC).replace(microsecond=0)
TERMS = Terms(Decimal("10.00"), Decimal("25.00"), Decimal("100.00"))
ASKS_ITS_OWNER, DECLINED, PAYS = "4000002760003184", "4000000000000002", "4242424242424242"


def run(later: timedelta = timedelta(0)) -> dict:
    return job.run(JobContext(now=NOW + later))


def save_card(sandbox: Sandbox, person_id: int, card: str = PAYS) -> str:
    """The person tops up by 10.00 and ticks that the card may be kept; its id at Stripe."""
    made = wallet.start(person_id, Decimal("10.00"), key=None, save_card=True)
    answer = requests.post(
        f"{sandbox.stripe}/sandbox/checkout/{made.stripe_checkout_session_id}/pay",
        json={"card": card},
        timeout=5,
    )
    answer.raise_for_status()
    wait_for(lambda: work() is not None and top_ups.owned(person_id, made.id).state == "paid")
    kept = customers.customer_of(person_id)
    assert kept is not None
    assert kept.payment_method_id is not None
    return kept.payment_method_id


def switched_on(sandbox: Sandbox, terms: Terms = TERMS, card: str = PAYS) -> Person:
    """Somebody with a saved card, automatic top-ups and nothing in the wallet."""
    person = factories.person()
    save_card(sandbox, person.id, card)
    spend(person.id, wallet_of(person.id))
    with transaction():
        auto_reload.switch_on(person.id, terms, NOW)
    return person


def spend(person_id: int, amount: Decimal) -> None:
    with transaction():
        ledger.post(
            TransferKind.ADJUSTMENT,
            f"test:spend:{person_id}:{wallet_of_open(person_id)}:{len(postings_open())}",
            [
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, person_id), -amount),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_PROMOTIONS), amount),
            ],
            NOW,
        )


def wallet_of_open(person_id: int) -> Decimal:
    return ledger.balance(AccountKind.CLIENT_WALLET, person_id)


def postings_open() -> list[int]:
    return list(db.session.scalars(text("SELECT id FROM ledger_transaction")))


def settings(person_id: int) -> AutoReload:
    with transaction():
        return db.session.get_one(AutoReload, person_id)


def reloads(person_id: int) -> list[TopUp]:
    with transaction():
        query = (
            select(TopUp)
            .where(TopUp.person_id == person_id, TopUp.origin == "auto_reload")
            .order_by(TopUp.id)
        )
        return list(db.session.scalars(query))


def mails(person_id: int) -> list[str]:
    """Templates of what was written since the card was saved."""
    with transaction():
        query = (
            select(MailMessage.template).where(MailMessage.person_id == person_id).order_by(MailMessage.id)
        )
        return list(db.session.scalars(query))[1:]


def intents(sandbox: Sandbox) -> list[dict]:
    """The payments that were made without their owner, newest first."""
    answer = requests.get(
        f"{sandbox.stripe}/v1/payment_intents", params={"limit": 100}, auth=(SECRET_KEY, ""), timeout=5
    )
    answer.raise_for_status()
    return [one for one in answer.json()["data"] if one["metadata"].get("origin") == "auto_reload"]


def act_like(sandbox: Sandbox, method: str, card: str) -> None:
    requests.post(
        f"{sandbox.stripe}/sandbox/payment_methods/{method}/card", json={"card": card}, timeout=5
    ).raise_for_status()
