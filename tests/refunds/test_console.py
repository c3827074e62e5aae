"""Refunds from the console: previewed, asked for, approved by a second person, exactly what was previewed."""

import re
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.models.mail import MailMessage
from soulseer.models.operations import AuditEntry
from soulseer.models.people import PersonRole
from soulseer.models.refunds import Refund
from soulseer.services import console_refunds, earnings
from tests.admin.conftest import Browser, browser, sign_in, statements  # noqa: F401 - a fixture
from tests.factories import START, person
from tests.money_in.conftest import Sandbox, in_threads
from tests.refunds.steps import at_stripe, clean, dollars, gift, paid, reading, refund, sent, state, wallet

WHY = "The client was cut off, by our own logs"


def audits(refund_id: int) -> list[tuple[str, int | None, str]]:
    with transaction():
        rows = db.session.scalars(
            select(AuditEntry)
            .where(AuditEntry.object_type == "refund", AuditEntry.object_id == str(refund_id))
            .order_by(AuditEntry.id)
        )
        return [(row.action, row.actor_id, row.reason) for row in rows]


def told() -> list[str]:
    with transaction():
        query = select(MailMessage.template).where(MailMessage.template.like("refund%"))
        return list(db.session.scalars(query.order_by(MailMessage.id)))


def seen(staff: Browser, path: str, **typed: str) -> dict[str, str]:
    """The preview's form: what it would post."""
    text = staff.get(f"/admin/refunds/new/{path}/", query_string=typed).text
    return {
        name: found[1]
        for name in ("amount", "plan", "key")
        if (found := re.search(rf'<input type="hidden" name="{name}" value="([^"]+)"', text))
    }


def ask(staff: Browser, path: str, form: dict[str, str] | None = None, **typed: str) -> Any:
    form = seen(staff, path, **typed) if form is None else form
    return staff.post(f"/admin/refunds/ask/{path}/", reason=WHY, **form)


def decide(staff: Browser, refund_id: int, what: str, **form: str) -> Any:
    return staff.post(f"/admin/refunds/{refund_id}/{what}/", reason=WHY, **form)


def approve(staff: Browser, refund_id: int) -> Any:
    return decide(staff, refund_id, "approve", plan=refund(refund_id).plan_hash)


def test_below_the_limit_it_is_done_at_once(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=2)
    staff = browser("support")
    path = f"reading/{room.id}"
    text = staff.get(f"/admin/refunds/new/{path}/", query_string={"minutes": "1"}).text
    for words in ("client wallet", "reader earnings pending", "platform revenue", "$7.00", "$3.00", "$90.00"):
        assert words in text, words
    for words in (
        "The reader ",
        "out of pending earnings",
        "The platform, out of its revenue",
        "Within the limit of",
    ):
        assert words in text, words
    assert "Refund…" in staff.get(f"/admin/sessions/{room.id}/").text
    answer = ask(staff, path, minutes="1")
    assert (answer.status_code, answer.location) == (303, f"/admin/refunds/new/{path}/")
    assert wallet(room.client.id) == dollars("90.00")
    assert [action for action, _, _ in audits(1)] == ["refund.requested", "refund.booked"]
    assert audits(1)[0][1:] == (staff.person_id, WHY)
    assert told() == ["refund_settled"]
    assert "1</a>" in staff.get("/admin/refunds/").text
    assert "The platform, out of its revenue" in staff.get("/admin/refunds/1/").text
    clean()


def test_who_bears_it_is_told_of_every_account_that_gives() -> None:
    def entry(account: str, amount: str) -> dict[str, Any]:
        return {"account": account, "owner": "luna", "owner_id": 7, "amount": dollars(amount)}

    found = console_refunds.borne_by(
        [
            entry("client_wallet", "5.00"),
            entry("reader_earnings_available", "-2.00"),
            entry("reader_receivable", "-1.50"),
            entry("platform_revenue", "-1.50"),
        ]
    )
    assert [one.amount for one in found] == [dollars("2.00"), dollars("1.50"), dollars("1.50")]
    assert "luna, out of earnings that were ready" in found[0].words
    assert "luna, as a debt" in found[1].words
    assert "luna" not in found[2].words


def test_above_it_a_second_person(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    support, finance = browser("support"), browser("finance")
    path = f"reading/{room.id}"
    assert (
        "second person" in support.get(f"/admin/refunds/new/{path}/", query_string={"amount": "50.01"}).text
    )
    assert ask(support, path, amount="50.01").status_code == 303
    assert (state(1), wallet(room.client.id)) == ("requested", dollars("40.00"))
    assert "50.01" in finance.get("/admin/refunds/", query_string={"state": "requested"}).text
    # Nobody approves their own request, whatever their role.
    assert approve(support, 1).status_code == 403
    assert approve(finance, 1).status_code == 303
    assert (state(1), wallet(room.client.id)) == ("settled", dollars("90.01"))
    assert approve(finance, 1).status_code == 409
    assert [action for action, _, _ in audits(1)] == ["refund.requested", "refund.booked"]
    assert told() == ["refund_requested", "refund_settled"]
    clean()


def test_an_admin_does_not_approve_their_own_either(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    admin = browser("admin")
    ask(admin, f"reading/{room.id}", amount="60.00")
    text = admin.get("/admin/refunds/1/").text
    assert "a second person must approve it" in text
    assert "/approve/" not in text
    assert approve(admin, 1).status_code == 403
    assert decide(admin, 1, "decline").status_code == 403
    assert decide(admin, 1, "cancel").status_code == 303
    assert (state(1), wallet(room.client.id)) == ("cancelled", dollars("40.00"))
    assert told() == ["refund_requested", "refund_declined"]


def test_many_small_ones_add_up_to_the_limit(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    staff = browser("support")
    path = f"reading/{room.id}"
    for _ in range(2):
        ask(staff, path, amount="25.00")
    assert wallet(room.client.id) == dollars("90.00")
    ask(staff, path, amount="0.01")
    assert [state(number) for number in (1, 2, 3)] == ["settled", "settled", "requested"]


def test_declined(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    support, finance = browser("support"), browser("finance")
    ask(support, f"reading/{room.id}", amount="60.00")
    assert decide(support, 1, "decline").status_code == 403
    assert decide(finance, 1, "cancel").status_code == 403
    assert decide(finance, 1, "decline").status_code == 303
    assert (state(1), wallet(room.client.id)) == ("declined", dollars("40.00"))
    assert decide(finance, 1, "decline").status_code == 409
    assert audits(1)[-1] == ("refund.declined", finance.person_id, WHY)
    # Another may be asked for now.
    assert ask(support, f"reading/{room.id}", amount="60.00").status_code == 303


def test_one_request_at_a_time_waits(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    support, other = browser("support"), browser("support")
    ask(support, f"reading/{room.id}", amount="55.00")
    answer = ask(other, f"reading/{room.id}", amount="1.00")
    assert answer.status_code == 409
    assert "waits for approval" in answer.text


def test_what_moved_since_cannot_be_approved(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    support, finance = browser("support"), browser("finance")
    ask(support, f"reading/{room.id}", amount="60.00")
    with transaction():
        earnings.take_back(room.reader.person_id, dollars("40.00"), START)
    text = finance.get("/admin/refunds/1/").text
    assert "The amounts have moved" in text
    assert "Entries as they would be now" in text
    assert "reader receivable" in text
    answer = approve(finance, 1)
    assert answer.status_code == 409
    assert "Entries as they would be now" in answer.text
    assert (state(1), wallet(room.client.id)) == ("requested", dollars("40.00"))


def test_the_approver_must_have_seen_the_plan(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    ask(browser("support"), f"reading/{room.id}", amount="60.00")
    finance = browser("finance")
    for plan in ("", "0" * 64):
        assert decide(finance, 1, "approve", plan=plan).status_code == 409
    assert state(1) == "requested"


def test_a_stale_preview_shows_the_new_one(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=2)
    staff = browser("support")
    path = f"reading/{room.id}"
    form = seen(staff, path, amount="5.00")
    with transaction():
        earnings.take_back(room.reader.person_id, dollars("13.00"), START)
    answer = ask(staff, path, form)
    assert answer.status_code == 409
    assert "reader receivable" in answer.text
    assert wallet(room.client.id) == dollars("80.00")


def test_a_double_click_and_a_changed_form(browser: Any) -> None:  # noqa: F811
    room = reading(minutes=2)
    staff = browser("support")
    path = f"reading/{room.id}"
    form = seen(staff, path, amount="5.00")
    assert [ask(staff, path, form).status_code for _ in range(2)] == [303, 303]
    assert wallet(room.client.id) == dollars("85.00")
    # Another amount than was previewed.
    form = seen(staff, path, amount="5.00")
    assert ask(staff, path, {**form, "amount": "6.00"}).status_code == 409
    assert ask(staff, path, {**form, "key": "x"}).status_code == 422
    assert ask(staff, path, {**form, "amount": "-1"}).status_code == 422
    assert wallet(room.client.id) == dollars("85.00")


def test_two_members_of_staff_approve_at_once(app, browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    ask(browser("support"), f"reading/{room.id}", amount="60.00")
    staff = [browser("finance") for _ in range(4)]
    tokens = [one.token() for one in staff]
    plan = refund(1).plan_hash
    answers = in_threads(
        app,
        4,
        lambda number: (
            staff[number].post("/admin/refunds/1/approve/", tokens[number], reason=WHY, plan=plan).status_code
        ),
    )
    assert sorted(answers) == [303, 409, 409, 409]
    assert wallet(room.client.id) == dollars("100.00")
    clean()


def test_a_top_up_to_the_card_with_approval(sandbox: Sandbox, browser: Any) -> None:  # noqa: F811
    client_id = person().id
    made = paid(sandbox, client_id, "80.00")
    support, finance = browser("support"), browser("finance")
    path = f"top_up/{made.id}"
    assert "Refund…" in support.get(f"/admin/top-ups/{made.id}/").text
    assert "stripe clearing" in support.get(f"/admin/refunds/new/{path}/", query_string={"amount": "70"}).text
    ask(support, path, amount="70.00")
    assert sent() == {}
    assert (wallet(client_id), at_stripe(sandbox)) == (dollars("80.00"), [])
    assert approve(finance, 1).status_code == 303
    assert (state(1), wallet(client_id)) == ("approved", dollars("10.00"))
    assert sent() == {"settled": 1}
    assert told() == ["refund_requested", "refund_approved", "refund_settled"]
    text = support.get("/admin/refunds/1/").text
    assert at_stripe(sandbox)[0]["id"] in text
    clean()


def test_a_gift_by_its_transaction(app, browser: Any) -> None:  # noqa: F811
    client_id, reader_id = person(wallet="30.00").id, person("reader").id
    made = gift(client_id, reader_id)
    staff = browser("support")
    assert "Refund…" in staff.get(f"/admin/transactions/{made}/").text
    assert ask(staff, f"transaction/{made}", amount="10.01").status_code == 303
    assert wallet(client_id) == dollars("30.00")
    assert "given back before" in staff.get(f"/admin/refunds/new/transaction/{made}/").text


@pytest.mark.parametrize(
    "typed",
    [
        {"amount": "1e5"},
        {"amount": "20.01"},
        {"amount": "0"},
        {"amount": "💥"},
        {"minutes": "3"},
        {"minutes": "-1"},
        {"minutes": "x"},
        {"amount": "1", "minutes": "1"},
    ],
)
def test_odd_amounts_are_told(app, browser: Any, typed: dict[str, str]) -> None:  # noqa: F811
    room = reading(minutes=2)
    text = browser("support").get(f"/admin/refunds/new/reading/{room.id}/", query_string=typed).text
    assert "field-error" in text
    assert 'name="plan"' not in text


def test_nothing_to_give_back(app, browser: Any) -> None:  # noqa: F811
    staff = browser("support")
    for path in ("reading/99", "transaction/99", "top_up/99"):
        assert staff.get(f"/admin/refunds/new/{path}/").status_code == 404
        answer = staff.post(
            f"/admin/refunds/ask/{path}/", reason=WHY, amount="1.00", plan="x", key=str(uuid.uuid4())
        )
        assert answer.status_code == 404


def test_the_preview_takes_twelve_statements(app, browser: Any) -> None:  # noqa: F811
    room = reading(minutes=6)
    staff = browser("support")
    ask(staff, f"reading/{room.id}", amount="60.00")
    for path in (
        "/admin/refunds/1/",
        f"/admin/refunds/new/reading/{room.id}/?amount=2.00",
        "/admin/refunds/",
    ):
        with statements(app) as sent_statements:
            assert staff.get(path).status_code == 200
        assert len(sent_statements) <= 12, (path, sent_statements)


def test_ones_own_money(app, browser: Any) -> None:  # noqa: F811
    room = reading(minutes=2)
    with transaction():
        db.session.add(PersonRole(person_id=room.client.id, role="support"))
    own = Browser(sign_in(app, room.client.id), room.client.id)
    assert ask(own, f"reading/{room.id}", amount="5.00").status_code == 403
    with transaction():
        assert db.session.scalars(select(Refund)).all() == []
