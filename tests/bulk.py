"""Many active sessions in a second, through the guards and as the app's role, each with a client and a reader of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.gateways.presence import EPOCH, SEEDED, SIGNS
from soulseer.models.readings import ReadingSession
from soulseer.services import billing
from soulseer.services.settling import MICROSECOND
from tests.factories import START

_PEOPLE = """
INSERT INTO person (issuer, subject, email, handle, email_verified, time_zone, created_at)
SELECT 'bulk', side || n, side || n || '@bulk.test', 'bulk-' || side || n, true, 'UTC', :now
FROM generate_series(1, cardinality(CAST(:wallets AS bigint[]))) AS n, unnest(ARRAY['c', 'r']) AS side ORDER BY n, side
"""
_PROFILES = """
INSERT INTO reader_profile (person_id, slug, display_name, headline, specialties, biography, status, listed, online,
                            rating_sum, rating_count, created_at, verified_at)
SELECT id, 'bulk-' || subject, 'Reader ' || subject, '', '', '', 'verified', true, true, 0, 0, :now, :now
FROM person WHERE issuer = 'bulk' AND subject LIKE 'r%'
"""
_ACCOUNTS = """
INSERT INTO ledger_account (owner_id, balance, floor, kind, currency, hot, created_at)
SELECT p.id, 0, 0, k.kind, 'USD', false, :now
FROM person p JOIN (VALUES ('c', 'client_wallet'), ('r', 'reader_earnings_pending'), ('r', 'reader_earnings_available'))
    AS k(side, kind) ON k.side = left(p.subject, 1)
WHERE p.issuer = 'bulk' ORDER BY p.id
"""
_OPENINGS = """
WITH opening AS (
    SELECT a.id, n.cents FROM unnest(CAST(:wallets AS bigint[])) WITH ORDINALITY AS n(cents, number)
        JOIN person p ON p.issuer = 'bulk' AND p.subject = 'c' || n.number
        JOIN ledger_account a ON a.owner_id = p.id AND a.kind = 'client_wallet'
), made AS (
    INSERT INTO ledger_transaction (kind, idempotency_key, memo, created_at)
    SELECT 'adjustment', 'bulk:opening:' || id, '', :now FROM opening RETURNING id, idempotency_key
)
INSERT INTO ledger_entry (transaction_id, account_id, amount, currency)
SELECT m.id, side.account_id, side.cents, 'USD' FROM made m JOIN opening o ON m.idempotency_key = 'bulk:opening:' || o.id
    CROSS JOIN (SELECT id FROM ledger_account WHERE kind = 'platform_promotions' AND owner_id IS NULL) AS source
    CROSS JOIN LATERAL (VALUES (source.id, -o.cents), (o.id, o.cents)) AS side(account_id, cents)
"""
_WAITING = """
INSERT INTO reading_session (client_id, reader_id, client_account_id, reader_account_id, created_at, ring_until,
    client_joined_at, reader_joined_at, active_microseconds, kept_microseconds, rate, reader_rate, minutes_billed, credit,
    minimum_minutes, reconnects, reader_share, state, modality, channel, currency)
SELECT c.id, r.id, w.id, e.id, :now, :now, :now, :now, 0, 0, :rate, :reader_rate, 0, 0, 1, 0, 0.7, 'waiting', 'text',
    'bulk-' || c.id, 'USD'
FROM person c JOIN person r ON r.issuer = 'bulk' AND r.subject = 'r' || substr(c.subject, 2)
    JOIN ledger_account w ON w.owner_id = c.id JOIN ledger_account e ON e.owner_id = r.id AND e.kind LIKE '%pending'
WHERE c.issuer = 'bulk' AND c.subject LIKE 'c%' ORDER BY c.id
"""
_LIVE = """
INSERT INTO live_participant (person_id, reading_session_id)
SELECT unnest(ARRAY[client_id, reader_id]), id FROM reading_session WHERE channel LIKE 'bulk-%'
"""
_ACTIVE = """
UPDATE reading_session SET state = 'active', activated_at = :now, active_since = :now, covered_until = :now, paid_until = :now
WHERE channel LIKE 'bulk-%'
"""
_STATEMENTS = (_PEOPLE, _PROFILES, _ACCOUNTS, _OPENINGS, _WAITING, _LIVE, _ACTIVE)


def sessions(
    wallets: Sequence[int], *, rate: int = 199, reader_rate: int = 139, now: datetime = START
) -> list[int]:
    """One active session for each of ``wallets`` (cents before the first minute, which is paid at ``now``): their ids.

    Call it once on empty tables, outside transaction(). Redis remembers both participants at ``now``.
    """
    values: dict[str, Any] = {"now": now, "wallets": list(wallets), "rate": rate, "reader_rate": reader_rate}
    types = {"now": DateTime(timezone=True), "wallets": ARRAY(BigInteger)}
    with transaction():
        for statement in _STATEMENTS:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            binds = [bindparam(name, type_=types[name]) for name in used if name in types]
            db.session.execute(text(statement).bindparams(*binds), used)
        ids = list(db.session.scalars(select(ReadingSession.id)))
        paid = billing.charge(ids, cover=now, due_before=now + MICROSECOND, now=now)
    assert paid.sessions == len(wallets), "every wallet must cover the first minute"
    with transaction():
        db.session.execute(text("ANALYZE reading_session, ledger_account, reading_minute, live_participant"))
    ids = list(
        db.session.scalars(text("SELECT id FROM reading_session WHERE channel LIKE 'bulk-%' ORDER BY id"))
    )
    db.session.rollback()
    see(ids, now)
    return ids


def see(ids: Sequence[int], now: datetime) -> None:
    """Both participants of each session give a sign of life at ``now``."""
    redis = gateways.current().presence.redis
    microseconds = int(now.timestamp() * 1_000_000)
    redis.set(EPOCH, microseconds - 1, nx=True)
    redis.set(SEEDED, 1)
    redis.zadd(
        SIGNS, {f"{one}:{role}": microseconds for one in ids for role in ("client", "reader")}, gt=True
    )
