"""Cases: taken by one at a time, decided with what follows, undone exactly, appealed to another moderator."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import psycopg
import pytest
from sqlalchemy import func, select

from soulseer.db import db, transaction
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput
from soulseer.domain.moderation import Deed
from soulseer.jobs import lift_suspensions
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.models.moderation import Appeal, Flag, ModerationAction, ModerationCase
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.services import case_appeals, case_decisions, cases, console_cases, ledger_check, mail_texts
from soulseer.services.case_decisions import Decision
from tests import factories
from tests.factories import START
from tests.moderation import planted
from tests.readings.room import Room

WHY = "Read twice, and beside the rules"
LATER = START + timedelta(minutes=16)


@pytest.fixture
def moderators(app) -> tuple[int, int]:
    return factories.person("moderator").id, factories.person("moderator").id


def decide(case_id: int, actor_id: int, deed: str, **more: object) -> ModerationAction:
    canned = {
        "dismiss": "nothing_wrong", "hide": "hidden", "edit_out": "edited", "warn": "please_stop",
        "strike": "strike", "suspend": "pause", "ban": "goodbye",
    }  # fmt: skip
    values = {"policy": "respect", "canned": canned[deed]} | more
    with transaction():
        return case_decisions.decide(case_id, actor_id, Decision(Deed(deed), WHY, **values), START)  # type: ignore[arg-type]


def undo(case_id: int, actor_id: int) -> None:
    with transaction():
        case_decisions.undo(case_id, actor_id, WHY, START)


def letters(person_id: int) -> list[str]:
    """The subjects and texts of what the person was sent, oldest first; every one can be written."""
    db.session.rollback()
    rows = db.session.scalars(
        select(MailMessage).where(MailMessage.person_id == person_id).order_by(MailMessage.id)
    )
    return [
        f"{written.subject}\n{written.text}"
        for row in rows
        for written in [mail_texts.write(row.template, row.values, handle="somebody", time_zone="UTC")]
    ]


def audits() -> list[str]:
    db.session.rollback()
    kept = AuditEntry.action.like("case.%") | AuditEntry.action.like("person.susp%")
    return list(db.session.scalars(select(AuditEntry.action).where(kept).order_by(AuditEntry.id)))


def test_two_moderators_at_once_one_gets_it(app, moderators) -> None:
    seen = planted.reading()
    case_id = planted.flag("review", seen.review_id, seen.reader.person_id)
    together = Barrier(2)

    def take(actor_id: int) -> str:
        with app.app_context():
            together.wait()
            try:
                with transaction():
                    return str(cases.claim(case_id, actor_id, START).claimed_by)
            except Conflict as refused:
                return refused.detail

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(take, moderators))
    assert said[0] in map(str, moderators)
    assert "has this case until 12:15 UTC" in said[1]
    # It is theirs for a while only.
    with transaction():
        cases.claim(case_id, moderators[0], LATER)
    with transaction():
        cases.claim(case_id, moderators[1], LATER + timedelta(minutes=16))


def test_next_gives_each_moderator_another_case_the_pressing_first(app, moderators) -> None:
    readings = [planted.reading() for _ in range(3)]
    for seen, reason in zip(readings, ("spam", "threat", "insult"), strict=True):
        planted.flag("review", seen.review_id, seen.reader.person_id, reason)
    together = Barrier(2)

    def take(actor_id: int) -> int | None:
        with app.app_context():
            together.wait()
            with transaction():
                return cases.take_next(actor_id, START)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, moderators)) == [2, 3]
    with transaction():
        assert cases.take_next(moderators[0], START) == 1
    with transaction():
        assert cases.take_next(moderators[1], START) is None
    with transaction():
        cases.release(1, moderators[0], START)
    assert [row.ModerationCase.id for row in console_cases.listing(console_cases.Window()).rows] == [2, 3, 1]


def test_nobody_decides_about_themselves_what_they_flagged_or_staff(app, moderators) -> None:
    seen = planted.reading()
    own = planted.flag("review", seen.review_id, moderators[0])
    with pytest.raises(Forbidden, match="yourself"):
        decide(own, moderators[0], "dismiss")
    about = planted.flag("profile", moderators[0], seen.client.id)
    with pytest.raises(Forbidden, match="about you"):
        decide(about, moderators[0], "dismiss")
    with pytest.raises(Forbidden, match="admin"):
        decide(about, moderators[1], "strike")
    decide(about, factories.person("admin").id, "strike")
    with transaction():
        cases.claim(own, moderators[1], START)
    with pytest.raises(Conflict, match="has this case"):
        decide(own, factories.person("moderator").id, "dismiss")


def test_what_does_not_fit_is_refused_and_changes_nothing(app, moderators) -> None:
    seen = planted.reading()
    case_id = planted.flag("session", seen.session_id, seen.client.id)
    for deed, more in (
        ("hide", {}), ("edit_out", {}), ("warn", {"policy": "mine"}), ("warn", {"canned": "hidden"}),
        ("suspend", {}), ("suspend", {"ends_at": START}), ("suspend", {"ends_at": START + timedelta(days=400)}),
        ("warn", {"words": "x" * 1001}),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            decide(case_id, moderators[0], deed, **more)
    assert audits() == []
    assert db.session.scalar(select(func.count()).select_from(ModerationAction)) == 0


def test_hidden_and_dismissed_and_what_both_sides_are_told(app, moderators) -> None:
    seen = planted.reading()
    hidden = planted.flag("review", seen.review_id, seen.reader.person_id)
    decide(hidden, moderators[0], "hide", words="Please keep to what happened.")
    dismissed = planted.flag("message", seen.message, seen.client.id)
    decide(dismissed, moderators[0], "dismiss")
    db.session.rollback()
    assert db.session.get_one(Review, seen.review_id).hidden_at == START
    assert db.session.get_one(ReaderProfile, seen.reader.person_id).rating_count == 0
    assert dict(db.session.execute(select(Flag.case_id, Flag.outcome)).all()) == {
        hidden: "upheld",
        dismissed: "dismissed",
    }
    to_author, to_reporter = letters(seen.client.id)
    assert "no longer shown" in to_author
    assert "Please keep to what happened." in to_author
    assert "/safety/decisions/" in to_author
    assert "too little to act on" in to_reporter
    assert [line.partition("\n")[0] for line in letters(seen.reader.person_id)] == [
        "What came of your report"
    ]
    with pytest.raises(Conflict):
        decide(hidden, moderators[1], "dismiss")


@pytest.mark.parametrize("kind", ["review", "message", "profile"])
def test_what_was_edited_out_comes_back_by_undoing(app, moderators, kind: str) -> None:
    seen = planted.reading()
    object_id = {"review": seen.review_id, "message": seen.message, "profile": seen.reader.person_id}[kind]
    case_id = planted.flag(kind, object_id, factories.person().id if kind != "message" else seen.client.id)
    field = "headline" if kind == "profile" else "text"
    content = console_cases.shown(case_id, START)
    before = content.thing.snapshot
    decide(case_id, moderators[0], "edit_out", field=field, text="Words that fit", also_hide=True)
    db.session.rollback()
    shown = console_cases.shown(case_id, START)
    assert shown.thing.snapshot[field] == "Words that fit"
    assert (shown.changed, shown.thing.hidden) == ({field}, False)
    undo(case_id, moderators[1])
    db.session.rollback()
    assert console_cases.shown(case_id, START).thing.snapshot == before
    assert db.session.get_one(ModerationCase, case_id).state == "open"
    assert set(db.session.scalars(select(Flag.outcome))) == {None}
    with pytest.raises(Conflict, match="no decision"):
        undo(case_id, moderators[1])
    decide(case_id, moderators[1], "dismiss")
    assert audits() == ["case.edit_out", "case.undone", "case.dismiss"]


def test_hidden_by_weight_it_is_shown_again_when_dismissed_and_stays_when_hidden(app, moderators) -> None:
    for deed, hidden in (("dismiss", False), ("hide", True), ("strike", False)):
        seen = planted.reading()
        for _ in range(4):
            case_id = planted.flag("review", seen.review_id, factories.person().id)
        assert db.session.get_one(Review, seen.review_id, populate_existing=True).hidden_at == START
        decide(case_id, moderators[0], deed)
        db.session.rollback()
        assert (db.session.get_one(Review, seen.review_id).hidden_at is not None) is hidden
        assert len(letters(seen.client.id)) == 1
        undo(case_id, moderators[0])
        db.session.rollback()
        assert db.session.get_one(Review, seen.review_id).hidden_at is None
        assert db.session.get_one(ReaderProfile, seen.reader.person_id).rating_count == 1


def test_a_suspension_ends_the_reading_hides_the_reader_and_is_over_by_itself(app, moderators) -> None:
    room = Room().start()
    case_id = planted.flag("profile", room.reader.person_id, factories.person().id)
    decide(case_id, moderators[0], "suspend", ends_at=START + timedelta(days=3))
    assert (room.session.state, room.session.end_reason) == ("ended", "staff_ended")
    reader, person = reader_of(room.reader.person_id)
    assert (reader.status, reader.listed, reader.online) == ("suspended", False, False)
    assert (person.suspended_at, person.suspended_until) == (START, START + timedelta(days=3))
    assert lift_suspensions.run(JobContext(now=START + timedelta(days=2)))["lifted"] == 0
    assert lift_suspensions.run(JobContext(now=START + timedelta(days=3)))["lifted"] == 1
    assert lift_suspensions.run(JobContext(now=START + timedelta(days=3)))["lifted"] == 0
    reader, person = reader_of(room.reader.person_id)
    assert (reader.status, reader.listed, reader.online) == ("verified", True, False)
    assert (person.suspended_at, person.suspended_until, person.suspended_reason) == (None, None, None)
    assert ledger_check.check() == []
    assert audits() == ["person.suspended", "case.suspend", "person.suspension_lifted"]


def reader_of(person_id: int) -> tuple[ReaderProfile, Person]:
    db.session.rollback()
    return db.session.get_one(ReaderProfile, person_id), db.session.get_one(Person, person_id)


def test_a_ban_is_for_good_and_undone_exactly(app, moderators) -> None:
    seen = planted.reading()
    case_id = planted.flag("review", seen.review_id, seen.reader.person_id)
    decide(case_id, moderators[0], "ban", also_hide=True)
    db.session.rollback()
    person = db.session.get_one(Person, seen.client.id)
    assert (person.suspended_at, person.suspended_until) == (START, None)
    assert db.session.get_one(Review, seen.review_id).hidden_at == START
    undo(case_id, moderators[1])
    db.session.rollback()
    person = db.session.get_one(Person, seen.client.id)
    assert (person.suspended_at, person.suspended_reason) == (None, None)
    assert db.session.get_one(Review, seen.review_id).hidden_at is None


def test_three_strikes_propose_and_do_not_suspend(app, moderators) -> None:
    client = factories.person()
    for number in range(3):
        reader = factories.reader()
        case_id = planted.flag("profile", client.id, reader.person_id)
        decide(case_id, moderators[0], "strike")
        shown = console_cases.shown(case_id, START)
        assert (shown.strikes, shown.proposed) == (number + 1, number == 2)
    db.session.rollback()
    assert db.session.get_one(Person, client.id).suspended_at is None
    undo(case_id, moderators[0])
    assert console_cases.shown(case_id, START).strikes == 2
    assert console_cases.shown(case_id, START + timedelta(days=200)).strikes == 0


# Appeals -----------------------------------------------------------------------------------------------------------------


def appealed(actor_id: int, deed: str = "hide") -> tuple[planted.Reading, int, str]:
    seen = planted.reading()
    case_id = planted.flag("review", seen.review_id, seen.reader.person_id)
    code = decide(case_id, actor_id, deed).appeal_code
    for _ in range(2):
        with transaction():
            case_appeals.appeal(code, "It is what happened.", START)
    return seen, case_id, code


def test_an_appeal_goes_to_another_moderator(app, moderators, environment) -> None:
    seen, case_id, code = appealed(moderators[0])
    with transaction():
        assert cases.take_next(moderators[0], START) is None
    for refused in (
        lambda: cases.claim(case_id, moderators[0], START),
        lambda: judge(case_id, moderators[0], overturn=True),
    ):
        with pytest.raises(Forbidden, match="your own decision"), transaction():
            refused()
    with pytest.raises(Conflict, match="appeal"):
        undo(case_id, moderators[1])
    # Whatever a program does, the database refuses the one who decided.
    with (
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="another_moderator"),
    ):
        connection.execute(
            "UPDATE appeal SET state = 'upheld', decided_by = decider_id, decided_at = created_at"
        )
    with transaction():
        assert cases.take_next(moderators[1], START) == case_id
    with transaction():
        judge(case_id, moderators[1], overturn=True)
    db.session.rollback()
    assert db.session.get_one(Review, seen.review_id).hidden_at is None
    assert db.session.get_one(ModerationCase, case_id).state == "decided"
    assert set(db.session.scalars(select(Flag.outcome))) == {"dismissed"}
    assert case_appeals.decision(code).appeal.state == "overturned"
    assert "took it back" in letters(seen.client.id)[-1]
    assert "took that back" in letters(seen.reader.person_id)[-1]
    assert audits()[-1] == "case.appeal_overturned"


def judge(case_id: int, actor_id: int, *, overturn: bool) -> Appeal:
    return case_appeals.decide(
        case_id, actor_id, overturn=overturn, answer="We have read it again.", reason=WHY, now=START
    )


def test_an_appeal_that_is_not_right_leaves_all_as_it_is_and_comes_once(app, moderators) -> None:
    seen, case_id, code = appealed(moderators[0])
    with transaction():
        judge(case_id, moderators[1], overturn=False)
    db.session.rollback()
    assert db.session.get_one(Review, seen.review_id).hidden_at == START
    assert set(db.session.scalars(select(Flag.outcome))) == {"upheld"}
    assert "stands" in letters(seen.client.id)[-1]
    with transaction():
        assert case_appeals.appeal(code, "Once more.", START).state == "upheld"
    with pytest.raises(Conflict), transaction():
        judge(case_id, moderators[1], overturn=True)


GUARDED = (
    "UPDATE flag SET note = 'other'",
    "UPDATE flag SET snapshot = '{}'",
    "UPDATE moderation_action SET actor_id = 2",
    "UPDATE moderation_action SET details = '{}'",
    "UPDATE appeal SET decider_id = author_id",
    "UPDATE moderation_case SET author_id = author_id + 1",
    "UPDATE moderation_case SET state = 'open', decided_at = NULL",
    "DELETE FROM flag",
    "DELETE FROM moderation_case",
    "TRUNCATE moderation_action CASCADE",
)


def test_the_database_keeps_what_was_flagged_and_decided(app, moderators, environment) -> None:
    appealed(moderators[0])
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        for statement in GUARDED:
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
