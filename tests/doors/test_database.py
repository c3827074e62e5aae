"""A database that restarts between two requests is not felt by the second one."""

import psycopg
import pytest
from sqlalchemy.exc import InvalidatePoolError

from soulseer.db import check_connection


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
