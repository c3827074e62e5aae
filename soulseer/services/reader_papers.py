"""What a reader must keep valid: warned of by mail before the last day, and a gate closed after it."""

from datetime import date, datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.errors import Forbidden, InvalidInput, NotFound
from soulseer.domain.onboarding import (
    CONNECT_DAYS,
    PAPERS,
    WARNINGS,
    Paper,
    tax_form_expires,
    warning_due,
)
from soulseer.models.onboarding import ReaderPaper
from soulseer.models.payouts import PayoutAccount
from soulseer.models.readers import ReaderProfile
from soulseer.services import audit, mail, reader_gates

RAN_OUT = {
    Paper.IDENTITY_DOCUMENT: "The identity document that we saw has run out. Please show us a valid one.",
    Paper.TAX_FORM: "Your tax form has run out. Please sign it again.",
    Paper.CONNECT: "Stripe did not get the details that it needs from you in time.",
}
NO_TAX_FORM = "We do not have your signed tax form yet."


def of(person_id: int) -> dict[Paper, ReaderPaper]:
    """The reader's papers, by kind."""
    rows = db.session.scalars(
        select(ReaderPaper)
        .where(ReaderPaper.person_id == person_id)
        .execution_options(populate_existing=True)
    )
    return {Paper(row.kind): row for row in rows}


def keep(
    person_id: int,
    paper: Paper,
    expires_on: date | None,
    now: datetime,
    *,
    detail: str = "",
    actor_id: int | None = None,
    reason: str = "",
) -> None:
    """Note a paper that was seen or signed, in place of the former; what it had closed opens. Raises InvalidInput for a
    last day that has passed."""
    if expires_on is not None and expires_on < now.date():
        raise InvalidInput("expires_on", "This day has passed.")
    values = {
        "detail": detail,
        "expires_on": expires_on,
        "warned": None,
        "expired_at": None,
        "updated_at": now,
    }
    db.session.execute(
        upsert(ReaderPaper)
        .values(person_id=person_id, kind=paper.value, **values)
        .on_conflict_do_update(index_elements=["person_id", "kind"], set_=values)
    )
    audit.record(
        "paper.kept", "person", person_id, now, actor_id=actor_id, reason=reason,
        details={"paper": paper.value, "detail": detail, "last_day": str(expires_on or "none")},
    )  # fmt: skip
    reader_gates.open_over_paper(person_id, paper, now)


def lack(person_id: int, paper: Paper, words: str, now: datetime) -> None:
    """Note a paper that was never there: its gate is closed until it comes."""
    values = {"detail": "", "expires_on": None, "warned": None, "expired_at": now, "updated_at": now}
    db.session.execute(
        upsert(ReaderPaper)
        .values(person_id=person_id, kind=paper.value, **values)
        .on_conflict_do_update(index_elements=["person_id", "kind"], set_=values)
    )
    reader_gates.close_over_paper(person_id, paper, words, now, quietly=True)


def sign_tax_form(person_id: int, form: str, signed: date, now: datetime) -> None:
    """A reader signs the tax form again. Raises NotFound where the person is no reader."""
    if db.session.get(ReaderProfile, person_id) is None:
        raise NotFound("Only readers have a tax form.")
    keep(person_id, Paper.TAX_FORM, tax_form_expires(form, signed), now, detail=form, actor_id=person_id)


def renew(person_id: int, paper: Paper, expires_on: date, actor_id: int, reason: str, now: datetime) -> None:
    """A member of staff has seen a paper that is valid until ``expires_on``. Raises NotFound, Forbidden for one's own,
    InvalidInput."""
    if actor_id == person_id:
        raise Forbidden("Somebody else must look at your own papers.")
    if db.session.get(ReaderProfile, person_id, with_for_update=True) is None:
        raise NotFound(f"Person {person_id} is no reader.")
    known = of(person_id).get(paper)
    keep(
        person_id,
        paper,
        expires_on,
        now,
        detail=known.detail if known else "",
        actor_id=actor_id,
        reason=reason,
    )


# The sweep ------------------------------------------------------------------------------------------------------------


def due(now: datetime) -> list[tuple[int, Paper]]:
    """(person, paper) of all that is within the first warning or over, and not yet closed for it."""
    last = now.date() + timedelta(days=max(WARNINGS))
    rows = db.session.execute(
        select(ReaderPaper.person_id, ReaderPaper.kind, ReaderPaper.expires_on, ReaderPaper.warned)
        .where(ReaderPaper.expires_on <= last, ReaderPaper.expired_at.is_(None))
        .order_by(ReaderPaper.expires_on, ReaderPaper.person_id)
    )
    return [
        (row.person_id, Paper(row.kind))
        for row in rows
        if row.expires_on < now.date() or warning_due(row.expires_on, now.date(), row.warned) is not None
    ]


def tend(person_id: int, paper: Paper, now: datetime) -> str | None:
    """Warn of a paper's end, or close its gate over it: ``warned``, ``closed``, None where nothing is due."""
    row = db.session.get(ReaderPaper, (person_id, paper.value), with_for_update=True, populate_existing=True)
    if row is None or row.expires_on is None or row.expired_at is not None:
        return None
    today = now.date()
    if row.expires_on < today:
        row.expired_at = now
        db.session.flush()
        audit.record(
            "paper.ran_out",
            "person",
            person_id,
            now,
            details={"paper": paper.value, "last_day": str(row.expires_on)},
        )
        reader_gates.close_over_paper(person_id, paper, RAN_OUT[paper], now)
        return "closed"
    warning = warning_due(row.expires_on, today, row.warned)
    if warning is None:
        return None
    row.warned = warning
    mail.queue(
        person_id,
        "paper_expiring",
        {
            "kind": paper.value,
            "paper": PAPERS[paper][0],
            "days": str((row.expires_on - today).days),
            "last_day": f"{row.expires_on:%-d %B %Y}",
        },
        now,
        key=f"paper:{person_id}:{paper}:{row.expires_on}:{warning}",
    )
    return "warned"


def connect_changes() -> list[int]:
    """Readers of whom Stripe newly wants something, or has got it: their Connect paper does not say so yet."""
    wants = (
        func.jsonb_array_length(PayoutAccount.currently_due) + func.jsonb_array_length(PayoutAccount.past_due)
        > 0
    )
    rows = db.session.scalars(
        select(PayoutAccount.person_id)
        .join(ReaderProfile, ReaderProfile.person_id == PayoutAccount.person_id)
        .outerjoin(
            ReaderPaper,
            (ReaderPaper.person_id == PayoutAccount.person_id) & (ReaderPaper.kind == Paper.CONNECT.value),
        )
        .where(
            PayoutAccount.details_submitted,
            or_(
                wants & ReaderPaper.expires_on.is_(None),
                ~wants & ReaderPaper.expires_on.is_not(None),
            ),
        )
        .order_by(PayoutAccount.person_id)
    )
    return list(rows)


def note_connect(person_id: int, now: datetime) -> bool:
    """Note what Stripe wants of the reader: CONNECT_DAYS from now, or nothing any more; whether anything changed."""
    account = db.session.scalars(
        select(PayoutAccount)
        .where(PayoutAccount.person_id == person_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    known = of(person_id).get(Paper.CONNECT)
    wants = account is not None and bool(account.currently_due or account.past_due)
    if wants == (known is not None and known.expires_on is not None):
        return False
    last_day = now.date() + timedelta(days=CONNECT_DAYS) if wants else None
    keep(person_id, Paper.CONNECT, last_day, now, detail="Stripe asks for details" if wants else "complete")
    return True
