"""flask demo: the people of the contract, idempotent, quick in numbers, with the ledger's guards on."""

import time
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from config.settings import load_settings
from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingSession
from soulseer.services import ledger, reader_settings, readers
from soulseer.services.readers import Filters
from tests.factories import START


@pytest.fixture
def flask_command(app: Flask):
    def run(*words: str):
        return app.test_cli_runner().invoke(args=list(words))

    return run


def person(email: str) -> Person:
    return db.session.scalars(select(Person).where(Person.email == email)).one()


def test_the_people_of_the_contract(flask_command) -> None:
    result = flask_command("demo", "seed")
    assert (result.exit_code, result.output) == (0, "9 demo people added.\n"), result.output
    client = person("client@demo.test")
    assert (client.issuer, client.subject) == ("http://127.0.0.1:9/", "demo|client@demo.test")
    assert ledger.balance(AccountKind.CLIENT_WALLET, client.id) == Decimal("50.00")
    assert ledger.balance(AccountKind.CLIENT_WALLET, person("broke@demo.test").id) == Decimal("0.00")
    opening = db.session.scalars(select(LedgerTransaction)).one()
    assert (opening.idempotency_key, opening.kind) == ("demo:opening:client@demo.test", "adjustment")
    luna = readers.profile("luna")
    assert (luna.reader_id, luna.state) == (person("reader@demo.test").id, "online")
    assert [(r.modality, str(r.rate)) for r in luna.rates] == [
        ("text", "1.99"),
        ("voice", "2.99"),
        ("video", "3.99"),
    ]
    assert [r.slug for r in readers.browse(Filters()).readers] == ["luna"]
    applicant = db.session.get_one(ReaderProfile, person("applicant@demo.test").id)
    assert (applicant.status, applicant.listed, applicant.online) == ("applied", False, False)
    roles = {
        email: person(f"{email}@demo.test").roles
        for email in ("client", "reader", "support", "finance", "admin")
    }
    assert roles == {name: frozenset({name}) for name in roles}


def test_a_second_run_changes_nothing(flask_command) -> None:
    flask_command("demo", "seed", "--clients", "3", "--readers", "2")
    with transaction():
        reader_settings.set_online(person("reader@demo.test").id, False, START)
    result = flask_command("demo", "seed", "--clients", "5", "--readers", "2")
    assert (result.exit_code, result.output) == (0, "2 demo people added.\n")
    db.session.rollback()
    assert readers.profile("luna").state == "offline"
    assert db.session.scalar(select(func.count()).select_from(LedgerTransaction)) == 6


def test_numbers_are_quick_and_balanced(flask_command) -> None:
    begin = time.monotonic()
    result = flask_command("demo", "seed", "--clients", "6000", "--readers", "6000")
    took = time.monotonic() - begin
    assert result.exit_code == 0, result.output
    assert took < 30
    assert ledger.balance(AccountKind.CLIENT_WALLET, person("c6000@demo.test").id) == Decimal("50.00")
    reader = readers.profile("r6000")
    assert (reader.state, len(reader.rates)) == ("online", 3)
    assert ledger.platform_balance(AccountKind.PLATFORM_PROMOTIONS) == Decimal("-50.00") * 6001
    wrong = db.session.scalars(
        select(LedgerAccount.id)
        .outerjoin(LedgerEntry, LedgerEntry.account_id == LedgerAccount.id)
        .where(~LedgerAccount.hot)
        .group_by(LedgerAccount.id)
        .having(
            func.coalesce(func.sum(text("ledger_entry.amount")), 0)
            != func.max(text("ledger_account.balance"))
        )
    ).all()
    assert wrong == []


def test_a_handle_that_is_taken_and_another_issuer_are_no_trouble(app: Flask, flask_command) -> None:
    with transaction():
        db.session.add(
            Person(
                issuer="http://127.0.0.1:9/",
                subject="x",
                handle="Client",
                created_at=func.now(),
                role_rows=[],
            )
        )
        db.session.add(
            Person(
                issuer="http://elsewhere/", subject="demo|client@demo.test", email="client@demo.test",
                handle="c1", created_at=func.now(), role_rows=[],
            )
        )  # fmt: skip
    result = flask_command("demo", "seed", "--clients", "1")
    assert result.exit_code == 0, result.output
    ours = db.session.scalars(
        select(Person).where(
            Person.subject == "demo|client@demo.test", Person.issuer == "http://127.0.0.1:9/"
        )
    ).one()
    assert ours.handle.startswith("client-")
    assert ledger.balance(AccountKind.CLIENT_WALLET, ours.id) == Decimal("50.00")
    assert person("c1@demo.test").handle.startswith("c1-")


def test_sessions_are_brought_to_active_by_the_real_services(flask_command) -> None:
    result = flask_command("demo", "seed", "--clients", "4", "--readers", "4", "--active", "3")
    assert result.exit_code == 0, result.output
    assert result.output == "17 demo people added, 3 sessions brought to active.\n"
    made = db.session.scalars(select(ReadingSession)).all()
    assert [(s.state, s.minutes_billed) for s in made] == [("active", 1)] * 3
    assert ledger.balance(AccountKind.CLIENT_WALLET, person("c1@demo.test").id) == Decimal("48.01")
    again = flask_command("demo", "seed", "--clients", "4", "--readers", "4", "--active", "4")
    assert again.output == "0 demo people added, 1 sessions brought to active.\n"


def test_more_sessions_than_people_is_refused(flask_command) -> None:
    result = flask_command("demo", "seed", "--clients", "4", "--active", "3")
    assert result.exit_code == 2
    assert db.session.scalar(select(func.count()).select_from(Person)) == 0


def test_tokens_and_addresses(flask_command) -> None:
    tokens = flask_command("demo", "token", "client@demo.test", "reader@demo.test").output.split()
    assert [token.count(".") for token in tokens] == [2, 2]
    assert flask_command("demo", "token", "nobody").exit_code == 1
    lines = dict(line.split("=", 1) for line in flask_command("demo", "env").output.splitlines())
    assert set(lines) == {
        "DATABASE_URL", "REPORTING_DATABASE_URL", "REDIS_URL", "OIDC_ISSUER", "STRIPE_API_BASE",
        "STRIPE_WEBHOOK_SIGNING_SECRET", "AGORA_APP_ID", "AGORA_SECURITY_CERTIFICATE", "APP_BASE_URL",
    }  # fmt: skip
    assert all(lines.values())


def test_refused_in_production_and_without_the_sandbox(app: Flask, flask_command, monkeypatch) -> None:
    outside = load_settings(rate_limits=False, sandbox=False)
    monkeypatch.setitem(app.extensions, "settings", outside)
    assert flask_command("demo", "token", "client@demo.test").exit_code == 1
    monkeypatch.setitem(app.extensions, "settings", outside.model_copy(update={"app_env": "production"}))
    for words in (["seed"], ["env"], ["token", "client@demo.test"]):
        assert flask_command("demo", *words).exit_code == 1
    assert db.session.scalar(select(func.count()).select_from(Person)) == 0
