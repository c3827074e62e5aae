"""The states, whoever calls; what fits in a form; and what the database itself refuses."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain import onboarding
from soulseer.domain.errors import Conflict, Forbidden, InvalidInput
from soulseer.domain.onboarding import MOVES, Act, IllegalStage, Item, Outcome, Stage, next_stage
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.operations import AuditEntry
from soulseer.services import application_fields, application_reviews, applications
from soulseer.services.application_reviews import Verdict
from tests import factories
from tests.factories import START
from tests.onboarding import planted
from tests.onboarding.planted import GOOD, WHY


def test_only_the_listed_moves_exist_and_what_is_over_stays_over() -> None:
    for stage in Stage:
        for act in Act:
            if (stage, act) in MOVES:
                assert next_stage(stage, act) is MOVES[stage, act]
            else:
                with pytest.raises(IllegalStage):
                    next_stage(stage, act)
    over = {Stage.APPROVED, Stage.REJECTED, Stage.WITHDRAWN}
    assert over == set(Stage) - {stage for stage, _ in MOVES}


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [("2008-11-21", "2026-11-20", 17), ("2008-11-20", "2026-11-20", 18), ("2008-02-29", "2026-02-28", 17),
     ("2008-02-29", "2026-03-01", 18)],
)  # fmt: skip
def test_age_is_counted_to_the_day(born: str, day: str, age: int) -> None:
    assert onboarding.age_on(date.fromisoformat(born), date.fromisoformat(day)) == age


def test_papers_are_warned_of_once_each_and_the_last_day_still_holds() -> None:
    end = date(2026, 12, 31)
    said = [onboarding.warning_due(end, end - timedelta(days=left), None) for left in (31, 30, 8, 7, 0, -1)]
    assert said == [None, 30, 30, 7, 7, None]
    assert onboarding.warning_due(end, end - timedelta(days=29), 30) is None
    assert onboarding.warning_due(end, end - timedelta(days=6), 30) == 7
    assert onboarding.tax_form_expires("w8ben", date(2026, 1, 1)) == date(2029, 12, 31)
    assert onboarding.tax_form_expires("w9", date(2026, 1, 1)) is None


@pytest.mark.parametrize(
    ("step", "typed", "field"),
    [
        ("identity", {"birth_date": "2008-11-21"}, "birth_date"),
        ("identity", {"birth_date": "1826-01-01"}, "birth_date"),
        ("identity", {"birth_date": "31.12.1990"}, "birth_date"),
        ("identity", {"country": "XX"}, "country"),
        ("identity", {"identity_expires_on": "2026-11-20"}, "identity_expires_on"),
        ("identity", {"legal_name": "A\0B"}, "legal_name"),
        ("profile", {"slug": "admin"}, "slug"),
        ("profile", {"slug": "ä b"}, "slug"),
        ("profile", {"slug": "taken"}, "slug"),
        ("profile", {"slug": "asked-for"}, "slug"),
        ("profile", {"languages": "xx"}, "languages"),
        ("profile", {"about": "short"}, "about"),
        ("sample", {"sample": "x" * 6001}, "sample"),
        ("agreement", {"agreement_version": "1999"}, "agreement_version"),
        ("tax", {"tax_form": "w8ben", "tax_signed_on": "2022-12-31"}, "tax_signed_on"),
        ("tax", {"tax_form": "w9", "tax_signed_on": "2026-11-21"}, "tax_signed_on"),
        ("tax", {"tax_form": "none", "tax_signed_on": "2026-11-01"}, "tax_form"),
    ],
)
def test_what_does_not_fit_is_told_by_field(app, step: str, typed: dict, field: str) -> None:
    factories.reader(slug="taken")
    planted.handed_in(slug="asked-for")
    draft = ReaderApplication(person_id=factories.person().id, country="DE")
    _, faults = application_fields.parse(step, {name: [value] for name, value in typed.items()}, draft, START)
    assert field in faults


def test_one_application_at_a_time_and_again_from_the_day_on(app) -> None:
    person = factories.person()
    made = planted.handed_in(person)
    with transaction():
        assert applications.begin(person.id, START).id == made.id
    staff = factories.person("support").id
    later = START.date() + timedelta(days=90)
    with transaction():
        application_reviews.reject(made.id, staff, "full", "Come back in spring", later, WHY, START)
    with transaction(), pytest.raises(Conflict, match="18 February 2027"):
        applications.begin(person.id, START)
    with transaction():
        again = applications.begin(person.id, START + timedelta(days=90))
        assert (again.state, again.legal_name, again.agreement_version) == ("draft", made.legal_name, None)
    with transaction():
        applications.withdraw(person.id, START + timedelta(days=91))
        applications.withdraw(person.id, START + timedelta(days=91))
    reader = factories.reader().person_id
    with transaction(), pytest.raises(Conflict, match="reader already"):
        applications.begin(reader, START)


def test_nobody_decides_about_themselves_and_the_interviewer_does_not_approve(app) -> None:
    staff, other = factories.person("support"), factories.person("admin")
    own = planted.handed_in(staff)
    for deed in (
        lambda: application_reviews.record(
            own.id, staff.id, Verdict(Item.IDENTITY, Outcome.PASSED), WHY, START
        ),
        lambda: application_reviews.ask_more(own.id, staff.id, ["sample"], "Some more words", WHY, START),
        lambda: application_reviews.reject(
            own.id, staff.id, "full", "", START.date() + timedelta(1), WHY, START
        ),
        lambda: application_reviews.approve(own.id, staff.id, WHY, START),
    ):
        with pytest.raises(Forbidden), transaction():
            deed()
    planted.checked(own.id, other.id)
    with pytest.raises(Forbidden, match="led the talk"), transaction():
        application_reviews.approve(own.id, other.id, WHY, START)
    third = factories.person("admin").id
    with transaction():
        application_reviews.approve(own.id, third, WHY, START)


def test_every_item_is_passed_or_waived_with_words_before_anybody_is_approved(app) -> None:
    made, staff, admin = planted.handed_in(), factories.person("support").id, factories.person("admin").id
    planted.checked(made.id, staff, but=(Item.PAYOUT, Item.TEST_READING))
    with pytest.raises(Conflict, match="test reading, payout"), transaction():
        application_reviews.approve(made.id, admin, WHY, START)
    poor = GOOD | {"care": 1}
    for scores in (poor, {}, GOOD | {"care": 9}):
        verdict = Verdict(Item.TEST_READING, Outcome.PASSED, scores)
        with pytest.raises(InvalidInput), transaction():
            application_reviews.record(made.id, staff, verdict, WHY, START)
    with transaction():
        application_reviews.record(
            made.id, staff, Verdict(Item.TEST_READING, Outcome.FAILED, poor), WHY, START
        )
        application_reviews.record(made.id, staff, Verdict(Item.PAYOUT, Outcome.WAIVED), WHY, START)
    with pytest.raises(Conflict, match="test reading"), transaction():
        application_reviews.approve(made.id, admin, WHY, START)
    verdict = Verdict(Item.PAYOUT, Outcome.PASSED, link="javascript:alert(1)")
    with pytest.raises(InvalidInput, match="https"), transaction():
        application_reviews.record(made.id, staff, verdict, WHY, START)
    with transaction():
        application_reviews.record(
            made.id, staff, Verdict(Item.TEST_READING, Outcome.PASSED, GOOD), WHY, START
        )
        application_reviews.approve(made.id, admin, WHY, START)
    told = db.session.query(AuditEntry).filter_by(action="application.approve").one()
    assert told.details["test_reading"] == "passed"
    assert told.details["payout"] == "waived"


REFUSED = (
    "UPDATE reader_application SET state = 'approved', decided_at = now(), decided_by = {staff} WHERE id = {waiting}",
    "UPDATE reader_application SET state = 'draft' WHERE id = {waiting}",
    "UPDATE reader_application SET person_id = {staff} WHERE id = {waiting}",
    "UPDATE reader_application SET sample = 'other words' WHERE id = {over}",
    "UPDATE reader_application SET state = 'in_review' WHERE id = {over}",
    "DELETE FROM reader_application WHERE id = {waiting}",
    "UPDATE application_check SET outcome = 'failed', note = 'rewritten later' WHERE application_id = {over}",
    "DELETE FROM application_check",
    "DELETE FROM reader_gate",
    "DELETE FROM reader_paper",
    "DELETE FROM file_access",
    "INSERT INTO reader_application (person_id, state, state_since, legal_name, display_name, languages, specialties, about, "
    "sample, wanted, wanted_words, reject_words, created_at) SELECT person_id, 'draft', now(), '', '', '[]', '', '', '', '[]', '', "
    "'', now() FROM reader_application WHERE id = {waiting}",
)  # fmt: skip


def test_the_database_refuses_what_the_rules_forbid(app) -> None:
    waiting, over, staff = planted.handed_in(), planted.approved(), factories.person("admin").id
    names = {"waiting": waiting.id, "over": over.id, "staff": staff}
    for statement in REFUSED:
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(text(statement.format(**names)))
    db.session.rollback()
