"""What every measurement needs: servers with fsync on, the product on a migrated database, people in bulk."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from flask_migrate import upgrade

from soulseer import gateways
from soulseer.app import create_app
from soulseer.db import db
from soulseer.gateways import presence
from soulseer.sandbox.embedded import EmbeddedPostgres, EmbeddedValkey

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CENTS, READER_CENTS = 199, 139


@dataclass
class Bench:
    """A running product and a superuser's connection for what only a measurement does."""

    app: Flask
    database: psycopg.Connection
    postgres: EmbeddedPostgres
    environment: dict[str, str]


@contextmanager
def product(**settings: Any) -> Iterator[Bench]:
    """Servers in a temporary folder, durable, and the application on them."""
    directory = Path(tempfile.mkdtemp(prefix="soulseer-bench-"))
    try:
        with ExitStack() as stack:
            postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
            # Durable like the real one, so it keeps its data when it stops; ours is worth nothing afterwards.
            stack.callback(postgres.remove)
            valkey = stack.enter_context(EmbeddedValkey(directory / "valkey"))
            if not postgres.has_database("soulseer"):
                postgres.create_database("soulseer")
            environment = {
                "APP_ENV": "test",
                "SECRET_KEY": "bench-secret-key-bench-secret-key-bench-secret-key-bench-key",
                "DATABASE_URL": postgres.url("soulseer"),
                "REDIS_URL": valkey.url(0),
                "SANDBOX_DIR": str(directory / "sandbox"),
                "LOG_LEVEL": "ERROR",
                "RATE_LIMITS": "false",
                "OIDC_ISSUER": "http://127.0.0.1:9",
                "AUTH0_AUDIENCE": "https://api.soulseer.test",
            }
            os.environ.update(environment)
            with psycopg.connect(postgres.superuser_url("soulseer"), autocommit=True) as database:
                # Room for a long run without a checkpoint in the middle; everything else as shipped.
                database.execute("ALTER SYSTEM SET max_wal_size = '16GB'")
                database.execute("ALTER SYSTEM SET checkpoint_timeout = '1h'")
                # Files of the log are used again after a checkpoint, as on a server that has run for a day; making a
                # new one stops every commit for 50 ms.
                database.execute("ALTER SYSTEM SET min_wal_size = '4GB'")
                database.execute("SELECT pg_reload_conf()")
                app = create_app(**settings)
                with app.app_context():
                    upgrade()
                    yield Bench(app, database, postgres, environment)
                    db.session.remove()
                    db.engine.dispose()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def add_sessions(
    bench: Bench, count: int, *, first: int = 1, paid_until: datetime = START, wallet_cents: int = 10_000_000
) -> None:
    """``count`` active sessions, each with a client and a reader of its own, through the guards; both were just seen."""
    bench.database.execute(
        "INSERT INTO person (issuer, subject, handle, email_verified, time_zone, created_at) "
        "SELECT 'bench', side || n, side || '-' || n, false, 'UTC', %(at)s "
        "FROM generate_series(%(first)s::bigint, %(last)s) n, unnest(ARRAY['c','r']) side",
        span := {
            "first": first,
            "last": first + count - 1,
            "at": START,
            "wallet": wallet_cents,
            "paid": paid_until,
        },
    )
    bench.database.execute(
        "INSERT INTO reader_profile (person_id, slug, display_name, headline, specialties, biography, status, listed, online, "
        "rating_sum, rating_count, created_at, verified_at) "
        "SELECT id, 'r' || substr(subject, 2), 'Reader ' || substr(subject, 2), '', '', '', 'verified', true, true, 0, 0, %(at)s, %(at)s "
        "FROM person WHERE issuer = 'bench' AND subject LIKE 'r%%' AND substr(subject, 2)::bigint BETWEEN %(first)s AND %(last)s",
        span,
    )
    bench.database.execute(
        "INSERT INTO ledger_account (owner_id, balance, floor, kind, currency, hot, created_at) "
        "SELECT id, 0, 0, CASE WHEN subject LIKE 'c%%' THEN 'client_wallet' ELSE 'reader_earnings_pending' END, 'USD', false, %(at)s "
        "FROM person WHERE issuer = 'bench' AND substr(subject, 2)::bigint BETWEEN %(first)s AND %(last)s ORDER BY id",
        span,
    )
    bench.database.execute(
        "WITH t AS (INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at) "
        " SELECT 'adjustment', 'bench:' || a.id, '', %(at)s FROM ledger_account a JOIN person p ON p.id = a.owner_id "
        " WHERE a.kind = 'client_wallet' AND substr(p.subject, 2)::bigint BETWEEN %(first)s AND %(last)s RETURNING id, idempotency_key) "
        "INSERT INTO ledger_entry (transaction_id, account_id, amount, currency) "
        "SELECT t.id, side.account, side.amount, 'USD' FROM t, LATERAL (VALUES "
        "(substr(t.idempotency_key, 7)::bigint, %(wallet)s::bigint), "
        "((SELECT id FROM ledger_account WHERE kind = 'platform_promotions'), -%(wallet)s::bigint)) side(account, amount)",
        span,
    )
    bench.database.execute(
        "INSERT INTO reading_session (client_id, reader_id, client_account_id, reader_account_id, created_at, ring_until, activated_at, "
        "active_since, paid_until, covered_until, active_microseconds, kept_microseconds, rate, reader_rate, minutes_billed, credit, "
        "minimum_minutes, reconnects, reader_share, state, modality, channel, currency) "
        f"SELECT c.id, r.id, w.id, e.id, %(at)s, %(at)s, %(at)s, %(at)s, %(paid)s, %(at)s, 0, 0, {CENTS}, {READER_CENTS}, 0, 0, 1, 0, 0.7, "
        "'active', 'text', 'bench' || c.id, 'USD' "
        "FROM person c JOIN person r ON r.issuer = 'bench' AND r.subject = 'r' || substr(c.subject, 2) "
        "JOIN ledger_account w ON w.owner_id = c.id JOIN ledger_account e ON e.owner_id = r.id "
        "WHERE c.issuer = 'bench' AND c.subject LIKE 'c%%' AND substr(c.subject, 2)::bigint BETWEEN %(first)s AND %(last)s ORDER BY c.id",
        span,
    )
    see_everybody(bench)
    bench.database.execute("VACUUM ANALYZE")


def see_everybody(bench: Bench) -> None:
    """Every active session's participants were seen a day after START: present for the whole measurement."""
    redis = gateways.current().presence.redis
    seen = int((START + timedelta(days=1)).timestamp() * 1_000_000)
    redis.set(presence.EPOCH, int((START - timedelta(days=1)).timestamp() * 1_000_000))
    redis.set(presence.SEEDED, 1)
    ids = [row[0] for row in bench.database.execute("SELECT id FROM reading_session WHERE state = 'active'")]
    for place in range(0, len(ids), 20_000):
        part = ids[place : place + 20_000]
        redis.zadd(presence.SIGNS, {f"{one}:{role}": seen for one in part for role in ("client", "reader")})


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median(values: list[float]) -> float:
    return statistics.median(values)


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def wal_position(bench: Bench) -> int:
    """Bytes of write-ahead log so far."""
    row = bench.database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    assert row is not None
    return int(row[0])


def table_bytes(bench: Bench, *tables: str) -> int:
    """Disk of tables with their indexes."""
    row = bench.database.execute(
        "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name", [list(tables)]
    ).fetchone()
    assert row is not None
    return int(row[0])
