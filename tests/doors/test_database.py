"""A database that restarts between two requests is not felt by the second one; a request writes in transactions only."""

from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DataError, InternalError, InvalidatePoolError, OperationalError

from soulseer.db import Read, check_connection, db, transaction
from soulseer.models.ledger import LedgerAccount
from soulseer.models.people import Person
from tests import factories

WRITE = text("UPDATE person SET time_zone = 'UTC'")


@pytest.fixture
def connection(environment):
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        yield connection


def test_connections_that_the_server_closed_are_replaced(client, superuser) -> None:
    assert client.get("/readers/browse/").status_code == 200
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'soulseer'"
    )
    assert [client.get("/readers/browse/").status_code for _ in range(12)] == [200] * 12


def test_a_closed_connection_is_refused(connection, superuser) -> None:
    check_connection(connection)
    superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    for _ in range(2):
        with pytest.raises(InvalidatePoolError):
            check_connection(connection)


def test_a_connection_with_something_to_say_is_kept(connection, superuser) -> None:
    connection.execute("LISTEN news")
    connection.commit()
    superuser.execute("NOTIFY news")
    for _ in range(2):
        check_connection(connection)
        assert not connection.autocommit
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_request_writes_in_transactions_only(migrated_app, empty) -> None:
    with migrated_app.test_request_context("/healthz"):
        migrated_app.preprocess_request()
        assert db.session.execute(text("SELECT 1")).scalar() == 1
        with pytest.raises(InternalError, match="read-only"):
            db.session.execute(WRITE)
        with transaction():
            db.session.execute(WRITE)
        with pytest.raises(InternalError, match="read-only"):
            db.session.execute(WRITE)


def test_what_follows_a_request_may_write(app, client) -> None:
    assert client.get("/readers/browse/").status_code == 200
    db.session.execute(WRITE)
    db.session.rollback()


def test_a_request_keeps_its_prepared_statements(migrated_app, client) -> None:
    for _ in range(60):
        assert client.get("/readers/browse/").status_code == 200
    with migrated_app.app_context():
        prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%reader_profile%'"
        assert db.session.execute(text(prepared)).scalar_one() > 0


_HANDLES = Read(select(Person.__table__.c.handle, LedgerAccount.__table__.c.balance).join_from(
    Person.__table__, LedgerAccount.__table__, LedgerAccount.__table__.c.owner_id == Person.__table__.c.id
).where(Person.__table__.c.id == bindparam("person")))  # fmt: skip


def test_a_read_gives_what_sqlalchemy_gives(app) -> None:
    person = factories.person(wallet="12.34")
    values = {"person": person.id}
    found = _HANDLES.rows(values)
    assert [tuple(row) for row in found] == [
        tuple(row) for row in db.session.execute(_HANDLES.statement, values)
    ]
    assert (found[0].handle, found[0].balance) == (person.handle, Decimal("12.34"))
    assert (_HANDLES.first({"person": 0}), _HANDLES.scalar({"person": 0})) == (None, None)
    with transaction():
        db.session.get_one(Person, person.id).handle = "renamed"
        assert _HANDLES.scalar(values) == "renamed"


def test_a_read_that_fails_raises_what_the_doors_know(app) -> None:
    nothing = Read(text("SELECT 1 / CAST(:by AS integer) AS part"))
    assert nothing.scalar({"by": 1}) == 1
    for _ in range(2):
        with pytest.raises(DataError):
            nothing.scalar({"by": 0})
        db.session.rollback()
    with pytest.raises(DataError), transaction():
        nothing.scalar({"by": 0})
    assert nothing.scalar({"by": 1}) == 1


def test_a_read_on_a_lost_connection_is_an_operational_error(app, superuser) -> None:
    one = Read(text("SELECT 1 AS one"))
    assert one.scalar({}) == 1
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'soulseer'"
    )
    with pytest.raises(OperationalError):
        one.scalar({})
    db.session.rollback()
    assert one.scalar({}) == 1
