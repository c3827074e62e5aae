"""Staff stop a person's spending from the person's page, and nobody decides about their own money."""

from typing import Any

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain.errors import Forbidden, SpendingFrozen
from soulseer.models.disputes import Dispute
from soulseer.models.mail import MailMessage
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.services import (
    dispute_debts,
    dispute_responses,
    holds,
    ledger_check,
    payout_accounts,
    reconciliation_mending,
    staff_holds,
)
from tests import factories
from tests.admin.test_actions import audits
from tests.disputes.planted import lost_dispute
from tests.factories import START
from tests.readings.room import Room
from tests.reconciliation import plant

WHY = "Several cards of other people were tried"


def test_support_stops_a_persons_spending_and_lets_it_go_on(browser: Any) -> None:
    room = Room().start()
    client, staff = room.client.id, browser("support")
    page = f"/admin/people/{client}/"
    assert "Stop spending…" in staff.get(page).text
    assert staff.post(f"{page}let-spend/", reason=WHY).status_code == 409

    answer = staff.post(f"{page}stop-spending/", reason=WHY)
    assert (answer.status_code, answer.location) == (303, page)
    assert room.session.state == "ended"
    with transaction(), pytest.raises(SpendingFrozen, match=WHY):
        holds.refuse_if_frozen(client)
    shown = staff.get(page).text
    assert WHY in shown
    assert "Let spend again…" in shown
    assert "Stop spending…" not in shown
    (entry,) = audits("spending.frozen")
    assert (entry.actor_id, entry.object_id, entry.reason) == (staff.person_id, str(client), WHY)
    assert staff.post(f"{page}stop-spending/", reason=WHY).status_code == 409

    assert staff.post(f"{page}let-spend/", reason="It was a mistake of the bank").status_code == 303
    with transaction():
        assert holds.spending_frozen(client) is None
        mails = db.session.scalars(select(MailMessage.template).where(MailMessage.person_id == client)).all()
    assert {"spending_stopped", "spending_resumed"} <= set(mails)
    assert len(audits("spending.released")) == 1
    assert ledger_check.check() == []


def test_who_may_and_whom(browser: Any) -> None:
    client = factories.person().id
    for role in ("finance", "moderator", "ops"):
        answer = browser(role).post(f"/admin/people/{client}/stop-spending/", reason=WHY)
        assert answer.status_code == 403
    admin = browser("admin")
    assert admin.post(f"/admin/people/{admin.person_id}/stop-spending/", reason=WHY).status_code == 403
    assert admin.post("/admin/people/999999/stop-spending/", reason=WHY).status_code == 404
    assert admin.post(f"/admin/people/{client}/stop-spending/", reason="short").status_code == 422


def test_nobody_decides_about_their_own_money(app: Any) -> None:
    dispute_id = lost_dispute()
    with transaction():
        debtor = db.session.get_one(Dispute, dispute_id).person_id
    difference = plant.difference("pi_own", "Planted", owner_id=debtor)
    with transaction():
        row = db.session.get_one(ReconciliationDifference, difference)
        proposal = reconciliation_mending.fingerprint(row.proposal)
    for deed in (
        lambda: dispute_debts.write_off(dispute_id, debtor, WHY, START),
        lambda: dispute_responses.record(dispute_id, "accept", debtor, WHY, START),
        lambda: staff_holds.let_go_on(debtor, debtor, WHY, START),
        lambda: payout_accounts.resume(debtor, debtor, WHY, START),
        lambda: reconciliation_mending.approve(difference, proposal, debtor, WHY, START),
    ):
        with pytest.raises(Forbidden), transaction():
            deed()
