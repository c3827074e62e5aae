"""A person in full, part by part: each list by its own index, paged by place, one statement; words of messages never."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, literal, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, aliased

from soulseer.db import db
from soulseer.domain.moderation import Deed
from soulseer.models.disputes import Dispute
from soulseer.models.moderation import Flag, ModerationAction, ModerationCase
from soulseer.models.operations import AuditEntry
from soulseer.models.payments import TopUp
from soulseer.models.payouts import Payout
from soulseer.models.people import Login, Person
from soulseer.models.readings import ReadingMessage, ReadingSession
from soulseer.models.refunds import Refund
from soulseer.models.staff_care import StaffNote, StaffSuspension
from soulseer.services.console import LARGEST, Listed, Window, listed
from soulseer.services.console_cases import strikes_of

MOST_LOGINS = 50


@dataclass(frozen=True)
class Standing:
    """What the head of the page tells beside the person: ``strikes`` that count now, the newest sign-in, others with the
    same email address, what staff pinned, and their own suspension where it is in force."""

    strikes: int
    last_login: datetime | None
    twins: Sequence[Row]
    pinned: Sequence[Row]
    suspension: StaffSuspension | None


def standing(person: Person, now: datetime) -> Standing:
    """Four statements."""
    newest = select(func.max(Login.created_at)).where(Login.person_id == person.id).scalar_subquery()
    counted, last = db.session.execute(select(strikes_of(person.id, now), newest)).one()
    twins: Sequence[Row] = ()
    if person.email:
        same = func.lower(Person.email) == person.email.lower()
        twins = db.session.execute(
            select(Person.id, Person.handle).where(same, Person.id != person.id).order_by(Person.id).limit(10)
        ).all()
    pinned = db.session.execute(_notes(person.id).where(StaffNote.pinned).order_by(StaffNote.id.desc())).all()
    suspension = db.session.scalar(
        select(StaffSuspension).where(
            StaffSuspension.person_id == person.id,
            StaffSuspension.lifted_at.is_(None),
            StaffSuspension.at == person.suspended_at,
        )
    )
    return Standing(counted, last, twins, pinned, suspension)


def _of_either(person_id: int, window: Window) -> Any:
    """The ids of the window's readings in which the person is client or reader, each side by its own index."""
    sides = []
    for column in (ReadingSession.client_id, ReadingSession.reader_id):
        query = select(ReadingSession.id).where(column == person_id)
        if window.after is not None:
            query = query.where(ReadingSession.id > window.after).order_by(ReadingSession.id.asc())
        else:
            query = query.where(ReadingSession.id < (window.before or LARGEST)).order_by(
                ReadingSession.id.desc()
            )
        sides.append(select(query.limit(window.limit + 1).subquery().c.id))
    return ReadingSession.id.in_(union_all(*sides))


def _readings(person_id: int, window: Window, *columns: Any) -> Listed:
    other = aliased(Person)
    query = (
        select(
            ReadingSession.id,
            ReadingSession,
            case((ReadingSession.client_id == person_id, "client"), else_="reader").label("side"),
            other.id.label("other_id"),
            other.handle.label("other"),
            *columns,
        )
        .join(
            other,
            other.id
            == case(
                (ReadingSession.client_id == person_id, ReadingSession.reader_id),
                else_=ReadingSession.client_id,
            ),
        )
        .where(_of_either(person_id, window))
    )
    return listed(query, ReadingSession.id, window)


def sessions(person_id: int, window: Window) -> Listed:
    """Readings as client and as reader."""
    return _readings(person_id, window)


def messages(person_id: int, window: Window) -> Listed:
    """How many messages and pictures each reading has, from whom and when: never what they say."""
    here = select(ReadingMessage).where(ReadingMessage.reading_session_id == ReadingSession.id)

    def counted(what: Any, *conditions: Any) -> Any:
        return here.with_only_columns(what).where(*conditions).correlate(ReadingSession).scalar_subquery()

    mine = ReadingMessage.sender_id == person_id
    return _readings(
        person_id,
        window,
        counted(func.count(), mine).label("sent"),
        counted(func.count(), ReadingMessage.sender_id != person_id).label("received"),
        counted(func.count(), ReadingMessage.file_id.isnot(None)).label("pictures"),
        counted(func.min(ReadingMessage.created_at)).label("first"),
        counted(func.max(ReadingMessage.created_at)).label("last"),
    )


def _own(model: Any, owner: InstrumentedAttribute[int]) -> Any:
    def rows(person_id: int, window: Window) -> Listed:
        return listed(select(model.id, model).where(owner == person_id), model.id, window)

    return rows


payments = _own(TopUp, TopUp.person_id)
refunds = _own(Refund, Refund.person_id)
disputes = _own(Dispute, Dispute.person_id)
payouts = _own(Payout, Payout.person_id)


def cases(person_id: int, window: Window) -> Listed:
    """Cases about what the person wrote or did, each with the decision that stands."""
    decision = (
        select(ModerationAction.action)
        .where(
            ModerationAction.case_id == ModerationCase.id,
            ModerationAction.undone_at.is_(None),
            ModerationAction.action != Deed.AUTO_HIDE.value,
        )
        .correlate(ModerationCase)
        .scalar_subquery()
    )
    query = select(ModerationCase.id, ModerationCase, decision.label("decision"))
    return listed(query.where(ModerationCase.author_id == person_id), ModerationCase.id, window)


def flags(person_id: int, window: Window) -> Listed:
    """What the person reported, and what came of it."""
    query = (
        select(Flag.id, Flag, ModerationCase.kind, Person.id.label("about_id"), Person.handle.label("about"))
        .join(ModerationCase, ModerationCase.id == Flag.case_id)
        .join(Person, Person.id == ModerationCase.author_id)
        .where(Flag.reporter_id == person_id)
    )
    return listed(query, Flag.id, window)


def _notes(person_id: int) -> Any:
    return (
        select(StaffNote.id, StaffNote, Person.handle.label("author"))
        .join(Person, Person.id == StaffNote.author_id)
        .where(StaffNote.person_id == person_id)
    )


def notes(person_id: int, window: Window) -> Listed:
    """What staff wrote about the person."""
    return listed(_notes(person_id), StaffNote.id, window)


def audit_about(person_id: int, window: Window) -> Listed:
    """What was done about the person."""
    about = AuditEntry.object_id == str(person_id)
    query = select(AuditEntry.id, AuditEntry, Person.handle.label("actor"))
    query = query.outerjoin(Person, Person.id == AuditEntry.actor_id)
    return listed(query.where(AuditEntry.object_type == "person", about), AuditEntry.id, window)


def audit_by(person_id: int, window: Window) -> Listed:
    """What the person did that is kept in the audit log."""
    query = select(AuditEntry.id, AuditEntry, literal(None).label("actor"))
    return listed(query.where(AuditEntry.actor_id == person_id), AuditEntry.id, window)


@dataclass(frozen=True)
class Device:
    """A signed-in browser as far as staff may know it: its family and system, and the network that it came from."""

    login: Login
    browser: str
    network: str
    holds: bool


def devices(person_id: int, now: datetime) -> Listed:
    """The newest fifty sign-ins."""
    found = db.session.scalars(
        select(Login).where(Login.person_id == person_id).order_by(Login.created_at.desc()).limit(MOST_LOGINS)
    ).unique()
    return Listed(
        [
            Device(
                login,
                browser_of(login.user_agent),
                network_of(login.address),
                login.ended_at is None and login.expires_at > now,
            )
            for login in found
        ]
    )


# The order counts: each calls itself by the names of those below it as well.
_BROWSERS = {
    "Edge": r"Edg",
    "Opera": r"OPR/",
    "Samsung": r"SamsungBrowser",
    "Firefox": r"Firefox|FxiOS",
    "Chrome": r"Chrome|CriOS",
    "Safari": r"Safari",
}
_SYSTEMS = {
    "iPhone or iPad": r"iPhone|iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "macOS": r"Macintosh",
    "ChromeOS": r"CrOS",
    "Linux": r"Linux",
}


def browser_of(user_agent: str | None) -> str:
    """``Firefox, Windows``: family and system, no versions, no words of the browser's own."""
    names = [
        next((name for name, pattern in families.items() if re.search(pattern, user_agent or "")), None)
        for families in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(name for name in names if name) or "unknown"


def network_of(address: str | None) -> str:
    """The first 24 bits of an IPv4 address, the first 48 of an IPv6 one."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    bits = 24 if known.version == 4 else 48
    return str(ipaddress.ip_network(f"{known}/{bits}", strict=False))
