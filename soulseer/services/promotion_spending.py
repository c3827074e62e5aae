"""Spending promotional credit before cash: right before a charge and in its transaction, what is due moves from the
grants for this reading alone, then from those that expire first, to the client's wallet, and the charge takes it from there (docs/money.md).

One statement for one charge and for two thousand. Nothing is moved where credit and wallet together cannot pay, so
that no credit stays in a wallet as cash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, DateTime, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import from_cents, to_cents
from soulseer.services import ledger

_NOW = bindparam("now", type_=DateTime(timezone=True))

_SPEND = text("""
WITH want AS (
    SELECT * FROM unnest(:wallets, :cents, :keys, :purposes, :sessions)
        AS want(wallet_id, cents, key, purpose, reading_session_id)
), unspent AS (
    SELECT w.key, w.cents, g.id, g.account_id, g.wallet_id, g.remaining,
           sum(g.remaining) OVER (PARTITION BY w.key ORDER BY g.only_session_id IS NULL, g.expires_at, g.id)
               - g.remaining AS before
    FROM want w JOIN promotional_credit g ON g.wallet_id = w.wallet_id AND g.state = 'open' AND g.expires_at > :now
        AND (g.only_session_id IS NULL OR g.only_session_id = w.reading_session_id)
), taken AS (
    SELECT key, id, account_id, wallet_id, least(remaining, cents - before)::bigint AS cents
    FROM unspent WHERE before < cents
), payable AS (
    SELECT t.key, t.account_id, t.wallet_id, sum(t.cents)::bigint AS cents
    FROM taken t JOIN want w ON w.key = t.key JOIN ledger_account a ON a.id = t.wallet_id
    GROUP BY t.key, t.account_id, t.wallet_id, a.id, w.cents
    HAVING a.balance - a.floor + sum(t.cents) >= w.cents
), spent AS (
    UPDATE promotional_credit g
    SET remaining = g.remaining - t.cents, state = CASE WHEN g.remaining = t.cents THEN 'spent' ELSE g.state END
    FROM taken t JOIN payable p ON p.key = t.key WHERE g.id = t.id
    RETURNING g.id, t.key, t.cents
), made AS (
    INSERT INTO ledger_transaction (kind, idempotency_key, reading_session_id, memo, created_at)
    SELECT 'promotion_spent', w.key, w.reading_session_id, '', :now
    FROM want w JOIN payable p ON p.key = w.key ORDER BY w.key
    RETURNING id, idempotency_key
), booked AS (
    INSERT INTO ledger_entry (transaction_id, account_id, amount, currency)
    SELECT m.id, side.account_id, side.amount, 'USD' FROM made m JOIN payable p ON p.key = m.idempotency_key
        CROSS JOIN LATERAL (VALUES (p.account_id, -p.cents), (p.wallet_id, p.cents)) AS side(account_id, amount)
), noted AS (
    INSERT INTO promotional_spend (promotional_credit_id, transaction_id, amount, purpose)
    SELECT s.id, m.id, s.cents, w.purpose
    FROM spent s JOIN made m ON m.idempotency_key = s.key JOIN want w ON w.key = s.key
)
SELECT key, cents FROM payable
""").bindparams(
    _NOW,
    *(bindparam(name, type_=ARRAY(BigInteger)) for name in ("wallets", "cents", "sessions")),
    *(bindparam(name, type_=ARRAY(String)) for name in ("keys", "purposes")),
)

# By the grants, which are few, and who of their owners is in a reading now.
_HOLDERS = text("""
SELECT s.id
FROM (SELECT DISTINCT person_id FROM promotional_credit WHERE state = 'open' AND expires_at > :now) g
    JOIN live_participant p ON p.person_id = g.person_id
    JOIN reading_session s ON s.id = p.reading_session_id AND s.client_id = g.person_id
WHERE s.state = 'active' AND s.paid_until < :due_before AND NOT (s.id = ANY(:skip))
    AND (s.id >> 12) % :parts = :part - 1
ORDER BY s.id
""").bindparams(
    _NOW,
    bindparam("due_before", type_=DateTime(timezone=True)),
    bindparam("skip", type_=ARRAY(BigInteger)),
)

_LOCK_DUE = text("""
SELECT id, client_account_id, reader_account_id, rate, minutes_billed + 1 AS minute
FROM reading_session WHERE state = 'active' AND id = ANY(:ids) AND paid_until < :due_before
    AND minutes_billed < coalesce(max_minutes, 2147483647)
ORDER BY id FOR NO KEY UPDATE
""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)), bindparam("due_before", type_=DateTime(timezone=True))
)

_LOCK_ACCOUNTS = text("""
SELECT id FROM ledger_account
WHERE id IN (SELECT unnest(:ids) UNION SELECT account_id FROM promotional_credit
             WHERE wallet_id = ANY(:wallets) AND state = 'open')
ORDER BY id FOR NO KEY UPDATE
""").bindparams(*(bindparam(name, type_=ARRAY(BigInteger)) for name in ("ids", "wallets")))

# A plan that is kept knows nothing of how many are wanted: made for ten, it takes a minute for two thousand.
_PREPARE = text(
    "SELECT set_config('lock_timeout', :timeout, true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)

_NOT_CHARGED = text("""
SELECT count(*) FROM unnest(:ids, :minutes) AS paid(id, minute)
WHERE NOT EXISTS (SELECT FROM reading_minute m WHERE m.reading_session_id = paid.id AND m.minute = paid.minute)
""").bindparams(*(bindparam(name, type_=ARRAY(BigInteger)) for name in ("ids", "minutes")))


class SpentForNothing(Exception):
    """Credit was moved for a charge that then did not come: the transaction must roll back."""


@dataclass(frozen=True)
class Want:
    """A charge of ``cents`` to the wallet that is about to be made; ``key`` names its conversion."""

    wallet_id: int
    cents: int
    key: str
    purpose: str
    reading_session_id: int | None = None


@dataclass(frozen=True)
class MinuteWant:
    """Minute ``minute`` of a reading, about to be charged."""

    session_id: int
    minute: int
    wallet_id: int
    cents: int

    @property
    def want(self) -> Want:
        key = f"reading:{self.session_id}:promotion:{self.minute}"
        return Want(self.wallet_id, self.cents, key, purpose_of_reading(self.session_id), self.session_id)


def purpose_of_reading(session_id: int) -> str:
    """How what a reading was paid with is named."""
    return f"reading:{session_id}"


def spend(wants: Sequence[Want], now: datetime) -> dict[str, Decimal]:
    """Move what each of ``wants`` can be paid with from credit: dollars by key; those that have none, or that credit
    and wallet together cannot pay, are left out. Both accounts of each must be locked; each key is used once."""
    values = {
        "now": now,
        "wallets": [want.wallet_id for want in wants],
        "cents": [want.cents for want in wants],
        "keys": [want.key for want in wants],
        "purposes": [want.purpose for want in wants],
        "sessions": [want.reading_session_id for want in wants],
    }
    return {row.key: from_cents(row.cents) for row in db.session.execute(_SPEND, values)}


def cover(person_id: int, amount: Decimal, key: str, purpose: str, now: datetime) -> Decimal:
    """Move what credit can pay of a charge of ``amount`` dollars to the person's wallet; how much that was.

    For charges that are no minutes (a booking, a gift), in their transaction and right before them; ``key`` is unique
    to the charge, ``purpose`` names what is paid (``booking:17``). A charge under a key of its own that was made
    before must be found before this is called, and all accounts that the charge moves be locked
    (``ledger.lock_accounts`` with ``credit_of``): here only the client's are.
    """
    wallet_id = ledger.account_id(AccountKind.CLIENT_WALLET, person_id)
    ledger.lock_accounts([wallet_id], credit_of=[person_id])
    return spend([Want(wallet_id, to_cents(amount), key, purpose)], now).get(key, Decimal("0.00"))


def spend_on_minutes(minutes: Sequence[MinuteWant], now: datetime) -> list[MinuteWant]:
    """``spend`` for minutes of readings: those of ``minutes`` that credit pays or helps to pay."""
    spent = spend([minute.want for minute in minutes], now)
    return [minute for minute in minutes if minute.want.key in spent]


def check_charged(minutes: Sequence[MinuteWant]) -> None:
    """Raise SpentForNothing unless every one of ``minutes`` is in the books."""
    if not minutes:
        return
    values = {"ids": [one.session_id for one in minutes], "minutes": [one.minute for one in minutes]}
    if db.session.scalar(_NOT_CHARGED, values):
        raise SpentForNothing


def holders_due(
    due_before: datetime, now: datetime, skip: Sequence[int], *, part: int, parts: int
) -> list[int]:
    """Ids of the active sessions that are due, but ``skip``, whose client holds credit that is good at ``now``."""
    values = {"due_before": due_before, "now": now, "skip": list(skip), "part": part, "parts": parts}
    return list(db.session.scalars(_HOLDERS, values))


def spend_on_due(
    ids: Sequence[int], due_before: datetime, now: datetime, lock_timeout_milliseconds: int
) -> list[MinuteWant]:
    """Lock those of ``ids`` that are due, then all accounts that charging them moves, and spend credit on one minute
    of each; the minutes that it pays or helps to pay. Nothing that is locked is waited for longer than the time-out."""
    timeout = {"timeout": f"{lock_timeout_milliseconds}ms"}
    db.session.execute(_PREPARE, timeout)
    due = db.session.execute(_LOCK_DUE, {"ids": list(ids), "due_before": due_before}).all()
    if not due:
        return []
    wallets = [row.client_account_id for row in due]
    accounts = wallets + [row.reader_account_id for row in due]
    db.session.execute(_LOCK_ACCOUNTS, {"ids": accounts, "wallets": wallets})
    return spend_on_minutes(
        [MinuteWant(row.id, row.minute, row.client_account_id, row.rate) for row in due], now
    )
