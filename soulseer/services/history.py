"""A person's reading sessions, searched: by name, kind, outcome, days and amount; and all that were found as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Numeric, case, cast, func
from sqlalchemy.sql.elements import ColumnElement

from soulseer.domain.money import CURRENCY, parse_amount, to_cents
from soulseer.domain.readings import LIVE, Modality, Role
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.services import dashboards, statements

BATCH = 500
LONGEST_NAME = 100
# Days that anybody's history can be of; beyond, instants cannot be told in every zone.
FIRST_YEAR, LAST_YEAR = 2000, 2199
OUTCOMES = ("live", "paid", "unpaid")
FIELDS = ("name", "modality", "outcome", "since", "until", "least", "most")


@dataclass(frozen=True)
class Sought:
    """What was typed and could be read. Days are the person's own; amounts are dollars paid, or earned."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    modality: Modality | None = None
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None
    least: Decimal | None = None
    most: Decimal | None = None


def read(typed: Mapping[str, str], time_zone: str) -> Sought:
    """Read a search as typed in a form (FIELDS); what cannot be read seeks nothing and stands in ``errors``."""
    values = {name: typed.get(name, "").strip() for name in FIELDS}
    values = {name: text for name, text in values.items() if text}
    errors: dict[str, str] = {}
    found: dict[str, Any] = {"name": values.get("name", "")[:LONGEST_NAME]}
    if values.get("modality", Modality.TEXT) in set(Modality):
        found["modality"] = Modality(values["modality"]) if "modality" in values else None
    else:
        errors["modality"] = "Choose text, voice or video."
    if values.get("outcome", "paid") in OUTCOMES:
        found["outcome"] = values.get("outcome", "")
    else:
        errors["outcome"] = "Choose one of the list."
    zone = ZoneInfo(time_zone)
    for name, later in (("since", 0), ("until", 1)):
        if name in values:
            try:
                found[name] = _midnight(values[name], zone, later)
            except ValueError:
                errors[name] = "Enter a day, such as 2026-11-20."
    for name in ("least", "most"):
        if name in values:
            try:
                found[name] = parse_amount(values[name])
            except ValueError as fault:
                errors[name] = str(fault)
    return Sought(values=values, errors=errors, **found)


def _midnight(text: str, zone: ZoneInfo, days_later: int) -> datetime:
    if len(text) != 10 or not text.isascii():
        raise ValueError(text)
    day = date.fromisoformat(text)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(text)
    return datetime.combine(day + timedelta(days=days_later), time(), zone)


def conditions(sought: Sought, role: Role) -> list[ColumnElement[bool]]:
    """The SQL conditions of a search, for ``dashboards.sessions``."""
    made: list[ColumnElement[bool]] = []
    name = ReaderProfile.display_name if role is Role.CLIENT else Person.handle
    made += [name.icontains(word, autoescape=True) for word in sought.name.split()[:6]]
    if sought.modality is not None:
        made.append(ReadingSession.modality == sought.modality.value)
    live = ReadingSession.state.in_([state.value for state in LIVE])
    if sought.outcome:
        paid = ReadingSession.minutes_billed > 0
        made.append({"live": live, "paid": ~live & paid, "unpaid": ~live & ~paid}[sought.outcome])
    if sought.since is not None:
        made.append(ReadingSession.created_at >= sought.since)
    if sought.until is not None:
        made.append(ReadingSession.created_at < sought.until)
    if sought.least is not None:
        made.append(_cents(role) >= to_cents(sought.least))
    if sought.most is not None:
        made.append(_cents(role) <= to_cents(sought.most))
    return made


def _cents(role: Role) -> ColumnElement[Any]:
    """What the session came to, as ``domain.money.earned_cents`` has it."""
    minutes, rate = ReadingSession.minutes_billed, ReadingSession.rate_cents
    if role is Role.CLIENT:
        return minutes * rate - ReadingSession.credit_cents
    # What was given back beyond whole minutes lessens one, the whole ones count no more.
    whole = func.div(cast(ReadingSession.credit_cents, Numeric), rate)
    kept = cast(rate - func.mod(ReadingSession.credit_cents, rate), Numeric) * ReadingSession.reader_share
    # Half-even: PostgreSQL rounds halves away from zero.
    tie = (kept - func.floor(kept) == Decimal("0.5")) & (func.mod(func.floor(kept), 2) == 0)
    rest = func.round(kept) - case((tie, 1), else_=0)
    return (minutes - whole - 1) * ReadingSession.reader_rate_cents + rest


def found(
    person_id: int, role: Role, sought: Sought, before: int | None = None, limit: int = dashboards.PAGE
) -> tuple[list[dashboards.SessionLine], int | None]:
    """(the sessions that fit, newest first, the ``before`` of the next page or None), in one statement."""
    lines, following = dashboards.sessions(person_id, role, before, limit, conditions(sought, role))
    return list(lines), following


def as_csv(person_id: int, role: Role, sought: Sought) -> Iterator[str]:
    """All that fit as CSV (RFC 4180), in pieces: instants ISO 8601 UTC, amounts plain decimals, and no words that a
    spreadsheet takes for a formula."""
    amount = "paid" if role is Role.CLIENT else "earned"
    yield _rows(
        [("reading", "with", "kind", "state", "requested_at", "minutes", "rate", amount, "currency", "stars")]
    )
    before: int | None = None
    while True:
        lines, before = found(person_id, role, sought, before, BATCH)
        yield _rows(
            (
                line.id,
                statements.safe(line.other_name),
                line.modality,
                line.state.value,
                line.created_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                line.minutes,
                line.rate,
                line.amount,
                CURRENCY,
                line.stars or "",
            )
            for line in lines
        )
        if before is None:
            return


def _rows(rows: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
