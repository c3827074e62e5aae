"""What comes in and pays a debt locks both accounts in one order, whichever was opened first."""

import threading
from decimal import Decimal

import psycopg
from flask import Flask

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.payments import TopUp
from soulseer.models.people import Person, PersonRole
from soulseer.services import crediting, holds, ledger
from tests.factories import START
from tests.money_in.events import wait_for

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ledger_account%'"
)


def debtor() -> tuple[int, int, int]:
    """Somebody who owes 10.00 and whose debt was opened before the wallet: person, wallet, receivable."""
    with transaction():
        person = Person(
            issuer="http://127.0.0.1:9/",
            subject="demo|debtor@test.test",
            email="debtor@test.test",
            email_verified=True,
            handle="debtor",
            created_at=START,
            role_rows=[PersonRole(role="client")],
        )
        db.session.add(person)
        db.session.flush()
        for kind in (AccountKind.CLIENT_RECEIVABLE, AccountKind.CLIENT_WALLET):
            ledger.open_accounts(person.id, [kind], START)
        wallet, receivable = holds.lock_debt(person.id, START)
        clearing = ledger.account_id(AccountKind.STRIPE_CLEARING)
        sides = [ledger.Posting(receivable, Decimal("-10.00")), ledger.Posting(clearing, Decimal("10.00"))]
        ledger.post(TransferKind.ADJUSTMENT, "test:debt", sides, START)
        return person.id, wallet, receivable


def test_a_top_up_waits_for_the_debt_before_it_touches_the_wallet(
    app: Flask, superuser: psycopg.Connection
) -> None:
    person_id, wallet, receivable = debtor()
    assert receivable < wallet
    with transaction():
        top_up = TopUp(
            person_id=person_id,
            account_id=wallet,
            amount=Decimal("25.00"),
            state="open",
            created_at=START,
            stripe_checkout_session_id="cs_1",
        )
        db.session.add(top_up)
        db.session.flush()
        number = top_up.id

    def credit() -> None:
        with app.app_context(), transaction():
            row = db.session.get_one(TopUp, number, with_for_update=True)
            crediting.credit(row, crediting.Payment("cs_1", "pi_1", "ch_1", None), START)

    lock = "SELECT id FROM ledger_account WHERE id = %s FOR NO KEY UPDATE NOWAIT"
    crediter = threading.Thread(target=credit)
    with psycopg.connect(superuser.info.dsn, password=superuser.info.password) as other:
        other.execute(lock, [receivable])
        crediter.start()
        wait_for(lambda: superuser.execute(WAITING).fetchone() == (1,))
        # Whoever holds the first of them gets the second: nobody waits in a circle.
        assert other.execute(lock, [wallet]).fetchone() == (wallet,)
        other.rollback()
    crediter.join()
    with transaction():
        assert ledger.balance(AccountKind.CLIENT_WALLET, person_id) == Decimal("15.00")
        assert holds.owed(person_id) == 0
