"""Cases as moderators see them: the queue, and one with its content then and now, its reporters and its author."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import NotFound
from soulseer.domain.moderation import CANNED, REASONS, CaseState, Deed, Outcome
from soulseer.models.moderation import Appeal, Flag, ModerationAction, ModerationCase
from soulseer.models.people import Person
from soulseer.services import flag_contents as flag_contents  # declares the house's kinds
from soulseer.services.case_decisions import possible
from soulseer.services.console import Listed, Window, listed, people_named
from soulseer.services.flag_kinds import ContentKind, Context, Thing, kind_of

MOST_FLAGS, MOST_EARLIER = 50, 10
WAITING = (CaseState.OPEN.value, CaseState.APPEALED.value)

_claimer = aliased(Person)


@dataclass(frozen=True)
class Reporter:
    """Who flagged it; ``handle`` None is the house. ``upheld`` and ``dismissed``: what became of all their flags."""

    flag: Flag
    reason: str
    handle: str | None
    upheld: int
    dismissed: int


@dataclass(frozen=True)
class Shown:
    """A case's page. ``thing`` None: the content is gone. ``changed``: labels that no longer say what was flagged.
    ``strikes`` of its author within the period; ``proposed``: enough of them for a suspension."""

    case: ModerationCase
    kind: ContentKind
    author: str
    claimer: str | None
    reporters: Sequence[Reporter]
    thing: Thing | None
    context: Context
    actions: Sequence[Row]
    appeal: Appeal | None
    earlier: Sequence[Row]
    strikes: int
    deeds: Sequence[Deed]

    @property
    def snapshot(self) -> Mapping[str, Any]:
        """The content as it was first flagged."""
        return self.reporters[0].flag.snapshot if self.reporters else {}

    @property
    def changed(self) -> frozenset[str]:
        now = self.thing.snapshot if self.thing else {}
        return frozenset(label for label, said in self.snapshot.items() if now.get(label) != said)

    @property
    def proposed(self) -> bool:
        return self.strikes >= policies.current().moderation.strikes

    @property
    def in_force(self) -> Row | None:
        """The decision that stands."""
        return next(
            (
                row
                for row in self.actions
                if row.ModerationAction.undone_at is None and row.ModerationAction.action != Deed.AUTO_HIDE
            ),
            None,
        )

    @property
    def hidden_meanwhile(self) -> bool:
        """Whether the house hides the content until somebody has decided."""
        return any(
            row.ModerationAction.undone_at is None and row.ModerationAction.action == Deed.AUTO_HIDE
            for row in self.actions
        )


def listing(
    window: Window,
    *,
    state: str | None = None,
    kind: str | None = None,
    reason: str | None = None,
    about: str | None = None,
    claimed_by: str | None = None,
) -> Listed:
    """Cases in the queue's order: the higher priority first, then the older. Without ``state`` those that wait."""
    first = (
        select(Flag.snapshot)
        .where(Flag.case_id == ModerationCase.id)
        .order_by(Flag.id)
        .limit(1)
        .scalar_subquery()
    )
    reasons = select(func.array_agg(Flag.reason.distinct())).where(Flag.case_id == ModerationCase.id)
    query: Select = (
        select(
            ModerationCase.rank,
            ModerationCase,
            Person.handle.label("author"),
            _claimer.handle.label("claimer"),
            first.label("snapshot"),
            reasons.scalar_subquery().label("reasons"),
        )
        .join(Person, Person.id == ModerationCase.author_id)
        .outerjoin(_claimer, _claimer.id == ModerationCase.claimed_by)
        .where(ModerationCase.state.in_([state] if state else WAITING))
    )
    if kind:
        query = query.where(ModerationCase.kind == kind)
    if reason:
        flagged = select(Flag.case_id).where(Flag.case_id == ModerationCase.id, Flag.reason == reason)
        query = query.where(flagged.exists())
    if about:
        query = query.where(ModerationCase.author_id.in_(people_named(about)))
    if claimed_by:
        query = query.where(ModerationCase.claimed_by.in_(people_named(claimed_by)))
    return listed(query, ModerationCase.rank, window)  # type: ignore[arg-type]


def shown(case_id: int, now: datetime) -> Shown:
    """One case with all that a decision needs. Raises NotFound."""
    row = db.session.execute(
        select(ModerationCase, Person.handle, _claimer.handle, strikes_of(ModerationCase.author_id, now))
        .join(Person, Person.id == ModerationCase.author_id)
        .outerjoin(_claimer, _claimer.id == ModerationCase.claimed_by)
        .where(ModerationCase.id == case_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no case {case_id}.")
    case, author, claimer, strikes = row
    kind = kind_of(case.kind)
    try:
        thing: Thing | None = kind.find(case.object_id, None)
        context = kind.context(case.object_id)
    except NotFound:
        thing, context = None, Context()
    return Shown(
        case,
        kind,
        author,
        claimer,
        _reporters(case_id),
        thing,
        context,
        _actions(case_id),
        db.session.scalar(
            select(Appeal).where(Appeal.case_id == case_id).order_by(Appeal.id.desc()).limit(1)
        ),
        _earlier(case),
        strikes,
        possible(kind, can_hide=thing is not None and thing.can_hide),
    )


def canned_for(deeds: Sequence[Deed]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(decision, [(code, label), …]): the texts to choose from."""
    return [
        (deed.value, [(one.code, one.text) for one in CANNED.values() if deed in one.deeds]) for deed in deeds
    ]


def strikes_of(author: Any, now: datetime) -> Any:
    """How many strikes against ``author`` (a person's id, or a case's column of it) count at ``now``: a subquery."""
    other = aliased(ModerationCase)
    since = now - policies.current().moderation.strike_period
    return (
        select(func.count())
        .select_from(ModerationAction)
        .join(other, other.id == ModerationAction.case_id)
        .where(
            other.author_id == author,
            ModerationAction.action == Deed.STRIKE.value,
            ModerationAction.undone_at.is_(None),
            ModerationAction.at > since,
        )
        .correlate(ModerationCase)
        .scalar_subquery()
    )


def _reporters(case_id: int) -> Sequence[Reporter]:
    """Its flags, oldest first, each with what became of its reporter's flags. Two statements."""
    rows = db.session.execute(
        select(Flag, Person.handle)
        .outerjoin(Person, Person.id == Flag.reporter_id)
        .where(Flag.case_id == case_id)
        .order_by(Flag.id)
        .limit(MOST_FLAGS)
    ).all()
    people = {flag.reporter_id for flag, _ in rows if flag.reporter_id}
    counted = db.session.execute(
        select(Flag.reporter_id, Flag.outcome, func.count())
        .where(Flag.reporter_id.in_(people), Flag.outcome.is_not(None))
        .group_by(Flag.reporter_id, Flag.outcome)
    ).all()
    tally = {(person, outcome): count for person, outcome, count in counted}
    return [
        Reporter(
            flag,
            REASONS[flag.reason].label,
            handle,
            tally.get((flag.reporter_id, Outcome.UPHELD.value), 0),
            tally.get((flag.reporter_id, Outcome.DISMISSED.value), 0),
        )
        for flag, handle in rows
    ]


def _actions(case_id: int) -> Sequence[Row]:
    undoer = aliased(Person)
    return db.session.execute(
        select(ModerationAction, Person.handle.label("actor"), undoer.handle.label("undoer"))
        .outerjoin(Person, Person.id == ModerationAction.actor_id)
        .outerjoin(undoer, undoer.id == ModerationAction.undone_by)
        .where(ModerationAction.case_id == case_id)
        .order_by(ModerationAction.id.desc())
    ).all()


def _earlier(case: ModerationCase) -> Sequence[Row]:
    """The newest other cases about the author, each with the decision that stands."""
    return db.session.execute(
        select(ModerationCase, ModerationAction.action)
        .outerjoin(
            ModerationAction,
            (ModerationAction.case_id == ModerationCase.id)
            & ModerationAction.undone_at.is_(None)
            & (ModerationAction.action != Deed.AUTO_HIDE.value),
        )
        .where(ModerationCase.author_id == case.author_id, ModerationCase.id != case.id)
        .order_by(ModerationCase.id.desc())
        .limit(MOST_EARLIER)
    ).all()
