"""What staff see and do about payouts: lines, entries and Stripe's ids; retry, pause and resume with reason and audit."""

from sqlalchemy import select

from soulseer.db import db
from soulseer.models.operations import AuditEntry
from soulseer.services import payout_accounts
from tests.admin.conftest import browser  # noqa: F401
from tests.payouts.payday import SOON, PaidReader, sweep
from tests.payouts.planted import open_payout
from tests.payouts.world import assert_clean

REASON = "Looked into it with Stripe."


def audited(kind: str) -> list[tuple[str, str]]:
    db.session.rollback()
    query = select(AuditEntry.action, AuditEntry.reason).where(AuditEntry.object_type == kind)
    return [tuple(row) for row in db.session.execute(query.order_by(AuditEntry.id))]


def test_a_payout_is_shown_with_lines_entries_and_ids(sandbox, browser) -> None:  # noqa: F811
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    assert sweep(SOON)["paid"] == 1
    transfer = reader.transfers[0]["id"]
    staff = browser("finance")
    listed = staff.get("/admin/payouts/", query_string={"stripe": transfer}).text
    assert f"/admin/payouts/{payout_id}/" in listed
    assert "Nothing matches" in staff.get("/admin/payouts/", query_string={"state": "failed"}).text
    shown = staff.get(f"/admin/payouts/{payout_id}/").text
    for words in (
        transfer,
        reader.account,
        f"payout:{payout_id}:",
        "payout sent",
        "payouts in transit",
        "Gift",
    ):
        assert words in shown, words
    assert "Send again" not in shown


def test_an_open_payout_is_sent_again_with_a_reason(app, browser) -> None:  # noqa: F811
    payout_id, _ = open_payout("x")
    staff = browser("finance")
    token = staff.token()
    short = staff.post(f"/admin/payouts/{payout_id}/retry/", token, reason="short")
    assert short.status_code == 422
    done = staff.post(f"/admin/payouts/{payout_id}/retry/", token, reason=REASON)
    assert done.status_code == 303
    assert ("payout.retried", REASON) in audited("payout")
    assert staff.post("/admin/payouts/999/retry/", token, reason=REASON).status_code == 404


def test_a_payout_that_is_done_is_not_sent_again(sandbox, browser) -> None:  # noqa: F811
    reader = PaidReader(sandbox, "40.00")
    payout_id = reader.begin()
    sweep(SOON)
    staff = browser("finance")
    answer = staff.post(f"/admin/payouts/{payout_id}/retry/", staff.token(), reason=REASON)
    assert answer.status_code == 409
    assert len(reader.transfers) == 1


def test_pause_and_resume_with_reason_and_audit(app, browser) -> None:  # noqa: F811
    _, reader_id = open_payout("A part came back from the bank.")
    staff = browser("finance")
    token, page = staff.token(), f"/admin/payout-accounts/{reader_id}/"
    assert "Paused by the system" in staff.get(page).text
    assert staff.post(f"{page}resume/", token, reason=REASON).status_code == 303
    assert staff.post(f"{page}resume/", token, reason=REASON).status_code == 409
    assert staff.post(f"{page}pause/", token, reason="Please call us about it.").status_code == 303
    assert staff.post(f"{page}pause/", token, reason="Please call us about it.").status_code == 409
    account = payout_accounts.of(reader_id)
    assert account is not None
    assert account.pause_reason == "Please call us about it."
    assert account.paused_by is not None
    assert [action for action, _ in audited("payout_account")] == [
        "payouts.paused",
        "payouts.resumed",
        "payouts.paused",
    ]
    assert (
        "/admin/payout-accounts/"
        in staff.get("/admin/payout-accounts/", query_string={"status": "paused"}).text
    )
    assert_clean()


def test_support_may_pause_but_not_resume(app, browser) -> None:  # noqa: F811
    _, reader_id = open_payout("A part came back from the bank.")
    staff = browser("support")
    token, page = staff.token(), f"/admin/payout-accounts/{reader_id}/"
    assert staff.post(f"{page}resume/", token, reason=REASON).status_code == 403
    assert staff.post(f"{page}pause/", token, reason=REASON).status_code == 303
