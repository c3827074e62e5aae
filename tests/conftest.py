"""Real PostgreSQL and Valkey for the whole run; every test starts from empty tables."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql

from config.settings import Settings, load_settings
from soulseer import gateways
from soulseer.app import create_app
from soulseer.sandbox.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.browsers import chromium  # noqa: F401 - a fixture for every folder

ISSUER = "http://127.0.0.1:9/"


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    """One pair of servers for this worker, without fsync."""
    directory = Path(tempfile.mkdtemp(prefix="soulseer-test-"))
    try:
        with (
            EmbeddedPostgres(directory / "postgres", durable=False) as postgres,
            EmbeddedValkey(directory / "valkey") as valkey,
        ):
            yield postgres, valkey
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def environment(
    servers: tuple[EmbeddedPostgres, EmbeddedValkey], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What a process of the product needs in its environment to run on the test servers."""
    postgres, valkey = servers
    if not postgres.has_database("soulseer"):
        postgres.create_database("soulseer")
    values = {
        "APP_ENV": "test",
        "SANDBOX": "1",
        "SANDBOX_DIR": str(tmp_path_factory.mktemp("sandbox")),
        "SECRET_KEY": "test-secret-key-test-secret-key-test-secret-key-test-secret-key",
        "APP_BASE_URL": "http://127.0.0.1:8000",
        "DATABASE_URL": postgres.url("soulseer"),
        "REPORTING_DATABASE_URL": postgres.reporting_url("soulseer"),
        "SUPERUSER_DATABASE_URL": postgres.superuser_url("soulseer"),
        "REDIS_URL": valkey.url(0),
        "OIDC_ISSUER": ISSUER,
        "AUTH0_CLIENT_ID": "soulseer-test",
        "AUTH0_CLIENT_SECRET": "soulseer-test-secret",
        "AUTH0_AUDIENCE": "https://api.soulseer.test",
        "STRIPE_SECRET_KEY": "sk_test_0123456789",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_0123456789",
        "STRIPE_WEBHOOK_SIGNING_SECRET": "whsec_test",
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        "AGORA_APP_ID": "0123456789abcdef0123456789abcdef",
        "AGORA_SECURITY_CERTIFICATE": "fedcba9876543210fedcba9876543210",
        "AGORA_NOTIFICATION_SECRET": "notify",
        "MEDIA_TRANSPORT": "webrtc",
        "LOG_LEVEL": "WARNING",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield values
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    """The settings that the test application runs on; rate limits are off but where a test is about them."""
    return load_settings(rate_limits=False)


@pytest.fixture(scope="session")
def migrated_app(settings: Settings) -> Flask:
    """The application, once for the worker, on a migrated database."""
    from flask_migrate import upgrade

    app = create_app(settings)
    with app.app_context():
        upgrade()
    return app


@pytest.fixture(scope="session")
def superuser(environment: dict[str, str]) -> Iterator[psycopg.Connection]:
    """A connection that may switch the guards off: to empty tables and to plant corruption."""
    with psycopg.connect(environment["SUPERUSER_DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty(migrated_app: Flask, superuser: psycopg.Connection) -> None:
    """Empty every table but the platform's accounts, and Redis."""
    empty_tables(superuser)


def empty_tables(superuser: psycopg.Connection) -> None:
    """What ``empty`` does, for fixtures that live longer than one test."""
    # TRUNCATE makes every table's files anew: with few rows, deleting them takes a fifth of the time.
    used = superuser.execute(
        "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relname <> 'alembic_version' "
        "AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0"
    ).fetchall()
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        if any(size > _LARGE for _, size in used):
            superuser.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(_names(used)))
        else:
            for name, _ in used:
                superuser.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        superuser.execute(_RESTART)
        superuser.execute(_PLATFORM)
    gateways.current().queue.redis.flushall()


def _names(tables: list[tuple[str, int]]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in tables)


_LARGE = 512 * 1024
_RESTART = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
"""

# The platform's accounts are emptied with the rest.
_PLATFORM = """
WITH opened AS (
    INSERT INTO ledger_account (owner_id, balance, floor, kind, currency, hot, created_at)
    SELECT NULL, 0, NULL, kind, 'USD', true, '2026-01-01T00:00:00Z'
    FROM unnest(ARRAY['platform_revenue', 'platform_promotions', 'processor_fees', 'stripe_clearing',
                      'payouts_in_transit', 'platform_bank']) AS kind
    RETURNING id
)
INSERT INTO ledger_shard (account_id, shard, balance) SELECT id, shard, 0 FROM opened, generate_series(0, 15) AS shard
"""


@pytest.fixture
def app(migrated_app: Flask, empty: None) -> Iterator[Flask]:
    """The application on empty tables, with its context pushed (for services); use ``client`` for HTTP."""
    with migrated_app.app_context():
        yield migrated_app


@pytest.fixture
def client(migrated_app: Flask, empty: None) -> FlaskClient:
    """A browser without sign-in."""
    return migrated_app.test_client()
