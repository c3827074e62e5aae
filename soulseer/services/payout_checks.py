"""What must hold of earnings and payouts, as queries for ``flask ledger check``: `subject` and `detail` of each breach."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        # What somebody adjusted by hand has no row, and is added.
        "pending_earnings_have_their_source",
        """WITH held AS (
               SELECT a.id AS account_id, sum(e.amount - e.taken_back) AS amount FROM earning e
                   JOIN ledger_account a ON a.owner_id = e.reader_id AND a.kind = 'reader_earnings_pending'
                   WHERE e.state = 'pending' GROUP BY a.id
               UNION ALL
               SELECT s.reader_account_id, sum(m.reader_part) FROM reading_session s
                   JOIN reading_minute m ON m.reading_session_id = s.id
                   WHERE s.state <> 'finalized' GROUP BY s.reader_account_id
               UNION ALL
               SELECT n.account_id, sum(n.amount) FROM ledger_transaction t
                   JOIN ledger_entry n ON n.transaction_id = t.id
                   JOIN ledger_account a ON a.id = n.account_id AND a.kind = 'reader_earnings_pending'
                   LEFT JOIN reading_session s ON s.id = t.reading_session_id
                   WHERE t.kind = 'adjustment' OR (t.kind = 'fair_credit' AND s.state <> 'finalized')
                   GROUP BY n.account_id
           ), expected AS (SELECT account_id, sum(amount) AS amount FROM held GROUP BY account_id)
           SELECT 'account ' || a.id || ' (' || a.kind || ')', 'balance ' || a.balance
                  || ' cents, earnings and running readings ' || coalesce(x.amount, 0)
           FROM ledger_account a LEFT JOIN expected x ON x.account_id = a.id
           WHERE a.kind = 'reader_earnings_pending' AND a.balance <> coalesce(x.amount, 0)""",
    ),
    (
        "earnings_follow_their_receipt",
        """SELECT 'reading ' || r.reading_session_id, r.reader_part || ' cents on the receipt, '
                  || coalesce(e.amount::text, 'none') || ' earned'
           FROM reading_receipt r LEFT JOIN earning e ON e.reading_session_id = r.reading_session_id
           WHERE r.reader_part > 0 AND e.amount IS DISTINCT FROM r.reader_part""",
    ),
    (
        "releases_follow_their_earning",
        """SELECT 'earning ' || e.id, (e.amount - e.taken_back) || ' cents to release, '
                  || coalesce(-n.amount, 0) || ' moved'
           FROM earning e
               LEFT JOIN ledger_account a ON a.owner_id = e.reader_id AND a.kind = 'reader_earnings_pending'
               LEFT JOIN ledger_entry n ON n.transaction_id = e.release_transaction_id AND n.account_id = a.id
           WHERE e.state = 'released' AND e.amount - e.taken_back <> coalesce(-n.amount, 0)
           UNION ALL
           SELECT 'transaction ' || t.id, 'a release of no earning' FROM ledger_transaction t
           WHERE t.kind = 'earnings_release'
               AND NOT EXISTS (SELECT FROM earning e WHERE e.release_transaction_id = t.id)""",
    ),
    (
        "payouts_follow_their_entries",
        """WITH moved AS (
               SELECT p.id, p.state, p.amount, p.reversed_amount,
                      (SELECT coalesce(sum(n.amount), 0) FROM ledger_entry n
                       WHERE n.transaction_id = p.transaction_id AND n.account_id = a.id) AS taken,
                      (SELECT coalesce(sum(n.amount), 0) FROM ledger_entry n WHERE n.account_id = a.id
                           AND n.transaction_id > p.after_transaction_id AND n.transaction_id <= p.transaction_id) AS rest,
                      (SELECT count(*) FROM ledger_transaction t WHERE t.kind = 'payout_sent'
                           AND t.idempotency_key = 'payout\\:' || p.id || '\\:sent') AS sent,
                      (SELECT count(*) FROM ledger_transaction t WHERE t.kind = 'payout_failed'
                           AND t.idempotency_key = 'payout\\:' || p.id || '\\:failed') AS returned,
                      (SELECT coalesce(sum(r.amount), 0) FROM payout_reversal r WHERE r.payout_id = p.id) AS reversed
               FROM payout p JOIN ledger_account a
                   ON a.owner_id = p.person_id AND a.kind = 'reader_earnings_available'
           )
           SELECT 'payout ' || id, state || ' over ' || amount || ' cents: ' || -taken || ' taken, ' || rest || ' left, '
                  || sent || ' times sent, ' || returned || ' times returned, ' || reversed || ' reversed'
           FROM moved
           WHERE taken <> -amount OR rest <> 0 OR reversed <> reversed_amount
               OR sent <> (state IN ('paid', 'reversed'))::integer OR returned <> (state = 'failed')::integer
           UNION ALL
           SELECT 'transaction ' || t.id, 'a payout that no row announced' FROM ledger_transaction t
           WHERE t.kind = 'payout' AND NOT EXISTS (SELECT FROM payout p WHERE p.transaction_id = t.id)""",
    ),
    (
        "money_in_transit_has_its_payout",
        """WITH transit AS (
               SELECT coalesce(sum(n.amount), 0) AS amount FROM ledger_account a
                   JOIN ledger_entry n ON n.account_id = a.id WHERE a.kind = 'payouts_in_transit'
           ), open AS (SELECT coalesce(sum(amount), 0) AS amount FROM payout WHERE state = 'open')
           SELECT 'payouts in transit', transit.amount || ' cents, open payouts ' || open.amount
           FROM transit, open WHERE transit.amount <> open.amount""",
    ),
)

GUARDS = (
    *(f"{table}_kept" for table in ("earning", "payout", "payout_account")),
    *(f"{table}_frozen" for table in ("earning", "payout", "payout_account")),
    *("earning_state_moves", "payout_state_moves", "payout_reversal_append_only"),
)
