"""What must hold of ratings and tips, as queries for ``flask ledger check``: `subject` and `detail` of each breach."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "ratings_follow_their_reviews",
        """SELECT 'reader ' || p.person_id, p.rating_count || ' reviews of ' || p.rating_sum || ' stars on the profile, '
                  || count(r.id) || ' of ' || coalesce(sum(r.stars), 0) || ' are shown'
           FROM reader_profile p LEFT JOIN review r ON r.reader_id = p.person_id AND r.hidden_at IS NULL
           GROUP BY p.person_id
           HAVING (p.rating_count, p.rating_sum, p.stars_1, p.stars_2, p.stars_3, p.stars_4, p.stars_5)
               IS DISTINCT FROM (count(r.id), coalesce(sum(r.stars), 0),
                   count(*) FILTER (WHERE r.stars = 1), count(*) FILTER (WHERE r.stars = 2),
                   count(*) FILTER (WHERE r.stars = 3), count(*) FILTER (WHERE r.stars = 4),
                   count(*) FILTER (WHERE r.stars = 5))""",
    ),
    (
        "tips_are_cash_of_a_reading_and_earned",
        """SELECT 'transaction ' || t.id, 'a tip '
                  || CASE WHEN t.reading_session_id IS NULL THEN 'without a reading' ELSE 'that earned '
                     || coalesce(max(g.amount), 0) || ' of '
                     || coalesce(sum(e.amount) FILTER (WHERE a.kind LIKE 'reader_%'), 0) END
           FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
               JOIN ledger_account a ON a.id = e.account_id
               LEFT JOIN earning g ON g.transaction_id = t.id AND g.source = 'tip'
           WHERE t.kind = 'tip' GROUP BY t.id
           HAVING t.reading_session_id IS NULL OR bool_or(a.kind = 'client_promotional_credit')
               OR coalesce(max(g.amount), 0) <> coalesce(sum(e.amount) FILTER (WHERE a.kind LIKE 'reader_%'), 0)""",
    ),
)

GUARDS = ("review_frozen", "review_kept")
