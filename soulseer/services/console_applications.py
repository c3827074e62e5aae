"""Applications as staff see them: the board by stage, the list, and one with its checklist, gates and papers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, bindparam, select, text
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.domain.onboarding import BOARD, Gate, Item, Outcome, Paper, Stage, open_items
from soulseer.models.onboarding import ApplicationCheck, ReaderApplication, ReaderGate, ReaderPaper
from soulseer.models.payouts import PayoutAccount
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.services import reader_gates, reader_papers
from soulseer.services.console import Listed, Window, listed, people_named

SHOWN_IN_COLUMN = 4
DECIDED_WITHIN = timedelta(days=30)
_decider, _checker = aliased(Person), aliased(Person)

# Counted by their index; of what is decided only the last days.
_COLUMNS = text(
    """
    SELECT w.state, c.total, c.oldest, t.id, t.person_id, t.handle, t.display_name, t.state_since
    FROM unnest(CAST(:states AS varchar[])) WITH ORDINALITY AS w(state, place)
    CROSS JOIN LATERAL (SELECT count(*) AS total, min(a.state_since) AS oldest FROM reader_application a
                        WHERE a.state = w.state AND (w.state = ANY(:waiting) OR a.state_since > :since)) AS c
    LEFT JOIN LATERAL (SELECT a.id, a.person_id, p.handle, a.display_name, a.state_since
                       FROM reader_application a JOIN person p ON p.id = a.person_id
                       WHERE a.state = w.state AND w.state = ANY(:waiting)
                       ORDER BY a.state_since LIMIT :shown) AS t ON true
    ORDER BY w.place, t.state_since
    """
).bindparams(bindparam("since"))


@dataclass(frozen=True)
class Column:
    """A stage of the board: how many, since when the oldest, and the oldest few. Of what is decided, the last 30 days."""

    stage: Stage
    total: int
    oldest: datetime | None
    first: Sequence[Any]


@dataclass(frozen=True)
class Check:
    """A verdict with who gave it."""

    row: ApplicationCheck
    actor: str


@dataclass(frozen=True)
class Shown:
    """One application. ``checks``: all verdicts by item, the last first; ``lacking``: items that stand in the way."""

    application: ReaderApplication
    person: Person
    profile: ReaderProfile | None
    account: PayoutAccount | None
    decider: str | None
    checks: dict[Item, list[Check]]
    gates: dict[Gate, ReaderGate]
    papers: dict[Paper, ReaderPaper]
    earlier: Sequence[Row]

    @property
    def lacking(self) -> list[Item]:
        return open_items(
            {item: Outcome(found[0].row.outcome) for item, found in self.checks.items() if found}
        )


def board(now: datetime) -> list[Column]:
    """The columns, in the order of the work. One statement."""
    waiting = [stage.value for stage in BOARD]
    states = [*waiting, Stage.APPROVED.value, Stage.REJECTED.value]
    values = {"states": states, "waiting": waiting, "since": now - DECIDED_WITHIN, "shown": SHOWN_IN_COLUMN}
    rows = db.session.execute(_COLUMNS, values).all()
    found = {}
    for state in states:
        mine = [row for row in rows if row.state == state]
        first = [row for row in mine if row.id is not None]
        found[state] = Column(
            Stage(state), mine[0].total, mine[0].oldest if state in waiting else None, first
        )
    return list(found.values())


def listing(window: Window, *, state: str | None = None, person: str | None = None) -> Listed:
    """Applications, the oldest first; without ``state`` and ``person`` those that wait for anybody."""
    query: Select = select(
        ReaderApplication.rank, ReaderApplication, Person.handle.label("applicant"), Person.email
    ).join(Person, Person.id == ReaderApplication.person_id)
    if state:
        query = query.where(ReaderApplication.state == state)
    elif not person:
        query = query.where(ReaderApplication.state.in_([stage.value for stage in BOARD]))
    if person:
        query = query.where(ReaderApplication.person_id.in_(people_named(person)))
    return listed(query, ReaderApplication.rank, window)  # type: ignore[arg-type]


def shown(application_id: int) -> Shown:
    """One application with all that a decision needs. Five statements. Raises NotFound."""
    row = db.session.execute(
        select(ReaderApplication, Person, ReaderProfile, PayoutAccount, _decider.handle)
        .join(Person, Person.id == ReaderApplication.person_id)
        .outerjoin(ReaderProfile, ReaderProfile.person_id == Person.id)
        .outerjoin(PayoutAccount, PayoutAccount.person_id == Person.id)
        .outerjoin(_decider, _decider.id == ReaderApplication.decided_by)
        .where(ReaderApplication.id == application_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no application {application_id}.")
    application, person, profile, account, decider = row
    return Shown(
        application,
        person,
        profile,
        account,
        decider,
        _checks(application_id),
        reader_gates.of(person.id),
        reader_papers.of(person.id),
        _earlier(application),
    )


def _checks(application_id: int) -> dict[Item, list[Check]]:
    rows = db.session.execute(
        select(ApplicationCheck, _checker.handle)
        .join(_checker, _checker.id == ApplicationCheck.actor_id)
        .where(ApplicationCheck.application_id == application_id)
        .order_by(ApplicationCheck.id.desc())
    )
    found: dict[Item, list[Check]] = {item: [] for item in Item}
    for check, actor in rows:
        found[Item(check.item)].append(Check(check, actor))
    return found


def _earlier(application: ReaderApplication) -> Sequence[Row]:
    return db.session.execute(
        select(
            ReaderApplication.id,
            ReaderApplication.state,
            ReaderApplication.state_since,
            ReaderApplication.reject_code,
        )
        .where(ReaderApplication.person_id == application.person_id, ReaderApplication.id != application.id)
        .order_by(ReaderApplication.id.desc())
        .limit(5)
    ).all()
