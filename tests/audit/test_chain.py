"""The chain of the audit: what is planted with the superuser's rights is found; what commits late is chained late."""

import json
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain.errors import Forbidden
from soulseer.jobs import runner
from soulseer.models.operations import AuditEntry, AuditLink
from soulseer.models.people import Person
from soulseer.services import audit, audit_chain
from tests.factories import START, person

NOON = START + timedelta(hours=1)


def written(count: int, at: Any = START) -> list[int]:
    """Entries, chained: their numbers."""
    with transaction():
        for number in range(count):
            audit.record(
                "planted", "thing", number, at, reason="with ünïcode", details={"amount": "1.50", "n": 1.5}
            )
    chained()
    return list(db.session.scalars(db.select(AuditEntry.id).order_by(AuditEntry.id)))


def chained() -> dict[str, Any]:
    counts = runner.run(runner.Request("chain_audit", now=NOON))
    assert counts is not None
    return counts


def faults() -> list[tuple[str, int | None]]:
    db.session.rollback()
    found = [(fault.kind, fault.entry) for fault in audit_chain.verify(NOON)[1]]
    db.session.rollback()
    return found


def plant(superuser: psycopg.Connection, *statements: str) -> None:
    """As somebody with the database's own rights, every trigger and key switched off."""
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            superuser.execute(statement)


def test_every_entry_is_chained_once_and_in_order(app: Flask) -> None:
    numbers = written(5)
    assert chained()["chained"] == 0
    links = db.session.scalars(db.select(AuditLink).order_by(AuditLink.position)).all()
    assert [(link.position, link.entry_id) for link in links] == list(enumerate(numbers, 1))
    assert faults() == []


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        ("UPDATE audit_entry SET reason = 'another' WHERE id = 3", [("changed", 3)]),
        ("UPDATE audit_entry SET actor_id = 1 WHERE id = 3", [("changed", 3)]),
        (
            """UPDATE audit_entry SET details = '{"amount": "9.50", "n": 1.5}' WHERE id = 3""",
            [("changed", 3)],
        ),
        ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = 3", [("changed", 3)]),
        ("DELETE FROM audit_entry WHERE id = 3", [("removed", 3)]),
        ("DELETE FROM audit_link WHERE entry_id = 3", [("gap", 4), ("inserted", 3)]),
        (
            "INSERT INTO audit_entry (action, object_type, object_id, reason, details, at) "
            "VALUES ('planted', 'thing', '9', '', '{}', '2026-01-01Z')",
            [("inserted", 6)],
        ),
        (
            "UPDATE audit_link SET content_hash = repeat('0', 64) WHERE entry_id = 3",
            [("order", 3), ("changed", 3)],
        ),
    ],
)
def test_what_is_planted_is_found(
    app: Flask, superuser: psycopg.Connection, statement: str, kinds: list[tuple[str, int]]
) -> None:
    written(5)
    plant(superuser, statement)
    assert faults() == kinds


def test_rows_that_change_places_are_found(app: Flask, superuser: psycopg.Connection) -> None:
    written(5)
    plant(
        superuser,
        "UPDATE audit_link SET position = 99 WHERE position = 2",
        "UPDATE audit_link SET position = 2 WHERE position = 3",
        "UPDATE audit_link SET position = 3 WHERE position = 99",
    )
    assert [kind for kind, _ in faults()] == ["order", "order", "order"]


def test_a_chain_cut_or_made_anew_is_found_by_a_head_that_was_noted(
    app: Flask, superuser: psycopg.Connection
) -> None:
    written(5)
    noted = audit_chain.head()
    plant(superuser, "DELETE FROM audit_link WHERE position > 3", "DELETE FROM audit_entry WHERE id > 3")
    db.session.rollback()
    assert audit_chain.verify(NOON)[1] == []
    assert [fault.kind for fault in audit_chain.verify(NOON, (noted.position, noted.hash))[1]] == ["head"]
    db.session.rollback()
    plant(superuser, "DELETE FROM audit_link", "UPDATE audit_entry SET reason = 'another' WHERE id = 2",
          "INSERT INTO audit_pending SELECT id FROM audit_entry")  # fmt: skip
    chained()
    written(2)
    db.session.rollback()
    assert audit_chain.verify(NOON)[1] == []
    assert [fault.kind for fault in audit_chain.verify(NOON, (noted.position, noted.hash))[1]] == ["head"]


def test_an_entry_that_commits_late_is_chained_and_nobody_waits(migrated_app: Flask, empty: None) -> None:
    """The chain goes on while a transaction with an earlier entry is open; afterwards that one has its place."""
    wrote, go_on = threading.Event(), threading.Event()

    def late() -> None:
        with migrated_app.app_context(), transaction():
            audit.record("late", "thing", 1, START)
            db.session.flush()
            wrote.set()
            assert go_on.wait(20)

    thread = threading.Thread(target=late)
    thread.start()
    try:
        assert wrote.wait(20)
        with migrated_app.app_context():
            with transaction():
                audit.record("early", "thing", 2, START)
            assert chained()["chained"] == 1
    finally:
        go_on.set()
        thread.join(20)
    with migrated_app.app_context():
        assert chained()["chained"] == 1
        order = "SELECT entry_id FROM audit_link ORDER BY position"
        assert list(db.session.scalars(text(order))) == [2, 1]
        assert faults() == []


def test_two_who_chain_at_once_make_one_chain(migrated_app: Flask, empty: None) -> None:
    with migrated_app.app_context(), transaction():
        for number in range(50):
            audit.record("planted", "thing", number, START)

    def work() -> None:
        with migrated_app.app_context():
            for _ in range(6):
                with transaction():
                    audit_chain.extend(NOON, 10)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with migrated_app.app_context():
        assert audit_chain.head().position == 50
        assert faults() == []


def test_what_waits_for_hours_is_told(app: Flask) -> None:
    with transaction():
        audit.record("planted", "thing", 1, NOON - timedelta(hours=2))
    assert faults() == [("late", 1)]


def test_the_command_says_so(app: Flask, superuser: psycopg.Connection) -> None:
    written(3)
    clean = app.test_cli_runner().invoke(args=["audit", "verify", "--json"])
    assert clean.exit_code == 0, clean.output
    assert json.loads(clean.output)["position"] == 3
    head = f"{json.loads(clean.output)['position']}:{json.loads(clean.output)['hash']}"
    plant(superuser, "UPDATE audit_entry SET reason = 'another' WHERE id = 2")
    found = app.test_cli_runner().invoke(args=["audit", "verify", "--json", "--head", head])
    assert found.exit_code == 3
    assert [fault["entry"] for fault in json.loads(found.output)["faults"]] == [2]
    assert app.test_cli_runner().invoke(args=["audit", "verify", "--head", "3"]).exit_code == 2


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_link SET hash = ''", "DELETE FROM audit_link", "TRUNCATE audit_link"]
)
def test_the_database_keeps_the_chain(app: Flask, statement: str) -> None:
    written(1)
    with pytest.raises(Exception, match="append-only"), transaction():
        db.session.execute(text(statement))


def test_an_entry_tells_before_after_and_whom_it_is_about(app: Flask) -> None:
    """From the unit of work, over several flushes, and never what must be erasable."""
    about, actor = person(), person("admin")
    with transaction():
        row = db.session.get_one(Person, about.id)
        before = row.time_zone
        row.time_zone, row.email = "Europe/Paris", "new@test.test"
        db.session.flush()
        row.time_zone = "Europe/Rome"
        audit.record("planted", "person", about.id, START, actor_id=actor.id)
    with transaction():
        audit.record("nothing_changed", "person", about.id, START)

    def undone() -> None:
        with transaction():
            db.session.get_one(Person, about.id).time_zone = "Asia/Tokyo"
            db.session.flush()
            raise Forbidden("rolled back")

    with pytest.raises(Forbidden):
        undone()
    with transaction():
        audit.record("after_a_rollback", "person", about.id, START)
    first, second, third = db.session.scalars(
        db.select(AuditEntry)
        .where(AuditEntry.object_id == str(about.id))
        .order_by(AuditEntry.id.desc())
        .limit(3)
    ).all()[::-1]
    assert (first.before, first.after) == ({"time_zone": before}, {"time_zone": "Europe/Rome"})
    assert first.subject_id == about.id
    assert (second.before, second.after, third.before) == (None, None, None)
