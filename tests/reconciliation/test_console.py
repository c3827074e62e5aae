"""Finance in the back office: what is shown, previewed, approved, explained and closed."""

import re
from datetime import timedelta
from decimal import Decimal

from flask import Flask
from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.models.operations import AuditEntry
from soulseer.models.reconciliation import ClosedDay, ReconciliationDifference
from soulseer.services import ledger
from tests.admin.conftest import Browser, browser  # noqa: F401 - a fixture
from tests.factories import START, person
from tests.reconciliation import plant
from tests.reconciliation.conftest import Stripe, only_difference, reconciled
from tests.reconciliation.test_day_close import compared
from tests.reconciliation.test_differences import LATER

REASON = "Compared with Stripe's dashboard by hand."


def previewed(staff: Browser, path: str) -> str:
    found = re.search(r'name="previewed" value="([0-9a-f]+)"', staff.get(path).text)
    assert found
    return found.group(1)


def test_an_entry_is_booked_exactly_as_previewed(app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    client = person()
    path = f"/admin/differences/{plant.difference('pi_1', 'Off by 1.50', owner_id=client.id)}/"
    staff: Browser = browser("finance")
    text = staff.get(path).text
    assert "Off by 1.50" in text
    assert client.handle in text
    assert "−$1.50" in text
    token = previewed(staff, path)
    assert staff.post(f"{path}approve/", reason=REASON, previewed="0" * 32).status_code == 409
    assert staff.post(f"{path}approve/", reason="short", previewed=token).status_code == 422
    done = staff.post(f"{path}approve/", reason=REASON, previewed=token)
    assert (done.status_code, done.location) == (303, path)
    with transaction():
        assert ledger.balance(AccountKind.CLIENT_RECEIVABLE, client.id) == Decimal("-1.50")
        said = db.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "reconciliation.mended")
        ).one()
        assert (said.actor_id, said.reason) == (staff.person_id, REASON)
    after = staff.get(path).text
    assert "mended" in after
    assert "previewed" not in after
    assert staff.post(f"{path}approve/", reason=REASON, previewed=token).status_code == 409


def test_a_large_amount_shows_whose_approval_is_missing(app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    client = person()
    path = f"/admin/differences/{plant.difference('pi_1', 'Far off', owner_id=client.id, gap=-10_001)}/"
    first, second = browser("finance"), browser("admin")
    token = previewed(first, path)
    assert first.post(f"{path}approve/", reason=REASON, previewed=token).status_code == 303
    assert "previewed" not in first.get(path).text
    assert "somebody else must as well" in first.get(path).text
    assert first.post(f"{path}approve/", reason=REASON, previewed=token).status_code == 403
    assert second.post(f"{path}approve/", reason=REASON, previewed=previewed(second, path)).status_code == 303
    with transaction():
        assert ledger.balance(AccountKind.CLIENT_RECEIVABLE, client.id) == Decimal("-100.01")


def test_a_difference_is_explained_in_words(app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    number = plant.difference("pi_1", "Off", owner_id=person().id)
    staff: Browser = browser("finance")
    assert staff.post(f"/admin/differences/{number}/explain/", reason=REASON).status_code == 303
    with transaction():
        row = db.session.get_one(ReconciliationDifference, number)
        assert (row.state, row.resolution, row.settled_by) == ("explained", REASON, staff.person_id)
    assert staff.post(f"/admin/differences/{number}/explain/", reason=REASON).status_code == 409
    assert f"/admin/differences/{number}/" in staff.get("/admin/differences/?state=explained").text
    assert f"/admin/differences/{number}/" not in staff.get("/admin/differences/?state=open").text
    assert staff.get("/admin/differences/999/").status_code == 404


def test_stripe_is_asked_again_by_a_worker(stripe: Stripe, sandbox, app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    from tests.money_in.events import begun

    made = begun(person().id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id)
    reconciled(LATER)
    number = only_difference().id
    staff: Browser = browser("finance")
    assert staff.post(f"/admin/differences/{number}/ask/", reason=REASON).status_code == 303
    assert only_difference().proposal["asked_at"]
    (job,) = gateways.current().queue.queue("payments").jobs
    assert (job.kwargs["job"], job.kwargs["arguments"]) == ("reconcile", {"difference": str(number)})
    assert "Asked for at" in staff.get(f"/admin/differences/{number}/").text


def test_days_are_closed_from_their_page(app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    staff: Browser = browser("finance")
    assert "no day to close" in staff.get("/admin/days/").text
    person(wallet="30.00")
    assert "never compared" in staff.get("/admin/days/").text
    compared(clock.now() + timedelta(days=1))
    assert re.search(r"2026-11-20( is| to [0-9-]{10} are) open", staff.get("/admin/days/").text)
    for day in ("", "yesterday", clock.now().date().isoformat()):
        assert staff.post("/admin/days/close/", reason=REASON, day=day).status_code == 422
    assert staff.post("/admin/days/close/", reason=REASON, day=START.date().isoformat()).status_code == 303
    text = staff.get("/admin/days/").text
    assert "adjustment" in text
    assert "$30.00" in text
    assert REASON.replace("'", "&#39;") in text
    assert staff.post("/admin/days/close/", reason=REASON, day=START.date().isoformat()).status_code in (
        409,
        422,
    )
    with transaction():
        assert [row.day for row in db.session.scalars(select(ClosedDay))] == [START.date()]


def test_runs_tell_both_balances(app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    number = plant.run()
    staff: Browser = browser("finance")
    assert "unexplained" in staff.get("/admin/reconciliations/").text
    text = staff.get(f"/admin/reconciliations/{number}/").text
    for amount in ("$1,000.00", "$233.04", "$1,234.56", "−$1.52", "$0.02"):
        assert amount in text
    assert staff.get("/admin/reconciliations/999/").status_code == 404


def test_the_front_page_counts_open_differences(app: Flask, browser) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    staff: Browser = browser("finance")
    assert "/admin/differences/?state=open" in staff.get("/admin/dashboard/").text
    plant.difference("pi_1", "Off", owner_id=person().id)
    text = staff.get("/admin/dashboard/").text
    assert re.search(r"Differences with Stripe.{0,200}?>\s*1\s*<", text, re.S)
