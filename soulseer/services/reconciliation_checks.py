"""What must hold of closed days and mended differences, as queries for ``flask ledger check``."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "closed_days_keep_their_sums",
        """WITH booked AS (
               SELECT (t.created_at AT TIME ZONE 'UTC')::date AS day, t.kind, count(DISTINCT t.id) AS movements,
                      coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0)::bigint AS cents
               FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
               WHERE t.created_at < ((SELECT max(day) + 1 FROM closed_day)::timestamp AT TIME ZONE 'UTC') GROUP BY 1, 2
               UNION ALL
               SELECT (charged_at AT TIME ZONE 'UTC')::date, 'reading_minute', count(*), sum(amount)
               FROM reading_minute
               WHERE charged_at < ((SELECT max(day) + 1 FROM closed_day)::timestamp AT TIME ZONE 'UTC') GROUP BY 1
           ), said AS (
               SELECT c.day, part.key AS kind, (part.value ->> 'count')::bigint AS movements,
                      ((part.value ->> 'amount')::numeric * 100)::bigint AS cents
               FROM closed_day c CROSS JOIN LATERAL jsonb_each(c.sums) AS part
           )
           SELECT 'day ' || coalesce(b.day, s.day), coalesce(b.kind, s.kind) || ': closed over ' || coalesce(s.movements, 0)
                  || ' movements of ' || coalesce(s.cents, 0) || ' cents, now ' || coalesce(b.movements, 0) || ' of '
                  || coalesce(b.cents, 0)
           FROM (SELECT booked.* FROM booked WHERE day >= (SELECT min(day) FROM closed_day)) b
               FULL JOIN said s ON s.day = b.day AND s.kind = b.kind
           WHERE b.movements IS DISTINCT FROM s.movements OR b.cents IS DISTINCT FROM s.cents""",
    ),
    (
        "differences_are_mended_by_their_entry",
        """SELECT 'difference ' || d.id, 'mended by ' || coalesce(t.idempotency_key, 'nothing')
           FROM reconciliation_difference d LEFT JOIN ledger_transaction t ON t.id = d.transaction_id
           WHERE d.state = 'mended' AND t.idempotency_key IS DISTINCT FROM 'reconciliation:' || d.id""",
    ),
)

GUARDS = (
    *("ledger_transaction_day_open", "reading_minute_day_open"),
    *(f"{table}_append_only" for table in ("stripe_balance_transaction", "reconciliation_run", "closed_day")),
    *("stripe_import_kept", "reconciliation_difference_kept", "reconciliation_difference_frozen"),
    "reconciliation_difference_state_moves",
)
