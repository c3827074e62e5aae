"""Listed and payable stand apart: closed and opened by staff, by papers that run out, and never by the wrong hand."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from soulseer.db import db, transaction
from soulseer.domain.errors import Conflict, Forbidden
from soulseer.domain.moderation import Deed
from soulseer.domain.onboarding import Gate, Paper
from soulseer.jobs import watch_papers
from soulseer.jobs.context import JobContext
from soulseer.models.mail import MailMessage
from soulseer.models.payouts import PayoutAccount
from soulseer.models.readers import ReaderProfile
from soulseer.services import (
    application_reviews,
    case_decisions,
    payout_accounts,
    payout_rules,
    reader_gates,
    reader_papers,
    suspensions,
)
from soulseer.services.case_decisions import Decision
from soulseer.services.payout_rules import Obstacle
from tests import factories
from tests.factories import START
from tests.moderation import planted as moderation
from tests.onboarding import planted
from tests.onboarding.planted import WHY


def listed(person_id: int) -> bool:
    db.session.rollback()
    return bool(db.session.scalar(select(ReaderProfile.listed).where(ReaderProfile.person_id == person_id)))


def obstacle(person_id: int) -> Obstacle | None:
    db.session.rollback()
    return payout_rules.standing(person_id, payout_accounts.of(person_id)).obstacle


def sweep(day: date) -> dict:
    now = START + (day - START.date())
    return watch_papers.run(JobContext(now=now))


def mails(person_id: int, template: str) -> list[dict]:
    query = select(MailMessage.values).where(
        MailMessage.person_id == person_id, MailMessage.template == template
    )
    return list(db.session.scalars(query.order_by(MailMessage.id)))


def able(person_id: int, **changed) -> None:
    """An account at Stripe that may be sent money."""
    with transaction():
        payout_accounts.begin(person_id, START)
        values = {
            "stripe_account_id": f"acct_{person_id}",
            "details_submitted": True,
            "transfers_enabled": True,
        }
        db.session.execute(
            update(PayoutAccount).where(PayoutAccount.person_id == person_id).values(**values | changed)
        )


def test_staff_close_and_open_each_gate_by_itself(app) -> None:
    reader, staff = planted.approved().person_id, factories.person("support").id
    able(reader)
    assert (listed(reader), obstacle(reader)) == (True, Obstacle.BELOW_MINIMUM)
    with transaction():
        reader_gates.close_by_staff(reader, Gate.PAYABLE, staff, WHY, START)
    assert (listed(reader), obstacle(reader)) == (True, Obstacle.GATE_CLOSED)
    with transaction():
        reader_gates.close_by_staff(reader, Gate.LISTED, staff, WHY, START)
        reader_gates.open_by_staff(reader, Gate.PAYABLE, staff, WHY, START)
    assert (listed(reader), obstacle(reader)) == (False, Obstacle.BELOW_MINIMUM)
    for deed, gate in (
        (reader_gates.close_by_staff, Gate.LISTED),
        (reader_gates.open_by_staff, Gate.PAYABLE),
    ):
        with pytest.raises(Conflict), transaction():
            deed(reader, gate, staff, WHY, START)
    with pytest.raises(Forbidden), transaction():
        reader_gates.open_by_staff(reader, Gate.LISTED, reader, WHY, START)
    assert [told["gate"] for told in mails(reader, "gate_closed")] == ["payable", "listed"]


def test_what_was_never_decided_stays_as_it_was(app) -> None:
    reader = factories.reader().person_id
    able(reader)
    assert obstacle(reader) is Obstacle.BELOW_MINIMUM
    assert sweep(START.date())["closed"] == 0


def test_a_paper_is_warned_of_twice_then_closes_its_gate_and_opens_it_again(app) -> None:
    made = planted.approved(tax_form="w8ben", tax_signed_on=date(2024, 1, 5))
    reader, end = made.person_id, date(2027, 12, 31)
    able(reader)
    # Only the tax form of the two papers is looked at here.
    with transaction():
        reader_papers.keep(reader, Paper.IDENTITY_DOCUMENT, date(2040, 1, 1), START)
    for left, expected in ((31, 0), (30, 1), (29, 0), (7, 1), (6, 0), (0, 0)):
        assert sweep(end - timedelta(days=left))["warned"] == expected, left
    assert [told["days"] for told in mails(reader, "paper_expiring")] == ["30", "7"]
    assert obstacle(reader) is Obstacle.BELOW_MINIMUM
    over = end + timedelta(days=1)
    assert [sweep(over)["closed"] for _ in range(2)] == [1, 0]
    assert (listed(reader), obstacle(reader)) == (True, Obstacle.GATE_CLOSED)
    staff = factories.person("support").id
    later = START + (over - START.date())
    with pytest.raises(Conflict, match="tax form"), transaction():
        reader_gates.open_by_staff(reader, Gate.PAYABLE, staff, WHY, later)
    with transaction():
        reader_papers.sign_tax_form(reader, "w8ben", over, later)
    assert obstacle(reader) is Obstacle.BELOW_MINIMUM
    assert len(mails(reader, "gate_opened")) == 1


def test_a_renewed_paper_opens_no_gate_that_staff_closed(app) -> None:
    reader, staff = planted.approved().person_id, factories.person("support").id
    with transaction():
        reader_gates.close_by_staff(reader, Gate.LISTED, staff, WHY, START)
    day = START.date() + timedelta(days=500)
    assert sweep(day)["closed"] == 1
    later = START + timedelta(days=500)
    with transaction():
        reader_papers.renew(reader, Paper.IDENTITY_DOCUMENT, day + timedelta(days=900), staff, WHY, later)
    assert not listed(reader)
    with transaction():
        reader_gates.open_by_staff(reader, Gate.LISTED, staff, WHY, later)
    assert listed(reader)
    with pytest.raises(Forbidden), transaction():
        reader_papers.renew(reader, Paper.IDENTITY_DOCUMENT, day + timedelta(days=9), reader, WHY, later)


def test_without_a_tax_form_one_is_listed_but_not_paid(app) -> None:
    made = planted.handed_in(tax_form=None, tax_signed_on=None)
    planted.checked(made.id, factories.person("support").id)
    admin = factories.person("admin").id
    with transaction():
        application_reviews.approve(made.id, admin, WHY, START)
    able(made.person_id)
    assert (listed(made.person_id), obstacle(made.person_id)) == (True, Obstacle.GATE_CLOSED)
    with transaction():
        reader_papers.sign_tax_form(made.person_id, "w9", START.date(), START)
    assert obstacle(made.person_id) is Obstacle.BELOW_MINIMUM


def test_what_stripe_newly_wants_has_thirty_days(app) -> None:
    reader = planted.approved().person_id
    able(reader, currently_due=["individual.id_number"])
    today = START.date()
    assert [sweep(today)["noted"] for _ in range(2)] == [1, 0]
    assert [told["kind"] for told in mails(reader, "paper_expiring")] == ["connect"]
    assert sweep(today + timedelta(days=31))["closed"] == 1
    assert obstacle(reader) is Obstacle.GATE_CLOSED
    able(reader, currently_due=[])
    assert sweep(today + timedelta(days=32))["noted"] == 1
    assert obstacle(reader) is Obstacle.BELOW_MINIMUM


def test_neither_a_suspension_s_end_nor_a_moderator_s_undo_opens_a_closed_gate(app) -> None:
    reader, staff = planted.approved().person_id, factories.person("admin").id
    with transaction():
        before = suspensions.suspend(reader, None, WHY, staff, START)
    with pytest.raises(Conflict), transaction():
        reader_gates.open_by_staff(reader, Gate.LISTED, staff, WHY, START)
    with transaction():
        reader_gates.close_by_staff(reader, Gate.LISTED, staff, WHY, START)
    with transaction():
        suspensions.lift(reader, before, WHY, START, actor_id=staff)
    assert not listed(reader)
    with transaction():
        reader_gates.open_by_staff(reader, Gate.LISTED, staff, WHY, START)
    assert listed(reader)


def test_a_profile_that_a_moderator_hides_is_not_listed_by_a_gate(app) -> None:
    reader, staff = planted.approved().person_id, factories.person("admin").id
    case_id = moderation.flag("profile", reader, factories.person().id)
    hide = Decision(Deed.HIDE, WHY, policy="honesty", canned="hidden")
    with transaction():
        case_decisions.decide(case_id, staff, hide, START)
        reader_gates.close_by_staff(reader, Gate.LISTED, staff, WHY, START)
    with pytest.raises(Conflict, match="moderator"), transaction():
        reader_gates.open_by_staff(reader, Gate.LISTED, staff, WHY, START)
    with transaction():
        case_decisions.undo(case_id, staff, WHY, START)
    assert not listed(reader)
