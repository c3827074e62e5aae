"""What must hold of refunds, as queries for ``flask ledger check``: `subject` and `detail` of each breach."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "refunds_are_booked_once",
        """SELECT 'refund ' || r.id, r.state || ' to the ' || r.destination || ', '
                  || coalesce(t.kind || ' under ' || t.idempotency_key, 'not booked')
                  || coalesce(', ' || b.kind || ' under ' || b.idempotency_key, '')
           FROM refund r LEFT JOIN ledger_transaction t ON t.id = r.transaction_id
               LEFT JOIN ledger_transaction b ON b.id = r.returned_transaction_id
           WHERE (r.state IN ('approved', 'sent', 'settled', 'failed')) <> (t.id IS NOT NULL)
               OR (r.state = 'failed') <> (b.id IS NOT NULL)
               OR t.kind <> 'refund_to_' || r.destination OR t.idempotency_key <> 'refund\\:' || r.id
               OR b.kind <> 'refund_failed' OR b.idempotency_key <> 'refund\\:' || r.id || '\\:failed'
           UNION ALL
           SELECT 'transaction ' || t.id, 'a ' || t.kind || ' that no refund announced' FROM ledger_transaction t
           WHERE t.kind IN ('refund_to_wallet', 'refund_to_card')
               AND NOT EXISTS (SELECT FROM refund r WHERE r.transaction_id = t.id)
           UNION ALL
           SELECT 'transaction ' || t.id, 'a refund came back that no row knows' FROM ledger_transaction t
           WHERE t.kind = 'refund_failed'
               AND NOT EXISTS (SELECT FROM refund r WHERE r.returned_transaction_id = t.id)""",
    ),
    (
        "refunds_book_what_was_previewed",
        """WITH booked AS (
               SELECT r.id, string_agg(a.kind || ' ' || coalesce(a.owner_id, 0) || ' ' || e.amount, ', '
                      ORDER BY a.kind, a.owner_id, e.amount) AS entries
               FROM refund r JOIN ledger_entry e ON e.transaction_id = r.transaction_id
                   JOIN ledger_account a ON a.id = e.account_id GROUP BY r.id
           ), previewed AS (
               SELECT r.id, string_agg((p.row->>'account') || ' ' || coalesce(p.row->>'owner_id', '0') || ' '
                      || (CAST(p.row->>'amount' AS numeric) * 100)::bigint, ', '
                      ORDER BY p.row->>'account', CAST(p.row->>'owner_id' AS bigint), CAST(p.row->>'amount' AS numeric))
                      AS entries
               FROM refund r CROSS JOIN LATERAL jsonb_array_elements(r.plan) AS p(row)
               WHERE r.transaction_id IS NOT NULL GROUP BY r.id
           )
           SELECT 'refund ' || coalesce(b.id, p.id), 'booked ' || coalesce(b.entries, 'nothing') || '; previewed '
                  || coalesce(p.entries, 'nothing')
           FROM booked b FULL JOIN previewed p ON p.id = b.id WHERE b.entries IS DISTINCT FROM p.entries""",
    ),
    (
        "refunded_amounts_agree",
        """SELECT 'top-up ' || u.id, u.refunded_amount || ' cents refunded, refunds over ' || coalesce(sum(r.amount), 0)
           FROM top_up u LEFT JOIN refund r ON r.top_up_id = u.id AND r.state IN ('approved', 'sent', 'settled')
           GROUP BY u.id HAVING u.refunded_amount <> coalesce(sum(r.amount), 0)
           UNION ALL
           SELECT 'invoice ' || i.id, i.refunded_amount || ' cents refunded, refunds over ' || coalesce(sum(r.amount), 0)
           FROM subscription_invoice i
               LEFT JOIN refund r ON r.subscription_invoice_id = i.id AND r.state IN ('approved', 'sent', 'settled')
           GROUP BY i.id HAVING i.refunded_amount <> coalesce(sum(r.amount), 0)""",
    ),
    (
        # What was given back of a movement, by its refunds and by the readers' side of their entries.
        "reversals_follow_their_refunds",
        """WITH given AS (
               SELECT r.reading_session_id, r.source_transaction_id, sum(r.amount) AS amount, sum(parts.reader) AS reader
               FROM refund r CROSS JOIN LATERAL (
                   SELECT coalesce(-sum(e.amount), 0) AS reader FROM ledger_entry e
                       JOIN ledger_account a ON a.id = e.account_id
                   WHERE e.transaction_id = r.transaction_id AND a.kind LIKE 'reader%') AS parts
               WHERE r.destination = 'wallet' AND r.state = 'settled' GROUP BY 1, 2
           )
           SELECT 'reversal ' || coalesce(v.id, 0), coalesce(v.refunded, 0) || ' cents, of it ' || coalesce(v.reader_refunded, 0)
                  || ' by the reader; refunds over ' || coalesce(g.amount, 0) || ' and ' || coalesce(g.reader, 0)
           FROM reversal v FULL JOIN given g ON coalesce(g.reading_session_id, 0) = coalesce(v.reading_session_id, 0)
               AND coalesce(g.source_transaction_id, 0) = coalesce(v.transaction_id, 0)
           WHERE coalesce(v.refunded, 0) <> coalesce(g.amount, 0) OR coalesce(v.reader_refunded, 0) <> coalesce(g.reader, 0)""",
    ),
    (
        "reversals_have_their_sources_parts",
        """SELECT 'reversal ' || v.id, v.total || ' cents, of it ' || v.reader_total || ' the reader''s; reading '
                  || v.reading_session_id || ' has ' || coalesce(r.total, 0) || ' and ' || coalesce(r.reader_part, 0)
           FROM reversal v LEFT JOIN reading_receipt r ON r.reading_session_id = v.reading_session_id
           WHERE v.reading_session_id IS NOT NULL
               AND (v.total, v.reader_total) IS DISTINCT FROM (r.total, r.reader_part)
           UNION ALL
           SELECT 'reversal ' || v.id, v.total || ' cents, of it ' || v.reader_total || ' the reader''s; transaction '
                  || v.transaction_id || ' moved others'
           FROM reversal v CROSS JOIN LATERAL (
               SELECT coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'client_wallet'), 0) AS paid,
                      coalesce(sum(e.amount) FILTER (WHERE a.kind = 'reader_earnings_pending'), 0) AS earned
               FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
               WHERE e.transaction_id = v.transaction_id) AS moved
           WHERE v.transaction_id IS NOT NULL AND (v.total <> moved.paid OR v.reader_total <> moved.earned)""",
    ),
)

GUARDS = (
    *("reversal_kept", "reversal_frozen", "reversal_rises", "withdrawal_append_only"),
    *("refund_kept", "refund_frozen", "refund_state_moves", "refund_once"),
)

CONSTRAINTS = (
    *("ck_reversal_refunded", "ck_reversal_reader_refunded", "ck_reversal_platform_refunded"),
    *("ck_refund_four_eyes", "ck_refund_approval", "ck_refund_booked", "ck_top_up_refunded_amount"),
    *("uq_refund_transaction_id", "uq_refund_stripe_refund_id", "ck_subscription_invoice_given_back"),
)
