"""Models and migrations say the same of the tables of payouts; the database refuses what must not be."""

from decimal import Decimal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.transfers import TransferKind
from soulseer.models.payouts import Payout, PayoutAccount
from soulseer.services import earnings, ledger
from tests.factories import START, person

TABLES = {"earning", "payout_account", "payout", "payout_reversal"}


def test_models_and_migrations_agree(app) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": False,
                "include_object": lambda item, name, kind, *_: kind != "table" or name in TABLES,
            },
        )
        assert compare_metadata(context, db.metadata) == []


def payout(person_id: int, **values) -> Payout:
    fields = {
        "origin": "request",
        "amount": Decimal("30.00"),
        "stripe_account_id": "acct_1",
        "after_transaction_id": 0,
    }
    made = Payout(person_id=person_id, created_at=START, **(fields | values))
    db.session.add(made)
    db.session.flush()
    return made


def test_a_second_open_payout_is_refused(app) -> None:
    reader = person("reader").id
    with transaction():
        payout(reader)
    with pytest.raises(IntegrityError, match="uq_payout_open"), transaction():
        payout(reader)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payout SET amount = 1",
        "UPDATE payout SET stripe_account_id = 'acct_2'",
        "UPDATE payout SET state = 'reversed', reversed_amount = amount, paid_at = now(), stripe_transfer_id = 'tr_1'",
        "UPDATE payout SET state = 'paid', paid_at = now()",
        "UPDATE payout SET reversed_amount = 1",
        "UPDATE payout SET state = 'failed', failed_at = now()",
        "DELETE FROM payout",
        "DELETE FROM payout_account",
        "UPDATE payout_account SET paused_at = now()",
        "UPDATE payout_account SET paused_by = person_id",
        "UPDATE earning SET amount = 1",
        "DELETE FROM earning",
        "TRUNCATE payout_reversal",
        "UPDATE payout_reversal SET amount = 2",
    ],
)
def test_what_the_database_refuses(app, change) -> None:
    reader = person("reader", wallet="9.00").id
    with transaction():
        payout(reader)
        db.session.add(PayoutAccount(person_id=reader, created_at=START))
        gift, _ = ledger.post(
            TransferKind.GIFT,
            "test:gift",
            [
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, reader), Decimal("-9.00")),
                ledger.Posting(
                    ledger.account_id(AccountKind.READER_EARNINGS_PENDING, reader), Decimal("9.00")
                ),
            ],
            START,
        )
        earnings.record_movement(reader, "gift", Decimal("9.00"), gift, START)
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(text(change))
