"""Migration 0008 on an inbox with events of before: nothing of them changes, and they can be replayed from then on."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import IntegrityConstraintViolation

from soulseer.models.payments import WEBHOOK_STATUSES
from soulseer.sandbox.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.inbox.processes import REPOSITORY

NAME = "inbox_migration"
Servers = tuple[EmbeddedPostgres, EmbeddedValkey]
KEPT = (
    "SELECT event_id, vendor, type, livemode, payload, status, received_at, processed_at, next_attempt_at, attempts, error "
    "FROM webhook_event ORDER BY id"
)


@pytest.fixture
def address(servers: Servers, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Addresses of an empty database: the application's, and a superuser's."""
    postgres, _ = servers
    postgres.create_database(NAME)
    yield postgres.url(NAME), postgres.superuser_url(NAME)
    with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def upgrade(url: str, revision: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "db", "upgrade", revision],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_events_of_before_are_kept_as_they_were(address: tuple[str, str]) -> None:
    ours, superuser = address
    upgrade(ours, "0007")
    with psycopg.connect(superuser, autocommit=True) as connection:
        for number, status in enumerate(WEBHOOK_STATUSES):
            connection.execute(
                "INSERT INTO webhook_event (vendor, event_id, type, livemode, payload, status, attempts, received_at, error) "
                "VALUES ('stripe', %s, 'charge.updated', false, %s, %s, %s, '2026-11-01T00:00:00Z', %s)",
                [
                    f"evt_{status}",
                    b'{"created": 1, "n": "\xc3\xbc"}',
                    status,
                    number,
                    "said" if number else None,
                ],
            )
        before = connection.execute(KEPT).fetchall()
        upgrade(ours, "0008")
        assert connection.execute(KEPT).fetchall() == before
        ways = connection.execute("SELECT DISTINCT came_by, created_at FROM webhook_event").fetchall()
        assert ways == [("webhook", None)]
        assert connection.execute("SELECT count(*) FROM stripe_event_pull").fetchone() == (0,)
        seen = connection.execute("SELECT event_id, came_by FROM reporting.webhook_events").fetchall()
        assert len(seen) == len(WEBHOOK_STATUSES)
        # What was not acted on may be put back now; what was, may not.
        put_back = "UPDATE webhook_event SET status = 'received' WHERE status = ANY(%s)"
        with pytest.raises(IntegrityConstraintViolation):
            connection.execute(put_back, [["processed"]])
        connection.execute(put_back, [["quarantined", "failed", "ignored"]])
        for column, value in (("came_by", "'pull'"), ("created_at", "now()"), ("payload", "''")):
            with pytest.raises(IntegrityConstraintViolation):
                connection.execute(f"UPDATE webhook_event SET {column} = {value}")  # type: ignore[arg-type]
