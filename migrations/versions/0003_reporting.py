"""reporting: read-only views for finance, BI tools and outside checks (contract, SQL)

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A minute's transaction has no row of its own in ledger_transaction. Its id is -(session × 100000 + minute), so that
# it is unique, stays the same and can be read back; its entries are numbered from four times that.
VIEWS = {
    "ledger_accounts": """
        SELECT a.id AS account_id, a.kind, p.handle AS owner_handle, p.email AS owner_email, a.currency,
               (CASE WHEN a.hot THEN coalesce((SELECT sum(s.balance) FROM ledger_shard s WHERE s.account_id = a.id), 0)
                     ELSE a.balance END / 100.0)::numeric(20, 2) AS balance
        FROM ledger_account a LEFT JOIN person p ON p.id = a.owner_id""",
    "ledger_transactions": """
        SELECT id AS transaction_id, kind, idempotency_key, reading_session_id AS session_id, NULL::integer AS minute,
               stripe_reference AS stripe_ref, reverses_id, created_at
        FROM ledger_transaction
        UNION ALL
        SELECT -(reading_session_id * 100000 + minute), 'reading_minute',
               'reading:' || reading_session_id || ':minute:' || minute, reading_session_id, minute, NULL, NULL,
               charged_at
        FROM reading_minute""",
    "ledger_entries": """
        SELECT e.id AS entry_id, e.transaction_id, e.account_id, a.kind AS account_kind, p.email AS owner_email,
               (e.amount / 100.0)::numeric(20, 2) AS amount, e.currency, t.created_at
        FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
            JOIN ledger_account a ON a.id = e.account_id LEFT JOIN person p ON p.id = a.owner_id
        UNION ALL
        SELECT -(m.reading_session_id * 100000 + m.minute) * 4 - side.place,
               -(m.reading_session_id * 100000 + m.minute), a.id, a.kind, p.email,
               (side.amount / 100.0)::numeric(20, 2), a.currency, m.charged_at
        FROM reading_minute m JOIN reading_session s ON s.id = m.reading_session_id
            CROSS JOIN LATERAL (VALUES
                (0, s.client_account_id, -m.amount),
                (1, s.reader_account_id, m.reader_part),
                (2, (SELECT r.id FROM ledger_account r
                     WHERE r.kind = 'platform_revenue' AND r.owner_id IS NULL AND r.currency = s.currency),
                 m.platform_part)) AS side(place, account_id, amount)
            JOIN ledger_account a ON a.id = side.account_id LEFT JOIN person p ON p.id = a.owner_id
        WHERE side.amount <> 0""",
    "reading_sessions": """
        SELECT s.id AS session_id, c.email AS client_email, r.email AS reader_email, s.modality, s.state,
               (s.rate / 100.0)::numeric(12, 2) AS rate, s.reader_share,
               (s.active_microseconds / 1000000.0)::numeric(20, 6) AS active_seconds, s.minutes_billed, s.paid_until,
               s.covered_until, s.grace_until, s.end_reason, s.created_at, s.ended_at, s.finalized_at
        FROM reading_session s JOIN person c ON c.id = s.client_id JOIN person r ON r.id = s.reader_id""",
    "reading_session_events": """
        SELECT e.id AS event_id, e.reading_session_id AS session_id, e.action, e.from_state, e.to_state,
               coalesce(p.email, e.actor_role) AS actor, e.cause AS reason, e.effective_at AS at, e.recorded_at,
               e.actor_role
        FROM reading_session_event e LEFT JOIN person p ON p.id = e.actor_id""",
    "webhook_events": """
        SELECT event_id, vendor, type, status, received_at, processed_at, error FROM webhook_event""",
    "job_runs": """
        SELECT j.id AS run_id, j.job, j.slot, coalesce(p.email, 'schedule') AS triggered_by, j.started_at,
               j.finished_at, j.outcome, j.counts, j.error
        FROM job_run j LEFT JOIN person p ON p.id = j.triggered_by""",
    "audit_log": """
        SELECT a.id AS entry_id, p.email AS actor_email, a.action, a.object_type, a.object_id, a.reason, a.at
        FROM audit_entry a LEFT JOIN person p ON p.id = a.actor_id""",
}

# The role is the database administrator's to make where the app's own role may not (docs/deploy.md).
ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'soulseer_reporting') THEN
        CREATE ROLE soulseer_reporting NOLOGIN;
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute("CREATE SCHEMA reporting")
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW reporting.{name} AS {query}")
    op.execute("GRANT USAGE ON SCHEMA reporting TO soulseer_reporting")
    op.execute("GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO soulseer_reporting")


def downgrade() -> None:
    op.execute("DROP SCHEMA reporting CASCADE")
