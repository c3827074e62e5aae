"""Finalizing a session: minutes and money agree, or a person is called (design §4, rule 8)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from soulseer import gateways
from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import from_cents
from soulseer.domain.readings import Action, Role, State, minutes_for, next_state
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction, ReadingMinute
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.services import audit, earnings, free_minutes, ledger, receipt_statements
from soulseer.services.settling import give_unserved, lock, record

# What a reading is paid from, and what is given back to.
PAID_FROM = (AccountKind.CLIENT_WALLET, AccountKind.CLIENT_PROMOTIONAL_CREDIT)


@dataclass(frozen=True)
class Booked:
    """What the ledger holds of a session: minutes, dollars charged and credited, each side's part after credit."""

    minutes: int
    charged: Decimal
    credited: Decimal
    reader_part: Decimal
    platform_part: Decimal


def booked(session: ReadingSession) -> Booked:
    """Add up the session's entries."""
    minutes, charged, reader, platform = db.session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(ReadingMinute.amount_cents), 0),
            func.coalesce(func.sum(ReadingMinute.reader_cents), 0),
            func.coalesce(func.sum(ReadingMinute.platform_cents), 0),
        ).where(ReadingMinute.reading_session_id == session.id)
    ).one()
    credit = db.session.execute(
        select(LedgerAccount.kind, LedgerEntry.amount)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerTransaction.reading_session_id == session.id,
            LedgerTransaction.kind == TransferKind.FAIR_CREDIT.value,
        )
    ).all()
    credited = sum((amount for kind, amount in credit if kind in PAID_FROM), Decimal("0.00"))
    platform_back = sum(
        (amount for kind, amount in credit if kind == AccountKind.PLATFORM_REVENUE), Decimal("0.00")
    )
    reader_back = -credited - platform_back
    return Booked(
        minutes,
        from_cents(int(charged)),
        credited,
        from_cents(int(reader)) + reader_back,
        from_cents(int(platform)) + platform_back,
    )


def disagreement(session: ReadingSession, found: Booked) -> str | None:
    """What does not agree, in words; None where all does."""
    expected = minutes_for(session.active_microseconds, was_active=session.activated_at is not None)
    if not expected == session.minutes_billed == found.minutes:
        return f"{expected} minutes by the clock, {session.minutes_billed} on the session, {found.minutes} in the ledger"
    due = from_cents(expected * session.rate_cents - session.credit_cents)
    if found.charged - found.credited != due:
        return f"{found.charged} charged and {found.credited} credited, {due} expected"
    return None


def finalize(session_id: int, now: datetime) -> bool:
    """ended → finalized with receipt and audit row; False where the books disagree: then an alert is raised and the
    session stays ended. A session that is finalized already stays so. Raises IllegalMove for a live one."""
    session = lock(session_id)
    if session.state == State.FINALIZED:
        return True
    after = next_state(State(session.state), Action.FINALIZE)
    give_unserved(session, now)
    free_minutes.end(session, now)
    found = booked(session)
    fault = disagreement(session, found)
    if fault:
        ledger.raise_alert(
            "session_disagrees", f"Reading {session.id}: {fault}.", now, reading_session_id=session.id
        )
        return False
    session.state = after.value
    session.finalized_at = now
    code = receipt_statements.new_code()
    statement = receipt_statements.compose(session, code, now)
    seal = gateways.current().signing.sign(statement)
    db.session.add(
        ReadingReceipt(
            reading_session_id=session.id,
            code=code,
            minutes=found.minutes,
            active_microseconds=session.active_microseconds,
            charged=found.charged,
            credited=found.credited,
            total=found.charged - found.credited,
            reader_part=found.reader_part,
            platform_part=found.platform_part,
            currency=session.currency,
            issued_at=now,
            statement=statement,
            signing_key=seal.key_id,
            signature=seal.signature,
        )
    )
    earnings.record(session, found.reader_part, now)
    record(session, Action.FINALIZE, State.ENDED, now, now, role=Role.SYSTEM)
    total = str(found.charged - found.credited)
    audit.record(
        "reading.finalized",
        "reading_session",
        session.id,
        now,
        details={"minutes": found.minutes, "total": total},
    )
    return True
