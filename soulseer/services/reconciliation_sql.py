"""The comparison of the books with Stripe's list as SQL (see services/reconciliation.py)."""

from sqlalchemy import BigInteger, DateTime, bindparam, text

# ``sides`` are both sides as (reference, our cents, Stripe's cents, instant): money at Stripe is negative on our
# clearing account, and a fee is a movement of its own under its line's name.

# All there is. A charge's own name leads to its payment intent.
_WHOLE = """
sides AS (
    SELECT coalesce(known.reference, t.stripe_reference, 'transaction:' || coalesce(t.reverses_id, t.id)) AS reference, -e.amount AS ours,
           0::bigint AS theirs, t.created_at AS at
    FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
        LEFT JOIN (SELECT source, min(reference) AS reference FROM stripe_balance_transaction
                   WHERE source <> reference GROUP BY source) known ON known.source = t.stripe_reference
    WHERE e.account_id = :clearing
    UNION ALL
    SELECT reference, 0, amount, created FROM stripe_balance_transaction
    WHERE currency = :currency AND NOT (type = ANY(:fee_types))
    UNION ALL
    SELECT stripe_id, 0, CASE WHEN type = ANY(:fee_types) THEN amount - fee ELSE -fee END, created
    FROM stripe_balance_transaction
    WHERE currency = :currency AND (fee <> 0 OR type = ANY(:fee_types))
)"""

# Only references that something new bears, or an open difference.
_NEW = """
touched AS MATERIALIZED (
    SELECT reference FROM stripe_balance_transaction WHERE id > :lines_after
    UNION SELECT stripe_id FROM stripe_balance_transaction WHERE id > :lines_after
    UNION SELECT reference FROM reconciliation_difference WHERE state IN ('open', 'explained')
    UNION SELECT coalesce(l.reference, t.stripe_reference, 'transaction:' || coalesce(t.reverses_id, t.id))
        FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
            LEFT JOIN stripe_balance_transaction l ON l.source = t.stripe_reference AND l.source <> l.reference
        WHERE e.account_id = :clearing AND e.id > :entries_after
), names AS MATERIALIZED (
    SELECT reference AS source, reference FROM touched
    UNION SELECT l.source, l.reference FROM stripe_balance_transaction l JOIN touched USING (reference)
        WHERE l.source <> l.reference
), numbers AS MATERIALIZED (
    -- One of ours that names nothing at Stripe, and what takes it back, are a reference of their own.
    SELECT reference, CASE WHEN reference LIKE 'transaction:%' THEN substr(reference, 13)::bigint END AS number
    FROM touched WHERE reference LIKE 'transaction:%'
), booked AS MATERIALIZED (
    SELECT t.id, n.reference FROM names n JOIN ledger_transaction t ON t.stripe_reference = n.source
    UNION SELECT t.id, n.reference FROM numbers n JOIN ledger_transaction t ON t.id = n.number
        WHERE t.stripe_reference IS NULL AND t.reverses_id IS NULL
    UNION SELECT t.id, n.reference FROM numbers n JOIN ledger_transaction t ON t.reverses_id = n.number
        WHERE t.stripe_reference IS NULL
), sides AS (
    SELECT b.reference, -e.amount AS ours, 0::bigint AS theirs, t.created_at AS at
    FROM booked b JOIN ledger_transaction t ON t.id = b.id JOIN ledger_entry e ON e.transaction_id = b.id
    WHERE e.account_id = :clearing
    UNION ALL
    SELECT l.reference, 0, l.amount, l.created FROM touched JOIN stripe_balance_transaction l USING (reference)
    WHERE l.currency = :currency AND NOT (l.type = ANY(:fee_types))
    UNION ALL
    SELECT l.stripe_id, 0, CASE WHEN l.type = ANY(:fee_types) THEN l.amount - l.fee ELSE -l.fee END, l.created
    FROM touched JOIN stripe_balance_transaction l ON l.stripe_id = touched.reference
    WHERE l.currency = :currency AND (l.fee <> 0 OR l.type = ANY(:fee_types))
)"""

# One statement, so one snapshot: what the entries come to and the balance that they made belong together.
_COMPARE = """
WITH {sides}, groups AS MATERIALIZED (
    SELECT reference, sum(ours)::bigint AS ours, sum(theirs)::bigint AS theirs, min(at) AS at FROM sides GROUP BY reference
), differing AS MATERIALIZED (
    SELECT * FROM groups WHERE ours <> theirs
), written AS (
    INSERT INTO reconciliation_difference AS kept
        (reference, class, state, words, ledger_amount, stripe_amount, gap, day, first_seen_at, last_seen_at)
    SELECT reference, 'unexplained', 'open', '', ours, theirs, theirs - ours, (at AT TIME ZONE 'UTC')::date, :now, :now
    FROM differing ORDER BY at, reference
    ON CONFLICT (reference) WHERE state IN ('open', 'explained') DO UPDATE SET
        last_seen_at = excluded.last_seen_at, ledger_amount = excluded.ledger_amount,
        stripe_amount = excluded.stripe_amount, gap = excluded.gap, day = excluded.day,
        -- What somebody said or approved was about other figures.
        state = CASE WHEN kept.gap = excluded.gap THEN kept.state ELSE 'open' END,
        settled_at = CASE WHEN kept.gap = excluded.gap THEN kept.settled_at END,
        settled_by = CASE WHEN kept.gap = excluded.gap THEN kept.settled_by END,
        resolution = CASE WHEN kept.gap = excluded.gap THEN kept.resolution END,
        approved_by = CASE WHEN kept.gap = excluded.gap THEN kept.approved_by END,
        approved_at = CASE WHEN kept.gap = excluded.gap THEN kept.approved_at END,
        approved_proposal = CASE WHEN kept.gap = excluded.gap THEN kept.approved_proposal END
    RETURNING id
), gone AS (
    UPDATE reconciliation_difference d
    SET state = 'closed', settled_at = :now, settled_by = NULL, resolution = :gone
    WHERE d.state IN ('open', 'explained') AND NOT EXISTS (SELECT FROM differing f WHERE f.reference = d.reference)
    RETURNING id
)
SELECT (SELECT count(*) FROM groups) AS compared, (SELECT count(*) FROM written) AS differing,
       (SELECT count(*) FROM gone) AS gone,
       (SELECT -coalesce(sum(balance), 0)::bigint FROM ledger_shard WHERE account_id = :clearing) AS ledger,
       (SELECT coalesce(max(id), 0) FROM ledger_entry WHERE account_id = :clearing) AS entries_through,
       (SELECT coalesce(max(id), 0) FROM stripe_balance_transaction) AS lines_through
"""
_TYPES = (
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("clearing", type_=BigInteger),
)
COMPARE_WHOLE = text(_COMPARE.format(sides=_WHOLE)).bindparams(*_TYPES)
COMPARE_NEW = text(_COMPARE.format(sides=_NEW)).bindparams(
    *_TYPES, bindparam("lines_after", type_=BigInteger), bindparam("entries_after", type_=BigInteger)
)
