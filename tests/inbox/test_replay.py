"""Replay by hand: what was set aside or failed is acted on again, with a reason and an audit row, and credits once."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.models.operations import AuditEntry
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.sandbox.stripe.work import new_id
from soulseer.services import replays, webhooks
from tests import factories
from tests.admin.conftest import Browser
from tests.money_in import events
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import as_event, begun, deliver, postings, row_of, statuses, wallet_of, work

WHY = "The secret of the live mode was set by mistake"
Staff = Callable[..., Browser]


def audits() -> list[AuditEntry]:
    with transaction():
        query = select(AuditEntry).where(AuditEntry.action == "webhook_event.replayed")
        return list(db.session.scalars(query.order_by(AuditEntry.id)))


def set_aside(sandbox: Sandbox) -> tuple[int, int]:
    """A paid top-up whose event was quarantined, since our row of it was not there then: (event's row, person)."""
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "").raise_for_status()
    paid = next(c for c in sandbox.checkouts() if c["id"] == made.stripe_checkout_session_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateways.current().stripe, "livemode", True)
        deliver(sandbox, as_event(paid, f"evt_{person.id}"))
        assert work(event=str(row_of(f"evt_{person.id}").id)) == {"quarantined": 1}
    return row_of(f"evt_{person.id}").id, person.id


@pytest.mark.parametrize("role", ["finance", "ops", "admin"])
def test_a_quarantined_event_is_replayed_and_credits_once(
    sandbox: Sandbox,
    browser: Staff,
    role: str,
) -> None:
    row_id, person_id = set_aside(sandbox)
    staff = browser(role)
    shown = staff.get(f"/admin/webhooks/{row_id}/").text
    assert "Replay it" in shown
    answer = staff.post(f"/admin/webhooks/{row_id}/replay/", reason=WHY)
    assert (answer.status_code, answer.location) == (303, f"/admin/webhooks/{row_id}/")
    (entry,) = audits()
    assert (entry.actor_id, entry.object_id, entry.reason) == (staff.person_id, str(row_id), WHY)
    assert entry.details["was"] == "quarantined"
    assert "livemode" in entry.details["said"]
    assert gateways.current().queue.queue("payments").count == 1
    assert work()["processed"] == 1
    assert wallet_of(person_id) == Decimal("25.00")
    # It is done: it cannot be replayed again, and the page does not offer it.
    assert staff.post(f"/admin/webhooks/{row_id}/replay/", reason=WHY).status_code == 409
    after = staff.get(f"/admin/webhooks/{row_id}/").text
    assert "Replay it" not in after
    assert WHY in after
    assert (len(audits()), len(postings())) == (1, 1)


def test_what_still_does_not_fit_is_set_aside_again(sandbox: Sandbox, browser: Staff) -> None:
    deliver(sandbox, as_event({"id": "cs_test_nobody", "object": "checkout.session"}, "evt_1"))
    work()
    row = row_of("evt_1")
    staff = browser("ops")
    for times in (1, 2):
        assert staff.post(f"/admin/webhooks/{row.id}/replay/", reason=WHY).status_code == 303
        assert row_of("evt_1").attempts == 0
        assert work() == {"quarantined": 1}
        assert len(audits()) == times
    assert events.alerts() == ["webhook_quarantined:evt_1"]
    assert postings() == []


def test_an_event_that_was_given_up_gets_all_its_attempts_again(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    browser: Staff,
) -> None:
    deliver(sandbox, as_event({"id": "cs_test_1", "object": "checkout.session"}, "evt_1"))

    def break_down(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    handler = webhooks.HANDLERS["checkout.session.completed"]
    broken = {**webhooks.HANDLERS, "checkout.session.completed": replace(handler, examine=break_down)}
    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "HANDLERS", broken)
        for run in range(webhooks.MOST_ATTEMPTS):
            assert work(later=run * 7 * (webhooks.LAST_RETRY / 6)) == {"error": 1}
    assert row_of("evt_1").next_attempt_at is None
    staff = browser("finance")
    assert staff.post(f"/admin/webhooks/{row_of('evt_1').id}/replay/", reason=WHY).status_code == 303
    assert audits()[0].details["attempts"] == webhooks.MOST_ATTEMPTS
    assert work() == {"quarantined": 1}
    assert row_of("evt_1").attempts == 1


def test_two_replays_at_once_are_one(sandbox: Sandbox, app: Any) -> None:
    row_id, person_id = set_aside(sandbox)
    actor = factories.person("finance").id

    def ask(_: int) -> str:
        try:
            with transaction():
                replays.replay(row_id, actor, WHY, events.clock.now())
        except replays.Conflict:
            return "conflict"
        return "replayed"

    assert sorted(in_threads(app, 4, ask)) == ["conflict", "conflict", "conflict", "replayed"]
    in_threads(app, 2, lambda _: work())
    assert (len(audits()), len(postings()), wallet_of(person_id)) == (1, 1, Decimal("25.00"))


def test_all_that_a_list_shows_is_replayed(sandbox: Sandbox, browser: Staff) -> None:
    aside = [set_aside(sandbox) for _ in range(3)]
    deliver(sandbox, as_event({"id": "ch_1", "object": "charge"}, "evt_other", "charge.updated"))
    work()
    staff = browser("finance")
    listing = staff.get("/admin/webhooks/?status=quarantined&type=checkout.session.completed").text
    assert "Replay all…" in listing
    assert "Replay all…" not in staff.get("/admin/webhooks/").text
    refused = staff.post("/admin/webhooks/replay/", reason=WHY)
    assert refused.status_code == 422
    assert "Narrow the list" in refused.text
    assert staff.post("/admin/webhooks/replay/?status=processed", reason=WHY).status_code == 422
    assert audits() == []
    answer = staff.post(
        "/admin/webhooks/replay/?status=quarantined&type=checkout.session.completed", reason=WHY
    )
    assert answer.status_code == 303
    assert answer.location == "/admin/webhooks/?status=quarantined&type=checkout.session.completed"
    assert "3 events put back" in staff.get(answer.location).text
    assert sorted(int(entry.object_id) for entry in audits()) == sorted(row for row, _ in aside)
    assert work()["processed"] == 3
    assert [wallet_of(person) for _, person in aside] == [Decimal("25.00")] * 3
    assert statuses()["evt_other"] == "ignored"


def test_a_batch_has_an_end_and_says_so(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "MOST_AT_ONCE", 2)
    for number in range(3):
        deliver(sandbox, as_event({"id": "ch_1"}, f"evt_{number}", "charge.updated"))
    work()
    actor, now = factories.person("ops").id, events.clock.now()
    with transaction():
        assert replays.replay_all({"status": "ignored"}, actor, WHY, now) == (2, True)
    with transaction():
        assert replays.replay_all({"status": "ignored"}, actor, WHY, now) == (1, False)
    with transaction():
        assert replays.replay_all({"status": "ignored"}, actor, WHY, now) == (0, False)


def test_agoras_notifications_are_not_replayed(app: Any, browser: Staff) -> None:
    now = events.clock.now()
    with transaction():
        row = WebhookEvent(
            vendor="agora", event_id="n1", type="103", payload=b"{}", status="ignored", received_at=now
        )
        db.session.add(row)
    staff = browser("admin")
    assert "Replay it" not in staff.get(f"/admin/webhooks/{row.id}/").text
    assert staff.post(f"/admin/webhooks/{row.id}/replay/", reason=WHY).status_code == 409


def test_the_page_shows_the_body_escaped_and_leads_to_what_it_is_about(
    sandbox: Sandbox,
    browser: Staff,
) -> None:
    row_id, person_id = set_aside(sandbox)
    with transaction():
        top_up = db.session.scalars(select(TopUp).where(TopUp.person_id == person_id)).one()
    shown = browser("finance").get(f"/admin/webhooks/{row_id}/").text
    assert top_up.stripe_checkout_session_id in shown
    assert f'href="/admin/top-ups/{top_up.id}/"' in shown
    assert 'href="/admin/alerts/' in shown
    hostile = {"id": new_id("ch"), "object": "charge", "note": "<script>alert('x')</script>"}
    deliver(sandbox, as_event(hostile, "evt_hostile", "charge.updated"))
    page = browser("ops").get(f"/admin/webhooks/{row_of('evt_hostile').id}/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert json.loads(row_of("evt_hostile").payload)["data"]["object"] == hostile
