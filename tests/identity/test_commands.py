"""flask users set-role, flask doctor, and what they tell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from soulseer.cli import doctor
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.identity import Identity
from soulseer.services import people
from tests.identity.site import running_site

REPOSITORY = Path(__file__).resolve().parents[2]


def run(app, *words: str):
    return app.test_cli_runner().invoke(args=list(words))


def make(app, subject: str = "demo|ana@demo.test", email: str = "ana@demo.test") -> int:
    with app.app_context(), transaction():
        return people.ensure(Identity("http://issuer.test", subject, email), clock.now())[0]


def test_a_role_is_granted_once_audited_and_taken_away(app, superuser) -> None:
    person_id = make(app)
    granted = run(app, "users", "set-role", "Ana@Demo.Test", "finance")
    assert granted.exit_code == 0, granted.output
    assert granted.output == "ana (ana@demo.test): finance granted; roles: client, finance\n"
    assert "was held already" in run(app, "users", "set-role", "ana@demo.test", "finance").output
    assert (
        "finance removed; roles: client"
        in run(app, "users", "set-role", "ana@demo.test", "finance", "--remove").output
    )
    assert "was not held" in run(app, "users", "set-role", "ana@demo.test", "finance", "--remove").output
    rows = superuser.execute(
        "SELECT action, details, reason FROM audit_entry WHERE object_id = %s ORDER BY id", [str(person_id)]
    )
    assert [(action, details.get("role"), reason) for action, details, reason in rows] == [
        ("person_created", None, ""),
        ("role_granted", "finance", "flask users set-role"),
        ("role_removed", "finance", "flask users set-role"),
    ]


def test_the_role_of_a_reader_opens_the_earnings_accounts(app, superuser) -> None:
    make(app)
    assert run(app, "users", "set-role", "ana@demo.test", "reader").exit_code == 0
    kinds = superuser.execute(
        "SELECT kind FROM ledger_account WHERE owner_id IS NOT NULL ORDER BY kind"
    ).fetchall()
    assert [kind for (kind,) in kinds] == [
        "client_wallet",
        "reader_earnings_available",
        "reader_earnings_pending",
    ]


def test_an_ambiguous_address_is_refused_with_the_candidates(app, superuser) -> None:
    make(app, "auth0|1")
    make(app, "google|2")
    refused = run(app, "users", "set-role", "ana@demo.test", "ops")
    assert refused.exit_code == 1
    assert "auth0|1" in refused.output
    assert "google|2" in refused.output
    assert superuser.execute("SELECT count(*) FROM person_role WHERE role = 'ops'").fetchone()[0] == 0
    assert run(app, "users", "set-role", "ana@demo.test", "ops", "--subject", "google|2").exit_code == 0
    held = "SELECT subject FROM person JOIN person_role ON person_id = id WHERE role = 'ops'"
    assert superuser.execute(held).fetchall() == [("google|2",)]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nobody@demo.test", "ops"], 1),
        (["ana@demo.test", "emperor"], 2),
        (["", "ops"], 1),
        (["ana@demo.test", "ops", "--subject", "x"], 1),
    ],
)
def test_what_cannot_be_done_says_so(app, words, code) -> None:
    make(app)
    answer = run(app, "users", "set-role", *words)
    assert answer.exit_code == code
    assert "Traceback" not in answer.output
    assert answer.output


def states(app) -> tuple[int, dict[str, tuple[str, str]]]:
    answer = run(app, "doctor", "--json")
    told = json.loads(answer.stdout.strip().splitlines()[-1])
    assert told["ok"] is (answer.exit_code == 0)
    return answer.exit_code, {check["name"]: (check["state"], check["detail"]) for check in told["checks"]}


def test_the_doctor_names_what_is_missing(app) -> None:
    code, found = states(app)
    assert code == 1
    assert list(found) == list(doctor.CHECKS)
    assert {name for name, (state, _) in found.items() if state == "ok"} == {
        "settings", "database", "migrations", "redis", "staff", "agora", "calls",
    }  # fmt: skip
    assert {name for name, (state, _) in found.items() if state == "off"} == {"storage", "mail"}
    assert "flask jobs worker" in found["workers"][1]
    assert "does not answer" in found["openid"][1]
    lines = run(app, "doctor").output.strip().splitlines()
    assert len(lines) == len(doctor.CHECKS)


def test_the_doctor_is_content_when_all_is_there(migrated_app, empty, tmp_path, monkeypatch) -> None:
    with running_site(tmp_path) as site:
        for name in ("workers", "scheduler", "stripe"):
            monkeypatch.setitem(doctor.CHECKS, name, lambda: "as told")
        code, found = states(site.app)
        assert (code, found["openid"]) == (0, ("ok", f"{site.issuer.settings.issuer}, 1 keys"))
        site.issuer.away = True
        assert states(site.app)[1]["openid"][0] == "failed"


def test_the_doctor_of_a_database_away_and_behind(app, monkeypatch, superuser) -> None:
    superuser.execute("UPDATE alembic_version SET version_num = '0001'")
    try:
        state, detail = states(app)[1]["migrations"]
    finally:
        from alembic.script import ScriptDirectory

        head = ScriptDirectory(str(REPOSITORY / "migrations")).get_current_head()
        superuser.execute("UPDATE alembic_version SET version_num = %s", [head])
    assert state == "failed"
    assert "flask db upgrade" in detail


def test_missing_settings_are_a_line_each_and_no_traceback(environment) -> None:
    weak = {
        **os.environ,
        "APP_ENV": "production",
        "SECRET_KEY": "short",
        "STRIPE_SECRET_KEY": "",
        "DEBUG": "1",
    }
    for command in (["-m", "flask", "doctor"], ["-m", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=REPOSITORY, env=weak, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1, done.stderr
        faults = [line for line in done.stderr.splitlines() if line.partition(":")[0].isupper()]
        named = {line.partition(":")[0] for line in faults}
        assert {
            "SECRET_KEY",
            "STRIPE_SECRET_KEY",
            "DEBUG",
            "SANDBOX",
            "APP_BASE_URL",
            "DATABASE_URL",
        } <= named
        assert "Traceback" not in done.stderr


def test_signing_in_costs_one_statement(app) -> None:
    from sqlalchemy import event

    from soulseer.services import logins

    person_id = make(app)
    with transaction():
        people.grant_role(person_id, "finance", clock.now())
        login_id = logins.start(person_id, clock.now(), id_token=None, address=None, user_agent="x" * 1000)
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        found = logins.signed_in(login_id, clock.now())
        by_token = people.find("http://issuer.test", "demo|ana@demo.test", clock.now())
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert found is not None
    assert (found.roles, found.is_staff, found.get_id()) == ({"client", "finance"}, True, str(login_id))
    assert by_token.roles == found.roles
    assert len(seen) == 2
    assert found.person.handle == "ana"
    with transaction():
        assert logins.end_all(person_id, clock.now()) == 1
    assert logins.signed_in(login_id, clock.now()) is None
