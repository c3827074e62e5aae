"""One search for everything: ids open at once, names and numbers are grouped, a role finds what it may see, by indexes."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from soulseer.admin import permissions
from soulseer.db import db, transaction
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.payments import StripeCustomer, TopUp, WebhookEvent
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingReceipt
from soulseer.models.refunds import Refund
from soulseer.services import console_search
from tests import factories
from tests.admin.conftest import Browser, statements
from tests.admin.world import build

BIG = (
    "person",
    "reading_session",
    "ledger_transaction",
    "top_up",
    "reading_receipt",
    "webhook_event",
    "audit_entry",
)


def found(staff: Browser, wanted: str) -> list[str]:
    """The addresses of a page of results."""
    answer = staff.get("/admin/search/", query_string={"q": wanted})
    assert answer.status_code == 200, (wanted, answer.location)
    return re.findall(r'href="([^"]+)" data-search-hit', answer.text)


def opened(staff: Browser, wanted: str) -> str:
    """Where an id leads at once."""
    answer = staff.get("/admin/search/", query_string={"q": wanted})
    assert answer.status_code == 302, (wanted, answer.text[-2000:])
    return str(answer.location)


def test_every_id_opens_what_it_names(browser: Any) -> None:
    world = build()
    person = factories.person(handle="amber-lane")
    with transaction():
        top_up = TopUp(
            person_id=person.id,
            account_id=db.session.get_one(TopUp, world.top_up).account_id,
            amount=Decimal("25.00"),
            state="failed",
            created_at=factories.START,
            stripe_checkout_session_id="cs_test_1",
            stripe_payment_intent_id="pi_search_1",
            stripe_charge_id="ch_search_1",
        )
        db.session.add(top_up)
        db.session.add(
            StripeCustomer(person_id=person.id, stripe_customer_id="cus_search", created_at=factories.START)
        )
        key = db.session.get_one(LedgerTransaction, world.transaction).idempotency_key
        code = db.session.get_one(ReadingReceipt, world.over).code
        event = db.session.get_one(WebhookEvent, world.webhook)
    staff = browser("admin")
    for wanted, address in {
        "amber-lane": f"/admin/people/{person.id}/",
        " AMBER-Lane ": f"/admin/people/{person.id}/",
        str(person.email).upper(): f"/admin/people/{person.id}/",
        f"person {person.id}": f"/admin/people/{person.id}/",
        "cus_search": f"/admin/people/{person.id}/",
        "pi_search_1": f"/admin/top-ups/{top_up.id}/",
        "ch_search_1": f"/admin/top-ups/{top_up.id}/",
        "cs_test_1": f"/admin/top-ups/{top_up.id}/",
        event.event_id: f"/admin/webhooks/{world.webhook}/",
        f"refund {world.refund}": f"/admin/refunds/{world.refund}/",
        f"ref #{world.refund}": f"/admin/refunds/{world.refund}/",
        f"case {world.case}": f"/admin/cases/{world.case}/",
        f"payout {world.payout}": f"/admin/payouts/{world.payout}/",
        f"Reading {world.live}": f"/admin/sessions/{world.live}/",
        code: f"/admin/sessions/{world.over}/",
        f"{code[:4]}-{code[4:]}".lower(): f"/admin/sessions/{world.over}/",
        f"reading:{world.over}:minute:1": f"/admin/transactions/minutes/{world.over}/1/",
        key: f"/admin/transactions/{world.transaction}/",
    }.items():
        assert opened(staff, wanted) == address, wanted


def test_names_and_numbers_are_grouped(browser: Any) -> None:
    world = build()
    staff = browser("admin")
    with transaction():
        profile = db.session.get_one(ReaderProfile, world.paid_reader)
        profile.display_name = "Serena 100% Moon"
        twins = [factories_person("double@test.test", handle) for handle in ("double-one", "double-two")]
    people = [f"/admin/people/{person}/" for person in twins]
    assert found(staff, "double") == found(staff, "double@test.test") == found(staff, "DOUBLE-") == people
    assert found(staff, "0% moon") == [f"/admin/people/{world.paid_reader}/"]
    for nothing in (
        "_ouble",
        "%%%",
        "dou_le",
        "pi_nothing",
        "0% sun",
        "'; DROP",
        "reading:1:minute:99999999",
    ):
        assert found(staff, nothing) == [], nothing
    everything = found(staff, str(world.over))
    assert f"/admin/sessions/{world.over}/" in everything
    assert len(everything) == len(set(everything)) > 1


def factories_person(email: str, handle: str) -> int:
    """A person with an address that another may have as well; inside transaction()."""
    made = Person(issuer="http://127.0.0.1:9/", subject=f"twin|{handle}", email=email, handle=handle)
    made.created_at = factories.START
    db.session.add(made)
    db.session.flush()
    return made.id


@pytest.mark.parametrize("role", sorted(permissions.STAFF))
def test_a_role_finds_only_what_it_may_see(browser: Any, role: str) -> None:
    world = build()
    with transaction():
        refund = db.session.get_one(Refund, world.refund)
        name = db.session.get_one(Person, refund.person_id).handle
    staff = browser(role)
    for page, wanted in {
        "people": name,
        "refunds": f"refund {world.refund}",
        "cases": f"case {world.case}",
        "webhooks": "evt_1",
        "transactions": f"reading:{world.over}:minute:1",
        "sessions": f"reading {world.over}",
        "audit": f"audit {world.audit}",
    }.items():
        answer = staff.get("/admin/search/", query_string={"q": wanted})
        suggested = staff.get("/admin/search/suggest/", query_string={"q": wanted}).text
        assert (answer.status_code == 302) == permissions.may_see(page, [role]), (role, page)
        assert ('role="option" id="search-hit-0"' in suggested) == permissions.may_see(page, [role]), (
            role,
            page,
        )


@pytest.mark.parametrize(
    "nonsense", ["", " ", "\x07", "%", "\\", "💥" * 150, "9" * 19, "9" * 40, "a" * 300, "-1", "#"]
)
def test_nonsense_finds_nothing(browser: Any, nonsense: str) -> None:
    staff = browser("admin")
    for path in ("/admin/search/", "/admin/search/suggest/"):
        assert staff.get(path, query_string={"q": nonsense}).status_code == 200, nonsense


def test_it_asks_little_and_by_indexes(browser: Any, app: Flask, superuser: Any) -> None:
    """20,000 people: nothing that grows is read as a whole."""
    staff = browser("admin")
    superuser.execute(
        "INSERT INTO person (issuer, subject, email, email_verified, handle, time_zone, created_at)"
        " SELECT 'x', 'many|' || n, 'many' || n || '@test.test', true, 'many-' || n, 'UTC', now()"
        " FROM generate_series(1, 20000) AS n"
    )
    superuser.execute("ANALYZE person")
    plans: list[str] = []
    for wanted in (
        "many-1234",
        "many1234@test.test",
        "many-123",
        "1234",
        "pi_x",
        "evt_x",
        "cs_x",
        "R" * 16,
        "moon",
    ):
        with statements(app) as seen:
            assert staff.get("/admin/search/", query_string={"q": wanted}).status_code in (200, 302)
        assert len(seen) <= 12, (wanted, seen)
        with app.app_context(), asked(app) as questions:
            console_search.search(wanted, permissions.PAGES)
        for statement, values in questions:
            plan = superuser.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()[0]
            plans.append(json.dumps(plan))
            read = [
                node["Relation Name"] for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"
            ]
            assert "person" not in read, (wanted, statement)
    assert any("ix_person_handle_begins" in plan for plan in plans)
    assert any("ix_person_email_begins" in plan for plan in plans)


def test_every_big_table_has_an_index_for_what_is_asked(app: Flask, superuser: Any) -> None:
    """With sequential scans dear, the planner finds another way for every part: an index stands for each of them."""
    superuser.execute("SET enable_seqscan = off")
    try:
        for wanted in (
            "pi_x",
            "ch_x",
            "re_x",
            "tr_x",
            "dp_x",
            "in_x",
            "cus_x",
            "acct_x",
            "evt_x",
            "12",
            "a1",
            "R" * 16,
        ):
            with app.app_context(), asked(app) as questions:
                console_search.search(wanted, permissions.PAGES)
            for statement, values in questions:
                plan = superuser.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()[0]
                read = {n["Relation Name"] for n in nodes(plan[0]["Plan"]) if n["Node Type"] == "Seq Scan"}
                assert not read.intersection(BIG), (wanted, read, statement)
    finally:
        superuser.execute("RESET enable_seqscan")


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan and all below it."""
    return [plan, *(inner for part in plan.get("Plans", ()) for inner in nodes(part))]


def asked(app: Flask) -> Any:
    """The statements that run within, with their values."""
    from contextlib import contextmanager

    from sqlalchemy import event

    @contextmanager
    def noting() -> Any:
        seen: list[tuple[str, Any]] = []

        def note(connection: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
            seen.append((statement, values))

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return noting()
