"""A database that restarts between two requests is not felt by the second one; a request writes in transactions only."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError, InvalidatePoolError

from soulseer.db import check_connection, db, transaction

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
