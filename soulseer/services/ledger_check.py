"""Every invariant of the books, each one query that lists what breaks it (``flask ledger check``)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from soulseer.db import db
from soulseer.domain.accounts import CHART, AccountKind
from soulseer.domain.transfers import TRANSFERS, TransferKind
from soulseer.services import (
    afterwards_checks,
    dispute_checks,
    payout_checks,
    promotion_checks,
    reconciliation_checks,
    refund_checks,
    subscription_checks,
)

LISTED = 50


@dataclass(frozen=True)
class Mismatch:
    """One thing that is wrong: which invariant, where, and how."""

    invariant: str
    subject: str
    detail: str


# (name, SQL that gives `subject` and `detail` of each breach)
CHECKS: tuple[tuple[str, str], ...] = (
    (
        "transactions_sum_to_zero",
        """SELECT 'transaction ' || t.id AS subject, 'sums to ' || coalesce(sum(e.amount), 0) || ' cents in '
                  || count(e.id) || ' entries' AS detail
           FROM ledger_transaction t LEFT JOIN ledger_entry e ON e.transaction_id = t.id
           GROUP BY t.id, e.currency HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.id) < 2""",
    ),
    (
        "minutes_are_balanced",
        """SELECT 'reading ' || reading_session_id || ' minute ' || minute,
                  amount || ' is not ' || reader_part || ' + ' || platform_part
           FROM reading_minute WHERE amount <> reader_part + platform_part OR amount <= 0
               OR reader_part < 0 OR platform_part < 0""",
    ),
    (
        "entries_have_their_transaction_and_account",
        """SELECT 'entry ' || e.id, 'transaction ' || e.transaction_id || ', account ' || e.account_id
           FROM ledger_entry e LEFT JOIN ledger_transaction t ON t.id = e.transaction_id
               LEFT JOIN ledger_account a ON a.id = e.account_id
           WHERE t.id IS NULL OR a.id IS NULL OR a.currency <> e.currency""",
    ),
    (
        "minutes_have_their_session",
        """SELECT 'reading ' || m.reading_session_id, count(*) || ' minutes without a session'
           FROM reading_minute m LEFT JOIN reading_session s ON s.id = m.reading_session_id
           WHERE s.id IS NULL GROUP BY m.reading_session_id""",
    ),
    (
        "balances_equal_entries",
        """WITH moved AS (
               SELECT account_id, sum(amount) AS amount FROM ledger_entry GROUP BY account_id
               UNION ALL
               SELECT s.client_account_id, -sum(m.amount) FROM reading_minute m
                   JOIN reading_session s ON s.id = m.reading_session_id GROUP BY s.client_account_id
               UNION ALL
               SELECT s.reader_account_id, sum(m.reader_part) FROM reading_minute m
                   JOIN reading_session s ON s.id = m.reading_session_id GROUP BY s.reader_account_id
               UNION ALL
               SELECT r.id, sum(m.platform_part) FROM reading_minute m, ledger_account r
                   WHERE r.kind = 'platform_revenue' AND r.owner_id IS NULL GROUP BY r.id
           ), booked AS (SELECT account_id, sum(amount) AS amount FROM moved GROUP BY account_id),
           cached AS (
               SELECT a.id, a.kind, CASE WHEN a.hot
                   THEN a.balance + (SELECT coalesce(sum(s.balance), 0) FROM ledger_shard s WHERE s.account_id = a.id)
                   ELSE a.balance END AS balance
               FROM ledger_account a
           )
           SELECT 'account ' || c.id || ' (' || c.kind || ')',
                  'balance ' || c.balance || ' cents, entries ' || coalesce(b.amount, 0)
           FROM cached c LEFT JOIN booked b ON b.account_id = c.id WHERE c.balance <> coalesce(b.amount, 0)""",
    ),
    (
        "floors_hold",
        """SELECT 'account ' || id || ' (' || kind || ')', balance || ' cents is below ' || floor
           FROM ledger_account WHERE balance < floor""",
    ),
    (
        "accounts_follow_the_chart",
        """SELECT 'account ' || a.id || ' (' || a.kind || ')', 'floor ' || coalesce(a.floor::text, 'none')
                  || CASE WHEN a.hot THEN ', in shards' ELSE '' END || coalesce(', of person ' || a.owner_id, ', of nobody')
           FROM ledger_account a LEFT JOIN unnest(CAST(:kinds AS text[]), CAST(:floors AS bigint[]), CAST(:hot AS boolean[]),
                CAST(:personal AS boolean[])) AS chart(kind, floor, hot, personal) ON chart.kind = a.kind
           WHERE a.floor IS DISTINCT FROM chart.floor OR a.hot IS DISTINCT FROM chart.hot
               OR (a.owner_id IS NOT NULL) IS DISTINCT FROM chart.personal""",
    ),
    (
        "keys_are_unique",
        """SELECT 'key ' || idempotency_key, 'used ' || count(*) || ' times' FROM ledger_transaction
           GROUP BY idempotency_key HAVING count(*) > 1
           UNION ALL
           SELECT 'reading ' || reading_session_id || ' minute ' || minute, 'charged ' || count(*) || ' times'
           FROM reading_minute GROUP BY reading_session_id, minute HAVING count(*) > 1""",
    ),
    (
        "minutes_follow_their_session",
        """SELECT 'reading ' || s.id, s.minutes_billed || ' minutes billed, ' || count(m.minute)
                  || ' in the ledger, the last is ' || coalesce(max(m.minute), 0)
           FROM reading_session s LEFT JOIN reading_minute m ON m.reading_session_id = s.id
           GROUP BY s.id HAVING s.minutes_billed <> count(m.minute) OR coalesce(max(m.minute), 0) <> count(m.minute)""",
    ),
    (
        "minutes_have_their_sessions_price",
        """SELECT 'reading ' || s.id || ' minute ' || m.minute,
                  m.amount || '/' || m.reader_part || ' cents, the session says ' || s.rate || '/' || s.reader_rate
           FROM reading_minute m JOIN reading_session s ON s.id = m.reading_session_id
           WHERE m.amount <> s.rate OR m.reader_part <> s.reader_rate""",
    ),
    (
        "sessions_use_their_peoples_accounts",
        """SELECT 'reading ' || s.id, 'accounts ' || s.client_account_id || ' and ' || s.reader_account_id
           FROM reading_session s LEFT JOIN ledger_account c ON c.id = s.client_account_id
               LEFT JOIN ledger_account r ON r.id = s.reader_account_id
           WHERE c.owner_id IS DISTINCT FROM s.client_id OR c.kind <> 'client_wallet'
               OR r.owner_id IS DISTINCT FROM s.reader_id OR r.kind <> 'reader_earnings_pending'""",
    ),
    (
        "credits_follow_their_session",
        """SELECT 'reading ' || s.id, s.credit || ' cents on the session, ' || coalesce(sum(e.amount), 0) || ' in the ledger'
           FROM reading_session s
               LEFT JOIN ledger_transaction t ON t.reading_session_id = s.id AND t.kind = 'fair_credit'
               LEFT JOIN (ledger_entry e JOIN ledger_account a ON a.id = e.account_id
                   AND a.kind IN ('client_wallet', 'client_promotional_credit')) ON e.transaction_id = t.id
           GROUP BY s.id HAVING s.credit <> coalesce(sum(e.amount), 0)
           UNION ALL
           SELECT 'transaction ' || id, 'a credit without a reading' FROM ledger_transaction
           WHERE kind = 'fair_credit' AND reading_session_id IS NULL""",
    ),
    (
        "finalized_sessions_agree",
        """WITH credit AS (
               SELECT t.reading_session_id AS id, sum(e.amount) AS reader_part FROM ledger_transaction t
                   JOIN ledger_entry e ON e.transaction_id = t.id JOIN ledger_account a ON a.id = e.account_id
               WHERE t.kind = 'fair_credit' AND a.kind LIKE 'reader_%' GROUP BY t.reading_session_id
           )
           SELECT 'reading ' || s.id, s.minutes_billed || ' minutes billed for ' || s.active_microseconds || ' µs'
                  || coalesce(', receipt over ' || r.total || ' = ' || r.reader_part || ' + ' || r.platform_part, ', no receipt')
           FROM reading_session s LEFT JOIN reading_receipt r ON r.reading_session_id = s.id LEFT JOIN credit c ON c.id = s.id
           WHERE s.state = 'finalized' AND (
               r.reading_session_id IS NULL
               OR s.minutes_billed <> CASE WHEN s.activated_at IS NULL THEN 0
                   ELSE greatest(1, ceil(s.active_microseconds / 60000000.0)) END
               OR r.minutes <> s.minutes_billed OR r.credited <> s.credit
               OR r.charged <> s.minutes_billed::bigint * s.rate OR r.total <> r.charged - r.credited
               OR r.reader_part <> s.minutes_billed::bigint * s.reader_rate + coalesce(c.reader_part, 0)
               OR r.platform_part <> r.total - r.reader_part)""",
    ),
    (
        "paid_time_is_used_or_kept",
        """SELECT 'reading ' || id, minutes_billed || ' minutes paid, ' || active_microseconds || ' µs used, '
                  || kept_microseconds || ' µs kept'
                  || CASE WHEN state = 'active' THEN ', paid until ' || paid_until ELSE '' END
           FROM reading_session
           WHERE minutes_billed * 60000000::bigint <> active_microseconds + kept_microseconds
               + CASE WHEN state = 'active' THEN (extract(epoch FROM paid_until - active_since) * 1000000)::bigint ELSE 0 END""",
    ),
    (
        "top_ups_are_credited_once",
        """SELECT 'top-up ' || u.id, u.state || ', ' || count(t.id) || ' transactions over '
                  || coalesce(sum(e.amount), 0) || ' of ' || u.amount || ' cents'
           FROM top_up u
               LEFT JOIN ledger_transaction t ON t.kind = 'top_up'
                   AND t.idempotency_key = 'top-up:' || coalesce(u.stripe_checkout_session_id, 'auto:' || u.stripe_payment_intent_id)
               LEFT JOIN ledger_entry e ON e.transaction_id = t.id AND e.account_id = u.account_id
           GROUP BY u.id
           HAVING (u.state = 'paid') <> (count(t.id) = 1) OR (u.state = 'paid' AND coalesce(sum(e.amount), 0) <> u.amount)
           UNION ALL
           SELECT 'transaction ' || t.id, 'a top-up that no row announced' FROM ledger_transaction t
           WHERE t.kind = 'top_up' AND NOT EXISTS (
               SELECT FROM top_up u WHERE t.idempotency_key
                   = 'top-up:' || coalesce(u.stripe_checkout_session_id, 'auto:' || u.stripe_payment_intent_id))
               -- One that was taken back to the cent by entries that name it is mended; what a wallet no longer had is owed.
               AND EXISTS (
                   SELECT FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
                   WHERE e.transaction_id = t.id
                       OR e.transaction_id IN (SELECT r.id FROM ledger_transaction r WHERE r.reverses_id = t.id)
                   GROUP BY a.owner_id, CASE a.kind WHEN 'client_receivable' THEN 'client_wallet' ELSE a.kind END
                   HAVING sum(e.amount) <> 0)""",
    ),
    *afterwards_checks.CHECKS,
    *dispute_checks.CHECKS,
    *payout_checks.CHECKS,
    *promotion_checks.CHECKS,
    *reconciliation_checks.CHECKS,
    *refund_checks.CHECKS,
    *subscription_checks.CHECKS,
    (
        "guards_stand",
        """SELECT 'guard ' || wanted.name, CASE WHEN t.oid IS NULL THEN 'is missing' ELSE 'is switched off' END
           FROM unnest(CAST(:guards AS text[])) AS wanted(name) LEFT JOIN pg_trigger t ON t.tgname = wanted.name
           WHERE t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A')
           UNION ALL
           SELECT 'constraint ' || wanted.name, 'is missing'
           FROM unnest(CAST(:constraints AS text[])) AS wanted(name)
           WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = wanted.name AND c.convalidated)""",
    ),
)

GUARDS = (
    *(f"{table}_append_only" for table in ("ledger_transaction", "ledger_entry", "reading_minute")),
    *(
        f"{table}_append_only"
        for table in ("reading_session_event", "reading_receipt", "audit_entry", "audit_link")
    ),
    "audit_entry_announced",
    *(f"{table}_kept" for table in ("ledger_account", "ledger_shard", "reading_session", "top_up")),
    *(
        "ledger_entry_apply",
        "ledger_transaction_entries",
        "ledger_account_opens_empty",
        "ledger_account_frozen",
    ),
    *(
        "reading_session_frozen",
        "reading_session_state_moves",
        "top_up_frozen",
        "top_up_origin_frozen",
        "top_up_state_moves",
    ),
    *afterwards_checks.GUARDS,
    *dispute_checks.GUARDS,
    *payout_checks.GUARDS,
    *promotion_checks.GUARDS,
    *reconciliation_checks.GUARDS,
    *refund_checks.GUARDS,
    *subscription_checks.GUARDS,
)

CONSTRAINTS = (
    "uq_ledger_transaction_idempotency_key",
    "pk_reading_minute",
    "ck_ledger_account_floor",
    "ck_reading_minute_balanced",
    "ck_reading_receipt_balanced",
    "uq_top_up_stripe_checkout_session_id",
    *refund_checks.CONSTRAINTS,
    *subscription_checks.CONSTRAINTS,
)

_PARAMETERS: dict[str, list[Any]] = {
    "guards": list(GUARDS),
    "constraints": list(CONSTRAINTS),
    "kinds": [kind.value for kind in CHART],
    "floors": [rule.floor_cents for rule in CHART.values()],
    "hot": [rule.hot for rule in CHART.values()],
    "personal": [rule.personal for rule in CHART.values()],
}

_ENTRIES_BY_KIND = text("""
SELECT t.kind, a.kind AS account, sign(e.amount)::integer AS direction, min(t.id) AS example, count(*) AS many
FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id JOIN ledger_account a ON a.id = e.account_id
GROUP BY 1, 2, 3
""")


def check() -> list[Mismatch]:
    """Run every check in one snapshot; an empty list is a clean ledger. At most LISTED breaches of each are listed."""
    db.session.rollback()
    db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    try:
        found = []
        for name, query in CHECKS:
            parameters = {key: value for key, value in _PARAMETERS.items() if f":{key} " in query}
            rows = db.session.execute(text(f"{query} LIMIT {LISTED}"), parameters)
            found += [Mismatch(name, row[0], row[1]) for row in rows]
        return found + _illegal_movements()
    finally:
        db.session.rollback()


def _illegal_movements() -> list[Mismatch]:
    found = []
    for row in db.session.execute(_ENTRIES_BY_KIND):
        transfer = TRANSFERS[TransferKind(row.kind)]
        allowed = transfer.sources if row.direction < 0 else transfer.destinations
        if AccountKind(row.account) not in allowed:
            direction = "from" if row.direction < 0 else "to"
            detail = f"{row.kind} {direction} {row.account}, {row.many} entries"
            found.append(Mismatch("movements_are_declared", f"transaction {row.example}", detail))
    return found
