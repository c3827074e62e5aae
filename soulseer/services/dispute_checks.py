"""What must hold of disputes, debts and holds, as queries for ``flask ledger check``: `subject` and `detail` of each breach."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "chargebacks_follow_their_dispute",
        """SELECT 'dispute ' || d.id, 'took ' || d.wallet_part || ' + ' || d.receivable_part || ' + ' || d.platform_part
                  || ' cents, the ledger ' || coalesce(x.wallet, 0) || ' + ' || coalesce(x.receivable, 0) || ' + '
                  || coalesce(x.platform, 0)
           FROM dispute d
               LEFT JOIN ledger_transaction t ON t.id = d.taken_transaction_id AND t.kind = 'chargeback'
                   AND t.idempotency_key = 'dispute\\:' || d.stripe_dispute_id || '\\:chargeback'
               LEFT JOIN LATERAL (
                   SELECT -sum(e.amount) FILTER (WHERE a.kind = 'client_wallet') AS wallet,
                          -sum(e.amount) FILTER (WHERE a.kind = 'client_receivable') AS receivable,
                          -sum(e.amount) FILTER (WHERE a.kind = 'platform_revenue') AS platform
                   FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
                   WHERE e.transaction_id = t.id AND coalesce(a.owner_id, d.person_id) = d.person_id) x ON true
           WHERE d.wallet_part <> coalesce(x.wallet, 0) OR d.receivable_part <> coalesce(x.receivable, 0)
               OR d.platform_part <> coalesce(x.platform, 0)
           UNION ALL
           SELECT 'transaction ' || t.id, 'a chargeback of no dispute' FROM ledger_transaction t
           WHERE t.kind = 'chargeback' AND t.idempotency_key NOT LIKE 'reconciliation\\:%'
               AND NOT EXISTS (SELECT FROM dispute d WHERE d.taken_transaction_id = t.id)""",
    ),
    (
        "won_disputes_are_returned",
        """SELECT 'dispute ' || d.id, d.state || ', ' || d.taken_amount || ' cents taken, '
                  || coalesce(x.amount, 0) || ' returned'
           FROM dispute d
               LEFT JOIN ledger_transaction t ON t.id = d.returned_transaction_id AND t.kind = 'chargeback_won'
                   AND t.reverses_id = d.taken_transaction_id
               LEFT JOIN LATERAL (
                   SELECT -sum(e.amount) AS amount FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
                   WHERE e.transaction_id = t.id AND a.kind = 'stripe_clearing') x ON true
           WHERE (d.returned_transaction_id IS NOT NULL AND x.amount IS DISTINCT FROM d.taken_amount)
               OR (d.state = 'won' AND d.taken_amount > 0 AND d.returned_transaction_id IS NULL)
               OR (d.state = 'lost' AND d.returned_transaction_id IS NOT NULL)
               OR (d.state NOT IN ('needs_response', 'under_review', 'lost', 'won') AND d.taken_amount > 0)
           UNION ALL
           SELECT 'transaction ' || t.id, 'returned for no dispute' FROM ledger_transaction t
           WHERE t.kind = 'chargeback_won' AND t.idempotency_key NOT LIKE 'reconciliation\\:%'
               AND NOT EXISTS (SELECT FROM dispute d WHERE d.returned_transaction_id = t.id)""",
    ),
    (
        "disputed_amounts_agree",
        """SELECT 'top-up ' || u.id, u.disputed_amount || ' cents disputed, its disputes hold ' || coalesce(sum(d.taken_amount), 0)
           FROM top_up u LEFT JOIN dispute d ON d.top_up_id = u.id AND d.returned_transaction_id IS NULL
           GROUP BY u.id HAVING u.disputed_amount <> coalesce(sum(d.taken_amount), 0)
           UNION ALL
           SELECT 'invoice ' || i.id, i.disputed_amount || ' cents disputed, its disputes hold ' || coalesce(sum(d.taken_amount), 0)
           FROM subscription_invoice i
               LEFT JOIN dispute d ON d.subscription_invoice_id = i.id AND d.returned_transaction_id IS NULL
           GROUP BY i.id HAVING i.disputed_amount <> coalesce(sum(d.taken_amount), 0)""",
    ),
    (
        # Disputes by their rows; what paid it, wrote it off or came of refunds and corrections by its entries.
        "receivables_are_explained",
        """WITH explained AS (
               SELECT person_id, -sum(receivable_part) AS amount FROM dispute GROUP BY person_id
               UNION ALL
               SELECT a.owner_id, sum(e.amount) FROM ledger_account a JOIN ledger_entry e ON e.account_id = a.id
                   JOIN ledger_transaction t ON t.id = e.transaction_id
               WHERE a.kind = 'client_receivable'
                   AND (t.kind IN ('chargeback_won', 'receivable_paid', 'write_off', 'adjustment', 'refund_to_card',
                                   'refund_failed') OR t.idempotency_key LIKE 'reconciliation\\:%')
               GROUP BY a.owner_id
           ), expected AS (SELECT person_id, sum(amount) AS amount FROM explained GROUP BY person_id)
           SELECT 'account ' || a.id, 'owed ' || -a.balance || ' cents, explained ' || -coalesce(x.amount, 0)
           FROM ledger_account a LEFT JOIN expected x ON x.person_id = a.owner_id
           WHERE a.kind = 'client_receivable' AND (a.balance <> coalesce(x.amount, 0) OR a.balance > 0)
           UNION ALL
           SELECT 'dispute ' || d.id, d.written_off || ' cents written off, the ledger ' || coalesce(sum(e.amount), 0)
           FROM dispute d
               LEFT JOIN ledger_transaction t ON t.kind = 'write_off'
                   AND t.idempotency_key = 'dispute\\:' || d.stripe_dispute_id || '\\:write-off'
               LEFT JOIN (ledger_entry e JOIN ledger_account a ON a.id = e.account_id AND a.kind = 'client_receivable')
                   ON e.transaction_id = t.id
           GROUP BY d.id HAVING d.written_off <> coalesce(sum(e.amount), 0)""",
    ),
    (
        "holds_follow_disputes_and_debts",
        """WITH wanted AS (
               SELECT DISTINCT person_id, 'dispute' AS kind FROM dispute WHERE state IN ('needs_response', 'under_review')
               UNION ALL
               SELECT owner_id, 'debt' FROM ledger_account WHERE kind = 'client_receivable' AND balance < 0
           ), standing AS (SELECT person_id, kind FROM spending_hold WHERE lifted_at IS NULL AND kind <> 'staff')
           SELECT 'person ' || person_id,
                  CASE WHEN stands IS NULL THEN 'no hold for a ' ELSE 'held for no ' END || kind
           FROM (SELECT *, true AS is_wanted FROM wanted) w FULL JOIN (SELECT *, true AS stands FROM standing) s
               USING (person_id, kind) WHERE is_wanted IS NULL OR stands IS NULL""",
    ),
)

GUARDS = (
    *(f"{table}_kept" for table in ("dispute", "dispute_response", "spending_hold")),
    *(f"{table}_frozen" for table in ("dispute", "dispute_response", "spending_hold")),
    *("dispute_state_moves", "dispute_response_state_moves"),
    *("dispute_taken_once", "dispute_returned_once", "spending_hold_lifted_once"),
)
