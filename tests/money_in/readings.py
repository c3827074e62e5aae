"""Readings that were paid for, with the money they moved."""

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import insert, text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import from_cents, share_of
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import ReadingMinute
from soulseer.services import ledger
from tests.readers.sessions import finished


def paid_reading(
    client_id: int,
    reader_id: int,
    *,
    minutes: int,
    at: datetime,
    rate_cents: int = 199,
    credit_cents: int = 0,
) -> int:
    """A finished reading from ``at`` on (its id), its minutes paid as billing pays them, and the fair credit."""
    made = finished(
        client_id, reader_id, minutes=minutes, rate_cents=rate_cents, credit_cents=credit_cents, now=at
    )
    part = share_of(rate_cents, Decimal("0.70"))
    with transaction():
        db.session.execute(
            insert(ReadingMinute),
            [
                {
                    "reading_session_id": made,
                    "minute": number + 1,
                    "charged_at": at + timedelta(minutes=number),
                    "amount_cents": rate_cents,
                    "reader_cents": part,
                    "platform_cents": rate_cents - part,
                }
                for number in range(minutes)
            ],
        )
        wallet = ledger.account_id(AccountKind.CLIENT_WALLET, client_id)
        pending = ledger.account_id(AccountKind.READER_EARNINGS_PENDING, reader_id)
        revenue = ledger.account_id(AccountKind.PLATFORM_REVENUE)
        moved = text("UPDATE ledger_account SET balance = balance + :cents WHERE id = :id")
        db.session.execute(moved, {"cents": -rate_cents * minutes, "id": wallet})
        db.session.execute(moved, {"cents": part * minutes, "id": pending})
        db.session.execute(
            text("UPDATE ledger_shard SET balance = balance + :cents WHERE account_id = :id AND shard = 0"),
            {"cents": (rate_cents - part) * minutes, "id": revenue},
        )
        if credit_cents:
            ledger.post(
                TransferKind.FAIR_CREDIT,
                f"reading:{made}:credit",
                [
                    ledger.Posting(wallet, from_cents(credit_cents)),
                    ledger.Posting(pending, -from_cents(credit_cents)),
                ],
                at + timedelta(minutes=minutes),
                reading_session_id=made,
            )
    return made
