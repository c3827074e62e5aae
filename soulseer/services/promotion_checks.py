"""What must hold of promotional credit, as queries for ``flask ledger check``: `subject` and `detail` of each breach."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "promotional_balances_equal_their_grants",
        """SELECT 'account ' || a.id || ' (' || a.kind || ')',
                  'balance ' || a.balance || ' cents, grants hold ' || coalesce(sum(g.remaining), 0)
           FROM ledger_account a LEFT JOIN promotional_credit g ON g.account_id = a.id
           WHERE a.kind = 'client_promotional_credit'
           GROUP BY a.id HAVING a.balance <> coalesce(sum(g.remaining), 0)""",
    ),
    (
        "grants_are_open_spent_or_expired",
        """SELECT 'promotional credit ' || g.id, g.amount || ' cents granted, ' || g.remaining || ' left, '
                  || g.expired || ' expired, ' || coalesce(sum(s.amount), 0) || ' spent'
           FROM promotional_credit g LEFT JOIN promotional_spend s ON s.promotional_credit_id = g.id
           GROUP BY g.id HAVING g.amount <> g.remaining + g.expired + coalesce(sum(s.amount), 0)""",
    ),
    (
        # What came in by a movement is in grants, what went out is a spend or an expiry.
        "promotional_movements_have_their_rows",
        """WITH told AS (
               SELECT transaction_id, account_id, amount FROM promotional_credit
               UNION ALL
               SELECT s.transaction_id, g.account_id, -s.amount FROM promotional_spend s
                   JOIN promotional_credit g ON g.id = s.promotional_credit_id
               UNION ALL
               SELECT t.id, g.account_id, -g.expired FROM promotional_credit g
                   JOIN ledger_transaction t ON t.idempotency_key = concat_ws(':', 'promotion', g.id, 'expired')
           ), rows AS (SELECT transaction_id, sum(amount) AS amount FROM told GROUP BY transaction_id),
           booked AS (
               SELECT e.transaction_id, sum(e.amount) AS amount FROM ledger_entry e
                   JOIN ledger_account a ON a.id = e.account_id AND a.kind = 'client_promotional_credit'
                   GROUP BY e.transaction_id
           )
           SELECT 'transaction ' || coalesce(b.transaction_id, r.transaction_id),
                  coalesce(b.amount, 0) || ' cents of promotional credit booked, ' || coalesce(r.amount, 0) || ' in rows'
           FROM booked b FULL JOIN rows r ON r.transaction_id = b.transaction_id
           WHERE b.amount IS DISTINCT FROM r.amount""",
    ),
    (
        # Else it would stay in the wallet as cash.
        "promotional_credit_paid_a_minute",
        """SELECT 'transaction ' || t.id, 'credit of ' || sum(s.amount) || ' cents spent on ' || t.idempotency_key
                  || ', a minute of ' || coalesce(m.amount, 0)
           FROM ledger_transaction t JOIN promotional_spend s ON s.transaction_id = t.id
               LEFT JOIN reading_minute m ON m.reading_session_id = t.reading_session_id
                   AND t.idempotency_key = concat_ws(':', 'reading', m.reading_session_id, 'promotion', m.minute)
           WHERE t.kind = 'promotion_spent' AND t.reading_session_id IS NOT NULL
           GROUP BY t.id, m.amount HAVING m.amount IS NULL OR sum(s.amount) > m.amount""",
    ),
    (
        # Once per client is the key of the table.
        "free_minutes_are_for_their_reading_alone",
        """SELECT 'reading ' || u.reading_session_id, u.minutes || ' free minutes of client ' || u.client_id || ', credit '
                  || g.id || ' of ' || g.amount || ' cents for client ' || g.person_id || ' in reading '
                  || coalesce(g.only_session_id::text, 'none')
           FROM free_minutes_use u JOIN promotional_credit g ON g.id = u.promotional_credit_id
               JOIN reading_session s ON s.id = u.reading_session_id
           WHERE g.only_session_id IS DISTINCT FROM u.reading_session_id OR g.person_id <> u.client_id
               OR s.client_id <> u.client_id OR g.amount <> s.rate * u.minutes
           UNION ALL
           SELECT 'promotional credit ' || g.id, 'spent on ' || p.purpose || ', it is for reading ' || g.only_session_id
           FROM promotional_credit g JOIN promotional_spend p ON p.promotional_credit_id = g.id
           WHERE p.purpose <> concat_ws(':', 'reading', g.only_session_id) AND g.only_session_id IS NOT NULL""",
    ),
    (
        "what_was_given_back_had_been_spent",
        """WITH back AS (
               SELECT source_id AS id, sum(amount) AS amount FROM promotional_credit
               WHERE source_id IS NOT NULL GROUP BY source_id
           ), returned AS (
               SELECT promotional_credit_id AS id, sum(returned) AS amount FROM promotional_spend GROUP BY promotional_credit_id
           )
           SELECT 'promotional credit ' || g.id,
                  coalesce(b.amount, 0) || ' cents given back, ' || coalesce(r.amount, 0) || ' marked as returned'
           FROM promotional_credit g LEFT JOIN back b ON b.id = g.id LEFT JOIN returned r ON r.id = g.id
           WHERE coalesce(b.amount, 0) <> coalesce(r.amount, 0)""",
    ),
)

GUARDS = (
    "promotional_credit_kept",
    "promotional_credit_frozen",
    "promotional_credit_state_moves",
    "promotional_credit_falls",
    "promotional_credit_opens_full",
    "promotional_credit_only_session_id_frozen",
    "reading_session_free_minutes_frozen",
    "free_minutes_use_append_only",
    "promotional_spend_kept",
    "promotional_spend_frozen",
    "promotional_spend_opens",
    "promotional_spend_rises",
)
