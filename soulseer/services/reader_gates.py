"""The two gates of a reader, each by itself: whether clients find them (listed), whether they are paid out (payable)."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer.db import db
from soulseer.domain.errors import Conflict, Forbidden, NotFound
from soulseer.domain.moderation import Deed
from soulseer.domain.onboarding import PAPERS, Gate, Paper
from soulseer.models.moderation import ModerationAction, ModerationCase
from soulseer.models.onboarding import ReaderGate, ReaderPaper
from soulseer.models.readers import ReaderProfile
from soulseer.services import audit, mail, waiting


def of(person_id: int) -> dict[Gate, ReaderGate]:
    """What was decided of the reader's gates; where nothing ever was, there is no row."""
    rows = db.session.scalars(
        select(ReaderGate).where(ReaderGate.person_id == person_id).execution_options(populate_existing=True)
    )
    return {Gate(row.gate): row for row in rows}


def closed_gate(person_id: int, gate: Gate) -> ColumnElement[bool]:
    """The condition that finds the reader's gate where it is closed; its ``reason`` is in words that the reader reads."""
    return and_(ReaderGate.person_id == person_id, ReaderGate.gate == gate.value, ReaderGate.open.is_(False))


def listed_again(person_id: int, was: bool, *, hidden: bool | None = None) -> bool:
    """Whether a reader is listed once a suspension or a moderator's decision is taken back: as the gate stands now, and
    where nothing was ever decided of it, as it ``was`` before. ``hidden``: whether a moderator still hides the profile,
    None: look."""
    found = of(person_id).get(Gate.LISTED)
    if found is None:
        return was
    return found.open and not (_hidden_by_moderator(person_id) if hidden is None else hidden)


def close_by_staff(person_id: int, gate: Gate, actor_id: int, reason: str, now: datetime) -> None:
    """Close a gate; the reader reads ``reason``. Raises NotFound, Forbidden for one's own, Conflict where staff have."""
    reader = _reader(person_id, actor_id)
    found = of(person_id).get(gate)
    if found is not None and not found.open and found.cause == "staff":
        raise Conflict("Staff have closed this gate already.")
    _set(reader, gate, False, "staff", reason, actor_id, now)


def open_by_staff(person_id: int, gate: Gate, actor_id: int, reason: str, now: datetime) -> None:
    """Open a gate again. Raises NotFound, Forbidden for one's own, Conflict where it is open or something else keeps it
    closed: a paper that ran out, a suspension, a moderator's decision."""
    reader = _reader(person_id, actor_id)
    found = of(person_id).get(gate)
    if found is None or found.open:
        raise Conflict("This gate is open.")
    over = [PAPERS[paper][0] for paper in expired(person_id) if PAPERS[paper][1] is gate]
    if over:
        raise Conflict(f"First renew: {', '.join(over)}.")
    _set(reader, gate, True, "staff", reason, actor_id, now)


def open_for_approved(reader: ReaderProfile, gate: Gate, actor_id: int, reason: str, now: datetime) -> None:
    """Open a gate with an approval; its own mail tells it."""
    _set(reader, gate, True, "approved", reason, actor_id, now, quietly=True)


def close_over_paper(
    person_id: int, paper: Paper, words: str, now: datetime, *, quietly: bool = False
) -> None:
    """Close the gate of a paper that has run out or is not there; one that staff closed stays theirs."""
    gate = PAPERS[paper][1]
    reader = _locked(person_id)
    found = of(person_id).get(gate)
    if found is None or found.open:
        _set(reader, gate, False, "paper", words, None, now, quietly=quietly)


def open_over_paper(person_id: int, paper: Paper, now: datetime) -> None:
    """A paper is valid again: the gate opens, if papers alone had closed it and none of its is missing."""
    gate = PAPERS[paper][1]
    reader = _locked(person_id)
    found = of(person_id).get(gate)
    if found is None or found.open or found.cause != "paper":
        return
    if not any(PAPERS[over][1] is gate for over in expired(person_id)):
        _set(reader, gate, True, "paper", "", None, now)


def expired(person_id: int) -> list[Paper]:
    """The reader's papers that have run out."""
    kinds = db.session.scalars(
        select(ReaderPaper.kind).where(
            ReaderPaper.person_id == person_id, ReaderPaper.expired_at.is_not(None)
        )
    )
    return [Paper(kind) for kind in kinds]


def _reader(person_id: int, actor_id: int) -> ReaderProfile:
    if actor_id == person_id:
        raise Forbidden("Somebody else must decide about your own gates.")
    return _locked(person_id)


def _locked(person_id: int) -> ReaderProfile:
    found: ReaderProfile | None = db.session.get(
        ReaderProfile, person_id, with_for_update=True, populate_existing=True
    )
    if found is None:
        raise NotFound(f"Person {person_id} is no reader.")
    return found


def _set(
    reader: ReaderProfile,
    gate: Gate,
    opened: bool,
    cause: str,
    reason: str,
    actor_id: int | None,
    now: datetime,
    *,
    quietly: bool = False,
) -> None:
    values = {"open": opened, "cause": cause, "reason": reason, "actor_id": actor_id, "since": now}
    if gate is Gate.LISTED:
        _list(reader, opened, strictly=cause != "paper")
    db.session.flush()
    db.session.execute(
        upsert(ReaderGate)
        .values(person_id=reader.person_id, gate=gate.value, **values)
        .on_conflict_do_update(index_elements=["person_id", "gate"], set_=values)
    )
    word = "opened" if opened else "closed"
    audit.record(
        f"gate.{word}", "person", reader.person_id, now, actor_id=actor_id, reason=reason,
        details={"gate": gate.value, "cause": cause},
    )  # fmt: skip
    if gate is Gate.LISTED and not opened and waiting.someone_waits(reader.person_id):
        waiting.wake(reader.person_id, now)
    if not quietly:
        mail.queue(
            reader.person_id,
            f"gate_{word}",
            {"gate": gate.value, "reason": reason},
            now,
            key=f"gate_{word}:{reader.person_id}:{gate}:{int(now.timestamp() * 1_000_000)}",
        )


def _list(reader: ReaderProfile, listed: bool, *, strictly: bool) -> None:
    """Show the reader or not. Where something else than this gate hides them, they stay hidden; ``strictly``, that raises
    Conflict."""
    hidden = None
    if listed and reader.status != "verified":
        hidden = f"This reader is {reader.status}, and is not listed before that is lifted."
    elif listed and _hidden_by_moderator(reader.person_id):
        hidden = "A moderator hides this profile; its case must be undone first."
    if hidden and strictly:
        raise Conflict(hidden)
    reader.listed = listed and hidden is None
    if not listed:
        reader.online = False


def _hidden_by_moderator(person_id: int) -> bool:
    standing = (
        select(ModerationAction.id)
        .join(ModerationCase, ModerationCase.id == ModerationAction.case_id)
        .where(
            ModerationCase.kind == "profile",
            ModerationCase.author_id == person_id,
            ModerationAction.action.in_((Deed.HIDE.value, Deed.AUTO_HIDE.value)),
            ModerationAction.undone_at.is_(None),
        )
    )
    return db.session.scalar(standing.limit(1)) is not None
