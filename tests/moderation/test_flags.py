"""Flags become cases: one open case a thing, one flag a reporter, the snapshot as it was."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select

from soulseer.db import db, transaction
from soulseer.domain.errors import Forbidden, InvalidInput, NotFound
from soulseer.domain.moderation import weight_of
from soulseer.models.moderation import Flag, ModerationAction, ModerationCase
from soulseer.models.operations import AuditEntry
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile, Review
from soulseer.models.readings import ReadingMessage
from soulseer.services import flags
from tests import factories
from tests.factories import START
from tests.moderation import planted


def test_each_kind_knows_its_author_and_keeps_what_was_seen(app) -> None:
    seen = planted.reading()
    client, reader = seen.client.id, seen.reader.person_id
    names = (db.session.get_one(Person, one).handle for one in (client, reader))
    of_session = "Text reading of {} with {}".format(*names)
    for kind, object_id, reporter, author, word in (
        ("profile", reader, client, reader, "Tarot and time"),
        ("review", seen.review_id, reader, client, "She is a fraud, call me at 555"),
        ("message", seen.message, client, reader, "words 3"),
        ("message", seen.clients_message, reader, client, "words 4"),
        ("session", seen.session_id, client, reader, of_session),
        ("session", seen.session_id, reader, client, of_session),
    ):
        case_id = planted.flag(kind, object_id, reporter, "fraud", note="  look\r\nhere ")
        case = db.session.get_one(ModerationCase, case_id)
        flag = db.session.scalars(select(Flag).where(Flag.case_id == case_id)).one()
        assert (case.kind, case.object_id, case.author_id, case.flag_count) == (
            kind,
            str(object_id),
            author,
            1,
        )
        assert word in flag.snapshot.values()
        assert (flag.note, case.priority, case.weight, flag.weight) == ("look\nhere", 60, 500, 500)
    assert db.session.scalar(select(func.count()).select_from(ModerationCase)) == 6


def test_the_second_click_is_the_same_flag_until_the_content_is_another(app) -> None:
    seen = planted.reading()
    reader = seen.reader.person_id
    first = planted.flag("review", seen.review_id, reader, "spam")
    assert planted.flag("review", seen.review_id, reader, "threat") == first
    assert db.session.get_one(ModerationCase, first).flag_count == 1
    planted.change_review(seen.review_id, "worse words")
    # The case is open and has the reporter's flag: still the same.
    assert planted.flag("review", seen.review_id, reader, "threat") == first
    assert db.session.scalar(select(func.count()).select_from(Flag)) == 1


def test_the_house_flags_a_thing_once_a_reason(app) -> None:
    seen = planted.reading()
    for reason in ("contact_details", "contact_details", "crisis"):
        planted.flag("message", seen.message, None, reason)
    case = db.session.scalars(select(ModerationCase)).one()
    assert (case.flag_count, case.weight, case.priority) == (2, 1000, 90)
    with pytest.raises(InvalidInput, match="whom"):
        planted.flag("session", seen.session_id, None, "crisis")
    assert planted.flag("session", seen.session_id, None, "crisis", about_id=seen.client.id) != case.id


def test_what_cannot_be_flagged(app) -> None:
    seen = planted.reading()
    stranger = factories.person().id
    for kind, object_id, who, expected in (
        ("thread", 1, stranger, NotFound),
        ("review", 10**6, stranger, NotFound),
        ("review", "1; drop", stranger, NotFound),
        ("review", "9" * 30, stranger, NotFound),
        ("message", "17", stranger, NotFound),
        ("message", seen.message, stranger, NotFound),
        ("session", seen.session_id, stranger, NotFound),
        ("review", seen.review_id, seen.client.id, Forbidden),
        ("profile", seen.client.id, seen.client.id, Forbidden),
    ):
        with pytest.raises(expected):
            planted.flag(kind, object_id, who)
    for more in ({"reason": "crisis"}, {"reason": "nonsense"}, {"note": "x" * 1001}, {"note": "a\x00b"}):
        with pytest.raises(InvalidInput):
            planted.flag("review", seen.review_id, stranger, **more)
    assert db.session.scalar(select(func.count()).select_from(ModerationCase)) == 0


def test_many_at_once_make_one_case(app) -> None:
    seen = planted.reading()
    reporters = [factories.person().id for _ in range(6)]
    together = Barrier(12)

    def report(reporter: int) -> int:
        with app.app_context():
            together.wait()
            return planted.flag("review", seen.review_id, reporter)

    with ThreadPoolExecutor(12) as pool:
        cases = set(pool.map(report, reporters * 2))
    db.session.rollback()
    case = db.session.get_one(ModerationCase, cases.pop())
    assert not cases
    assert (case.flag_count, case.weight) == (6, 3000)
    hidden = db.session.scalars(select(ModerationAction)).all()
    assert [one.details for one in hidden] == [{"hidden": {"was_hidden": False}}]
    assert db.session.scalar(select(func.count()).select_from(Flag)) == 6


@pytest.mark.parametrize("kind", ["review", "profile", "message"])
def test_enough_weight_hides_until_somebody_has_looked(app, kind: str) -> None:
    seen = planted.reading()
    object_id = {"review": seen.review_id, "profile": seen.reader.person_id, "message": seen.message}[kind]
    reporters = [factories.person().id for _ in range(4)]
    if kind == "message":
        # Only its two participants see a message: the house's own flags weigh as well.
        for reason in ("contact_details", "crisis", "insult"):
            planted.flag(kind, object_id, None, reason)
        reporters = [seen.client.id]
    for reporter in reporters[:-1]:
        planted.flag(kind, object_id, reporter)
    assert not _hidden(kind, seen)
    planted.flag(kind, object_id, reporters[-1])
    assert _hidden(kind, seen)
    planted.flag(kind, object_id, None, "spam")
    assert len(db.session.scalars(select(ModerationAction)).all()) == 1
    audit = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "case.auto_hidden")).all()
    assert [row.actor_id for row in audit] == [None]


def _hidden(kind: str, seen: planted.Reading) -> bool:
    db.session.rollback()
    if kind == "review":
        reader = db.session.get_one(ReaderProfile, seen.reader.person_id)
        hidden = db.session.get_one(Review, seen.review_id).hidden_at is not None
        assert (reader.rating_sum, reader.rating_count) == ((0, 0) if hidden else (2, 1))
        return hidden
    if kind == "profile":
        return not db.session.get_one(ReaderProfile, seen.reader.person_id).listed
    return db.session.get_one(ReadingMessage, (seen.session_id, 3)).hidden_at is not None


def test_a_reporters_weight_follows_what_became_of_their_flags(app) -> None:
    assert [weight_of(0, 0), weight_of(9, 1), weight_of(0, 8)] == [500, 833, 100]
    seen = planted.reading()
    reporter = factories.person()
    for outcome in ("upheld", "upheld", "dismissed"):
        other = planted.reading()
        case_id = planted.flag("review", other.review_id, reporter.id)
        with transaction():
            db.session.scalars(select(Flag).where(Flag.case_id == case_id)).one().outcome = outcome
    assert flags.accuracy_of(reporter.id) == (2, 1)
    case_id = planted.flag("review", seen.review_id, reporter.id, now=START)
    assert db.session.get_one(ModerationCase, case_id).weight == 600
