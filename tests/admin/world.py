"""One of everything, with script in every text field that anybody outside may fill."""

import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from soulseer.admin.person_sections import TABS
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.ledger import LedgerAlert, LedgerTransaction
from soulseer.models.operations import AuditEntry, JobRun
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.services import audit, ledger
from soulseer.services.ledger import raise_alert
from tests.disputes.planted import lost_dispute
from tests.factories import START
from tests.moderation.planted import open_case
from tests.onboarding import planted as onboarding
from tests.payouts.planted import open_payout
from tests.promotions.credit import give
from tests.readings.room import Room
from tests.reconciliation import plant
from tests.refunds.planted import waiting_refund
from tests.subscriptions.planted import invoice_of, running_subscription

SCRIPT = "<script>alert('x')</script>\"'{{7*7}}"


@dataclass
class World:
    """Ids of one of everything; ``live`` is a session in its second minute, ``over`` one that is finalized."""

    live: int
    over: int
    client: int
    wallet: int
    transaction: int
    alert: int
    run: int
    webhook: int
    top_up: int
    audit: int
    difference: int
    reconciliation: int
    dispute: int
    subscription: int
    invoice: int
    promotion: int
    refund: int
    payout: int
    paid_reader: int
    case: int
    application: int
    approved: int

    def pages(self) -> dict[str, list[str]]:
        """Every address of the console that is read, by its page in the matrix of permissions."""
        return {
            "dashboard": ["/admin/dashboard/"],
            "search": [
                "/admin/search/",
                f"/admin/search/?q={self.client}",
                "/admin/search/?q=person",
                "/admin/search/suggest/?q=person",
            ],
            "sessions": [
                "/admin/sessions/",
                f"/admin/sessions/{self.live}/",
                f"/admin/sessions/{self.over}/",
            ],
            "people": ["/admin/people/", *self.person_pages()],
            "cases": ["/admin/cases/", f"/admin/cases/{self.case}/"],
            "applications": [
                "/admin/applications/",
                f"/admin/applications/{self.application}/",
                f"/admin/applications/{self.approved}/",
            ],
            "accounts": ["/admin/accounts/", f"/admin/accounts/{self.wallet}/"],
            "transactions": [
                "/admin/transactions/",
                f"/admin/transactions/{self.transaction}/",
                f"/admin/transactions/minutes/{self.over}/1/",
            ],
            "alerts": ["/admin/alerts/", f"/admin/alerts/{self.alert}/"],
            "top_ups": ["/admin/top-ups/", f"/admin/top-ups/{self.top_up}/"],
            "promotions": [
                "/admin/promotions/",
                f"/admin/promotions/{self.promotion}/",
                "/admin/promotions/person/",
            ],
            "subscriptions": ["/admin/subscriptions/", f"/admin/subscriptions/{self.subscription}/"],
            "disputes": ["/admin/disputes/", f"/admin/disputes/{self.dispute}/"],
            "payouts": ["/admin/payouts/", f"/admin/payouts/{self.payout}/"],
            "payout_accounts": ["/admin/payout-accounts/", f"/admin/payout-accounts/{self.paid_reader}/"],
            "differences": ["/admin/differences/", f"/admin/differences/{self.difference}/"],
            "reconciliations": ["/admin/reconciliations/", f"/admin/reconciliations/{self.reconciliation}/"],
            "days": ["/admin/days/"],
            "refunds": [
                "/admin/refunds/",
                f"/admin/refunds/{self.refund}/",
                f"/admin/refunds/new/reading/{self.over}/",
                f"/admin/refunds/new/transaction/{self.transaction}/",
                f"/admin/refunds/new/top_up/{self.top_up}/",
                f"/admin/refunds/new/invoice/{self.invoice}/",
            ],
            "jobs": ["/admin/jobs/", "/admin/jobs/billing_tick/"],
            "runs": ["/admin/runs/", f"/admin/runs/{self.run}/"],
            "webhooks": ["/admin/webhooks/", f"/admin/webhooks/{self.webhook}/"],
            "permissions": ["/admin/permissions/"],
            "audit": ["/admin/audit/", f"/admin/audit/{self.audit}/"],
        }

    def person_pages(self) -> list[str]:
        """Every part of a person's page, of a client and of a reader."""
        return [
            f"/admin/people/{person}/{part}"
            for person in (self.client, self.paid_reader)
            for part in ("", *(f"{name}/" for name in TABS if name))
        ]

    def actions(self) -> dict[str, str]:
        """Every address that changes something, by its action in the matrix."""
        return {
            "decide_case": f"/admin/cases/{self.case}/decide/",
            "undo_case": f"/admin/cases/{self.case}/undo/",
            "decide_appeal": f"/admin/cases/{self.case}/appeal/",
            "check_application": f"/admin/applications/{self.application}/check/identity/",
            "open_document": f"/admin/applications/{self.application}/open/1/",
            "ask_applicant": f"/admin/applications/{self.application}/ask/",
            "approve_application": f"/admin/applications/{self.application}/approve/",
            "reject_application": f"/admin/applications/{self.application}/reject/",
            "close_gate": f"/admin/applications/{self.approved}/gates/listed/close/",
            "open_gate": f"/admin/applications/{self.approved}/gates/listed/open/",
            "renew_paper": f"/admin/applications/{self.approved}/papers/tax_form/",
            "end_session": f"/admin/sessions/{self.live}/end/",
            "report_session": f"/admin/sessions/{self.over}/report/",
            "retry_finalize": f"/admin/sessions/{self.over}/finalize/",
            "resolve_alert": f"/admin/alerts/{self.alert}/resolve/",
            "run_job": "/admin/jobs/billing_tick/run/",
            "stop_billing": "/admin/jobs/billing/stop/",
            "resume_billing": "/admin/jobs/billing/resume/",
            "retry_run": f"/admin/runs/{self.run}/retry/",
            "discard_run": f"/admin/runs/{self.run}/discard/",
            "set_aside_event": f"/admin/webhooks/{self.webhook}/set-aside/",
            "pause_job": "/admin/jobs/billing_tick/pause/",
            "resume_job": "/admin/jobs/billing_tick/resume/",
            "grant_promotion": f"/admin/promotions/person/{self.client}/grant/",
            "cancel_subscription": f"/admin/subscriptions/{self.subscription}/cancel/",
            "make_refund": f"/admin/refunds/ask/reading/{self.over}/",
            "approve_refund": f"/admin/refunds/{self.refund}/approve/",
            "decline_refund": f"/admin/refunds/{self.refund}/decline/",
            "cancel_refund": f"/admin/refunds/{self.refund}/cancel/",
            "suspend_person": f"/admin/people/{self.client}/suspend/",
            "lift_suspension": f"/admin/people/{self.client}/lift/",
            "end_person_reading": f"/admin/people/{self.client}/end-reading/",
            "note_person": f"/admin/people/{self.client}/notes/add/",
            "withdraw_note": f"/admin/people/{self.client}/notes/1/withdraw/",
            "view_as": f"/admin/people/{self.client}/view/",
            "end_logins": f"/admin/people/{self.client}/end-logins/",
            "stop_spending": f"/admin/people/{self.client}/stop-spending/",
            "let_spend": f"/admin/people/{self.client}/let-spend/",
            "retry_payout": f"/admin/payouts/{self.payout}/retry/",
            "pause_payouts": f"/admin/payout-accounts/{self.paid_reader}/pause/",
            "resume_payouts": f"/admin/payout-accounts/{self.paid_reader}/resume/",
            "approve_difference": f"/admin/differences/{self.difference}/approve/",
            "explain_difference": f"/admin/differences/{self.difference}/explain/",
            "ask_about_difference": f"/admin/differences/{self.difference}/ask/",
            "close_day": "/admin/days/close/",
            "dispute_pack": f"/admin/disputes/{self.dispute}/evidence.pdf",
            "dispute_submit": f"/admin/disputes/{self.dispute}/submit/",
            "dispute_accept": f"/admin/disputes/{self.dispute}/accept/",
            "dispute_write_off": f"/admin/disputes/{self.dispute}/write-off/",
            "replay_event": f"/admin/webhooks/{self.webhook}/replay/",
            "replay_events": "/admin/webhooks/replay/",
        }

    def takes(self) -> list[str]:
        """Addresses that take or give back work: POSTs that ask for no reason; one last that does nothing twice."""
        return [
            f"/admin/cases/{self.case}/claim/",
            f"/admin/cases/{self.case}/release/",
            "/admin/cases/next/",
        ]


def build() -> World:
    """Make it, by the services where there is one."""
    over = Room().start()
    over.beats(10, 130)
    over.tick(100)
    over.do("end", "reader", 135)
    over.finalize(140)
    live = Room().start()
    live.beats(10, 90)
    live.tick(95)
    with transaction():
        person = db.session.get_one(Person, over.client.id)
        person.suspended_reason = SCRIPT
        person.email = f"{SCRIPT}@test.test"
        profile = db.session.get_one(ReaderProfile, over.reader.person_id)
        profile.display_name = SCRIPT
        raise_alert("planted", SCRIPT, START, reading_session_id=over.id)
        ledger.post(
            ledger.TransferKind.ADJUSTMENT,
            f"test:{SCRIPT}",
            [
                ledger.Posting(ledger.account_id(ledger.AccountKind.PLATFORM_PROMOTIONS), Decimal("-1.00")),
                ledger.Posting(
                    ledger.account_id(ledger.AccountKind.CLIENT_WALLET, over.client.id), Decimal("1.00")
                ),
            ],
            START,
            memo=SCRIPT,
        )
        audit.record("planted", "person", over.client.id, START, reason=SCRIPT, details={"said": SCRIPT})
        wallet = ledger.account_id(ledger.AccountKind.CLIENT_WALLET, over.client.id)
        rows = [
            JobRun(
                job="session_finalize",
                reason=SCRIPT,
                arguments={"session": SCRIPT},
                counts={"failed": 1, "list": [SCRIPT]},
                error=SCRIPT,
                outcome="failed",
                started_at=clock.now() - timedelta(hours=1),
                finished_at=clock.now(),
            ),
            WebhookEvent(
                vendor="stripe",
                event_id="evt_1",
                type=SCRIPT,
                payload=json.dumps({"said": SCRIPT}).encode(),
                status="quarantined",
                received_at=START,
                processed_at=START,
                error=SCRIPT,
            ),
            TopUp(
                person_id=over.client.id,
                account_id=wallet,
                amount=Decimal("25.00"),
                state="failed",
                failure=SCRIPT,
                created_at=START,
            ),
        ]
        db.session.add_all(rows)
    payout, paid_reader = open_payout(SCRIPT)
    with db.session.no_autoflush:
        newest = {
            model: db.session.scalar(db.select(model.id).order_by(model.id.desc()).limit(1))
            for model in (LedgerTransaction, LedgerAlert, AuditEntry)
        }
    run, webhook, top_up = (row.id for row in rows)
    return World(
        live.id,
        over.id,
        over.client.id,
        wallet,
        db.session.scalars(
            select(LedgerTransaction.id).where(LedgerTransaction.idempotency_key == f"test:{SCRIPT}")
        ).one(),
        newest[LedgerAlert],
        run,
        webhook,
        top_up,
        newest[AuditEntry],
        difference=plant.difference("pi_1", SCRIPT, owner_id=over.client.id),
        reconciliation=plant.run(),
        dispute=lost_dispute(),
        subscription=(subscription := running_subscription(SCRIPT, over.client.id)),
        invoice=invoice_of(subscription),
        promotion=give(over.client.id, "5.00", reason=SCRIPT),
        refund=waiting_refund(over.id, SCRIPT),
        payout=payout,
        paid_reader=paid_reader,
        case=open_case(over.reader.person_id, SCRIPT),
        application=onboarding.handed_in(said=SCRIPT).id,
        approved=onboarding.approved(said=SCRIPT).id,
    )
