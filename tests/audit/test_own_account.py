"""Nobody acts on their own account: every thing that an action is about, and the actions that no service refused by itself."""

import pytest
from flask import Flask
from sqlalchemy import inspect

from soulseer.db import db, transaction
from soulseer.domain.errors import Forbidden
from soulseer.models.operations import AuditEntry
from soulseer.models.payments import TopUp
from soulseer.models.people import PersonRole
from soulseer.models.readings import ReadingSession
from soulseer.models.refunds import Refund
from soulseer.services import audit, audit_changes, own_account, refunds
from tests.admin.conftest import Browser, browser, sign_in  # noqa: F401 - the fixture
from tests.admin.world import World, build
from tests.factories import START, person

REASON = "long enough a reason"


@pytest.fixture
def world(app: Flask) -> World:
    return build()


def concerned(row: object) -> set[int]:
    return {getattr(row, name) for name in audit_changes.WHOM if getattr(row, name, None) is not None}


def test_no_entry_about_oneself_whatever_the_thing(world: World) -> None:
    """One of each kind of thing, by each person whom it concerns; somebody else may."""
    tried = set()
    for kind, model in audit_changes.THINGS.items():
        rows = db.session.scalars(db.select(model)).all()
        for row in rows:
            number = inspect(row).identity[0]
            people = {number} if kind in ("person", "reader") else concerned(row)
            for person_id in sorted(people):
                for actor_id, refused in ((person_id, True), (max(people) + 1_000, False)):
                    tried.add((kind, refused))
                    db.session.rollback()
                    own_account.acting(actor_id)
                    entry = AuditEntry(
                        actor_id=actor_id, action="tried", object_type=kind, object_id=str(number)
                    )
                    assert own_account.is_watched(db.session(), entry)
                    found = audit_changes.whom_it_concerns(db.session(), kind, number)
                    assert (actor_id in found) is refused, (kind, number)
    db.session.rollback()
    kinds = {kind for kind, refused in tried if refused}
    assert kinds >= {"application", "dispute", "moderation_case", "payout", "payout_account", "person", "promotional_credit",
                     "reader", "reading_session", "refund", "subscription", "top_up"}  # fmt: skip


def test_the_entry_is_refused_and_with_it_the_deed(world: World) -> None:
    row = db.session.get_one(TopUp, world.top_up)
    client = row.person_id

    def deed() -> None:
        with transaction():
            own_account.acting(client)
            db.session.get_one(TopUp, world.top_up).failure = "changed"
            audit.record("tried", "top_up", world.top_up, START, actor_id=client)

    with pytest.raises(Forbidden):
        deed()
    db.session.expire_all()
    assert db.session.get_one(TopUp, world.top_up).failure != "changed"


def test_actions_about_ones_own_things_are_refused_at_the_door(app: Flask, world: World) -> None:
    live = db.session.get_one(ReadingSession, world.live)
    over = db.session.get_one(ReadingSession, world.over)
    actions = world.actions()
    own = {
        live.client_id: ["end_session"],
        live.reader_id: ["end_session"],
        over.client_id: ["stop_spending", "cancel_subscription"],
        world.paid_reader: ["retry_payout", "pause_payouts", "resume_payouts"],
    }
    with transaction():
        db.session.add_all([PersonRole(person_id=person_id, role="admin") for person_id in own])
    before = db.session.scalar(db.select(db.func.count()).select_from(AuditEntry))
    for person_id, names in own.items():
        staff = Browser(sign_in(app, person_id), person_id)
        token = staff.token()
        for name in names:
            answer = staff.post(actions[name], token, reason=REASON, **FORMS.get(name, {}))
            assert answer.status_code == 403, (name, answer.status_code)
    db.session.rollback()
    assert db.session.scalar(db.select(db.func.count()).select_from(AuditEntry)) == before


FORMS = {"cancel_subscription": {"way": "period_end"}}


def test_an_approved_refund_tells_who_approved_and_what_changed(world: World) -> None:
    asked = db.session.get_one(Refund, world.refund)
    client, plan, approver = asked.person_id, asked.plan_hash, person("finance")
    with transaction():
        refunds.approve(world.refund, plan, approver.id, REASON, START)
    entry = db.session.scalars(
        db.select(AuditEntry)
        .where(AuditEntry.object_type == "refund")
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).one()
    assert (entry.approver_id, entry.subject_id) == (approver.id, client)
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["state"], entry.after["state"]) == ("requested", "settled")
    assert entry.after["decided_by"] == approver.id
