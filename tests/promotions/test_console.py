"""Staff give credit: once for two clicks, within support's limit, with reason and audit row; lists and pages show it."""

import re
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from soulseer.db import db
from soulseer.domain import clock
from soulseer.models.operations import AuditEntry
from soulseer.models.promotions import PromotionalCredit
from soulseer.services import ledger_check
from tests import factories
from tests.admin.conftest import Browser, statements
from tests.promotions.credit import credit, give

FORM = {"amount": "5.00", "reason": "a reader was late, and said sorry"}


def post(staff: Browser, person_id: int, **more: str):  # type: ignore[no-untyped-def]
    token = staff.token(f"/admin/promotions/person/?named={person_id}")
    soon = {"until": _tomorrow()}
    values = {**FORM, **soon, "key": str(uuid.uuid4()), **more}
    return staff.post(f"/admin/promotions/person/{person_id}/grant/", token, **values)


def _tomorrow() -> str:
    return (clock.now() + timedelta(days=1)).date().isoformat()


@pytest.mark.parametrize("role", ["support", "finance", "admin"])
def test_credit_is_given_once_for_two_clicks(app: Flask, browser, role: str) -> None:  # type: ignore[no-untyped-def]
    client, staff = factories.person(), browser(role)
    key = str(uuid.uuid4())
    for _ in range(2):
        assert post(staff, client.id, key=key).status_code == 303
    assert str(credit(client.id)) == "5.00"
    made = db.session.scalars(select(PromotionalCredit)).one()
    assert made.reason == FORM["reason"]
    assert made.expires_at.isoformat().endswith("T00:00:00+00:00")
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "promotion.granted")).one()
    assert (entry.actor_id, entry.reason, entry.object_id) == (made.granted_by, FORM["reason"], str(made.id))
    assert post(staff, client.id, key=key, amount="6.00").status_code == 422
    assert ledger_check.check() == []


@pytest.mark.parametrize(
    "wrong",
    [{"amount": word} for word in ("", "0", "-5", "1e2", "NaN", "5.001", "500.01")]
    + [{"until": word} for word in ("", "yesterday", "2020-01-01", "9999-12-31", "2026-13-01")]
    + [{"reason": "short"}, {"reason": ""}],
)
def test_what_does_not_fit_is_said_and_stays_in_the_form(app: Flask, browser, wrong: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    client, staff = factories.person(), browser("finance")
    answer = post(staff, client.id, **wrong)
    assert answer.status_code == 422
    assert 'name="amount" value="' in answer.text
    assert str(credit(client.id)) == "0.00"


def test_support_has_its_limit_and_finance_has_not(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    client, support, finance = factories.person(), browser("support"), browser("finance")
    assert post(support, client.id, amount="20.00").status_code == 303
    refused = post(support, client.id, amount="5.01")
    assert refused.status_code == 422
    assert "Ask finance for more" in refused.text
    assert post(support, client.id, amount="5.00").status_code == 303
    assert post(finance, client.id, amount="100.00").status_code == 303


def test_supports_limit_is_one_persons_whoever_gives(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    client, other = factories.person(), factories.person()
    assert post(browser("support"), client.id, amount="20.00").status_code == 303
    colleague = browser("support")
    assert post(colleague, client.id, amount="5.01").status_code == 422
    assert post(colleague, client.id, amount="5.00").status_code == 303
    # What the system gives is nobody's kindness, and another person's limit is their own.
    give(other.id, "100.00")
    assert post(colleague, other.id, amount="25.00").status_code == 303


def test_a_form_without_its_key_grants_nothing(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    client, staff = factories.person(), browser("admin")
    assert post(staff, client.id, key="").status_code == 400
    assert str(credit(client.id)) == "0.00"
    assert post(staff, 999_999).status_code == 404


def test_lists_and_pages_in_few_statements(app: Flask, browser) -> None:  # type: ignore[no-untyped-def]
    clients = [factories.person() for _ in range(3)]
    for number in range(60):
        give(clients[number % 3].id, f"{number + 1}.00")
    staff = browser("finance")
    shown = []
    address = "/admin/promotions/"
    while address:
        with statements(app) as counted:
            text = staff.get(address).text
        assert len(counted) <= 12
        shown += re.findall(r'<td class="col-id[^>]*><a href="/admin/promotions/(\d+)/"', text)
        older = re.search(r'href="(/admin/promotions/\?before=\d+)"', text)
        address = older[1] if older else ""
    assert shown == [str(number) for number in range(60, 0, -1)]
    page = staff.get(f"/admin/promotions/person/?named={clients[0].handle}").text
    assert f"Promotional credit of {clients[0].handle}" in page
    assert len(re.findall(r'href="/admin/promotions/\d+/"', page)) == 20
    assert "Nobody is called that." in staff.get("/admin/promotions/person/?named=nobody").text
