"""Migration 0013 on a database with finalized readings of before: each gets its earning, held from its receipt on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

PLANTED = """
SET session_replication_role = replica;
INSERT INTO person (issuer, subject, email, email_verified, handle, time_zone, created_at)
SELECT 'http://127.0.0.1:9/', 'p' || n, 'p' || n || '@test.test', true, 'p-' || n, 'UTC', '2026-10-01T00:00:00Z'
FROM generate_series(1, 2) n;
INSERT INTO reading_session (client_id, reader_id, client_account_id, reader_account_id, created_at, ring_until,
    minutes_billed, active_microseconds, kept_microseconds, rate, reader_rate, credit, minimum_minutes, reconnects,
    reader_share, state, modality, channel, currency, ended_at, end_reason, finalized_at)
SELECT 1, 2, 1, 2, '2026-11-01T00:00:00Z', '2026-11-01T00:02:00Z', n, 0, 0, 1000, 700, 0, 1, 0, 0.7,
    CASE WHEN n < 3 THEN 'finalized' ELSE 'ended' END, 'text', 'channel-' || n, 'USD', '2026-11-01T01:00:00Z',
    'client_ended', CASE WHEN n < 3 THEN timestamptz '2026-11-01T01:00:00Z' END
FROM generate_series(0, 3) n;
INSERT INTO reading_receipt (reading_session_id, code, minutes, active_microseconds, charged, credited, total,
    reader_part, platform_part, currency, issued_at)
SELECT id, 'CODE' || id, minutes_billed, 0, 1000 * minutes_billed, 0, 1000 * minutes_billed, 700 * minutes_billed,
    300 * minutes_billed, 'USD', '2026-11-02T00:00:00Z'
FROM reading_session WHERE state = 'finalized';
"""


@pytest.fixture
def old_database(servers, environment) -> Iterator[str]:
    postgres, _ = servers
    postgres.create_database("payouts_backfill")
    yield "payouts_backfill"
    with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE payouts_backfill WITH (FORCE)")


def _upgrade(url: str, revision: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "db", "upgrade", revision],
        cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_readings_finalized_before_get_their_earning(servers, old_database) -> None:
    postgres, _ = servers
    _upgrade(postgres.url(old_database), "0012")
    with psycopg.connect(postgres.superuser_url(old_database), autocommit=True) as connection:
        connection.execute(PLANTED)
        _upgrade(postgres.url(old_database), "0013")
        found = connection.execute(
            "SELECT reader_id, source, reading_session_id, amount, taken_back, state, earned_at::date::text, "
            "releases_at::date::text FROM earning ORDER BY id"
        ).fetchall()
    # Reading 1 earned nothing, reading 4 is not finalized.
    assert found == [
        (2, "reading", 2, 700, 0, "pending", "2026-11-02", "2026-11-09"),
        (2, "reading", 3, 1400, 0, "pending", "2026-11-02", "2026-11-09"),
    ]
