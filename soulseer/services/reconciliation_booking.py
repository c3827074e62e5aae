"""What only Stripe's list tells, booked from it, set by set: its fees, and its payouts to the platform's own bank."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, bindparam, text

from soulseer.db import db
from soulseer.domain.accounts import AccountKind
from soulseer.domain.money import CURRENCY
from soulseer.services import ledger

BATCH = 2000
# Lines that are a fee themselves, and lines of money on its way between Stripe and the platform's bank.
FEE_TYPES = ("stripe_fee", "stripe_fx_fee", "tax_fee")
BANK_TYPES = ("payout", "payout_cancel", "payout_failure", "topup", "topup_reversal")

# A fee taken is money gone from Stripe: clearing rises (it is negative), fees fall. One given back, the other way round.
_BOOK = text("""
WITH batch AS MATERIALIZED (
    SELECT id, stripe_id, type, reference, currency,
           CASE WHEN type = ANY(:fee_types) THEN fee - amount ELSE fee END AS fee,
           CASE WHEN type = ANY(:bank_types) THEN -amount ELSE 0 END AS sent
    FROM stripe_balance_transaction WHERE id > :after ORDER BY id LIMIT :size
), wanted AS (
    SELECT 'processor_fee' AS kind, 'fee:' || stripe_id AS key, stripe_id AS reference, fee AS taken, :fees AS other,
           'Stripe: ' || replace(type, '_', ' ') AS memo
    FROM batch WHERE currency = :currency AND fee <> 0
    UNION ALL
    SELECT 'bank_transfer', 'bank:' || stripe_id, reference, sent, :bank, 'Stripe: ' || replace(type, '_', ' ')
    FROM batch WHERE currency = :currency AND sent <> 0
), posted AS (
    INSERT INTO ledger_transaction (kind, idempotency_key, stripe_reference, memo, created_at)
    SELECT kind, key, reference, memo, :now FROM wanted
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id, idempotency_key
), entries AS (
    INSERT INTO ledger_entry (transaction_id, account_id, amount, currency)
    SELECT posted.id, side.account_id, side.amount, :currency
    FROM posted JOIN wanted ON wanted.key = posted.idempotency_key
        CROSS JOIN LATERAL (VALUES (:clearing, wanted.taken), (wanted.other, -wanted.taken)) AS side(account_id, amount)
)
SELECT (SELECT max(id) FROM batch) AS last, (SELECT count(*) FROM posted) AS booked
""").bindparams(
    *(bindparam(name, type_=BigInteger) for name in ("after", "size", "fees", "bank", "clearing")),
    bindparam("now", type_=DateTime(timezone=True)),
)

_PLACE = text("SELECT booked_through FROM stripe_import WHERE name = 'balance_transactions' FOR UPDATE")
_PLACED = text("UPDATE stripe_import SET booked_through = :last WHERE name = 'balance_transactions'")


def book(now: datetime, size: int = BATCH) -> int | None:
    """Book the next ``size`` lines; how many movements were new, None where no line is left.

    Each has its line's own key (``fee:txn_…``, ``bank:txn_…``): the same line again books nothing.
    """
    parameters: dict[str, Any] = {
        "after": db.session.execute(_PLACE).scalar_one(),
        "size": size,
        "now": now,
        "currency": CURRENCY,
        "fee_types": list(FEE_TYPES),
        "bank_types": list(BANK_TYPES),
        "fees": ledger.account_id(AccountKind.PROCESSOR_FEES),
        "bank": ledger.account_id(AccountKind.PLATFORM_BANK),
        "clearing": ledger.account_id(AccountKind.STRIPE_CLEARING),
    }
    last, booked = db.session.execute(_BOOK, parameters).one()
    if last is None:
        return None
    db.session.execute(_PLACED, {"last": last})
    return int(booked)
