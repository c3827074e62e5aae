"""What must hold of subscriptions, as queries for ``flask ledger check``: `subject` and `detail` of each breach."""

CHECKS: tuple[tuple[str, str], ...] = (
    (
        "paid_invoices_are_booked_once",
        """SELECT 'invoice ' || i.stripe_invoice_id, i.state || ', ' || count(t.id) || ' transactions over '
                  || coalesce(sum(e.amount), 0) || ' of ' || i.amount_paid || ' cents'
           FROM subscription_invoice i
               LEFT JOIN ledger_transaction t ON t.kind = 'subscription'
                   AND t.idempotency_key = 'subscription:invoice:' || i.stripe_invoice_id AND t.id = i.transaction_id
               LEFT JOIN ledger_entry e ON e.transaction_id = t.id AND e.amount > 0
           GROUP BY i.id
           HAVING (i.state = 'paid' AND i.amount_paid > 0) <> (count(t.id) = 1)
               OR (count(t.id) = 1 AND coalesce(sum(e.amount), 0) <> i.amount_paid)
           UNION ALL
           SELECT 'transaction ' || t.id, 'a subscription payment of no invoice' FROM ledger_transaction t
           WHERE t.kind = 'subscription' AND t.stripe_reference IS NOT NULL
               AND NOT EXISTS (SELECT FROM subscription_invoice i WHERE i.transaction_id = t.id)""",
    ),
    (
        "subscriptions_have_a_plan_for_their_audience",
        """SELECT 'subscription ' || s.id, s.audience || ' on the plan ' || p.code || ' for ' || p.audience
           FROM subscription s JOIN plan_price r ON r.id = s.plan_price_id JOIN plan p ON p.id = r.plan_id
           WHERE p.audience <> s.audience""",
    ),
)

GUARDS = (
    *(f"{table}_kept" for table in ("subscription", "subscription_order", "subscription_invoice")),
    *("subscription_frozen", "subscription_invoice_frozen", "subscription_state_moves"),
    *("subscription_invoice_state_moves", "subscription_move_append_only"),
)
CONSTRAINTS = ("ck_subscription_invoice_booked", "uq_subscription_invoice_stripe_invoice_id")
