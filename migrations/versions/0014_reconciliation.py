"""Stripe's balance transactions, differences, closed days

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.support import append_only, frozen, kept, state_moves

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOVES = (
    ("open", "explained"),
    ("open", "mended"),
    ("open", "closed"),
    ("explained", "open"),
    ("explained", "mended"),
    ("explained", "closed"),
)

# One look at the last closed day and one at the least new instant a statement, whatever number of rows it wrote. The
# shared lock makes a close wait for what is under way, and what comes meanwhile wait for the close (services/day_close.py).
CLOSED = """
CREATE FUNCTION guard_closed_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz;
    open_from timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5495822);
    IF TG_TABLE_NAME = 'reading_minute' THEN
        SELECT min(charged_at) INTO first FROM written;
    ELSE
        SELECT min(created_at) INTO first FROM written;
    END IF;
    SELECT ((day + 1)::timestamp AT TIME ZONE 'UTC') INTO open_from FROM closed_day ORDER BY day DESC LIMIT 1;
    IF first < open_from THEN
        RAISE EXCEPTION '% is closed: a correction is a movement of today', (first AT TIME ZONE 'UTC')::date
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$
"""


def _id() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _amount(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _key(table: str, name: str, other: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(
        name, sa.BigInteger(), sa.ForeignKey(f"{other}.id", name=op.f(f"fk_{table}_{name}_{other}")), nullable=nullable
    )


def upgrade() -> None:
    op.create_table(
        "stripe_balance_transaction",
        _id(),
        sa.Column("stripe_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        _amount("amount"),
        _amount("fee"),
        _amount("net"),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("source_facts", postgresql.JSONB(), nullable=False),
        _instant("created"),
        _instant("available_on"),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        _instant("imported_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_balance_transaction")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_stripe_balance_transaction_stripe_id")),
    )
    op.create_index("ix_stripe_balance_transaction_reference", "stripe_balance_transaction", ["reference"])
    op.create_index("ix_stripe_balance_transaction_created", "stripe_balance_transaction", ["created"])
    op.create_index(
        "ix_stripe_balance_transaction_source", "stripe_balance_transaction", ["source"],
        postgresql_where=sa.text("source <> reference"),
    )
    op.execute(append_only("stripe_balance_transaction"))

    op.create_table(
        "stripe_import",
        sa.Column("name", sa.String(), nullable=False),
        _instant("seen_until", nullable=True),
        _instant("window_from", nullable=True),
        _instant("window_to", nullable=True),
        sa.Column("page_after", sa.String(), nullable=True),
        sa.Column("booked_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("name = 'balance_transactions'", name=op.f("ck_stripe_import_name")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stripe_import")),
    )
    op.execute(kept("stripe_import"))

    op.create_table(
        "reconciliation_run",
        _id(),
        _key("reconciliation_run", "job_run_id", "job_run"),
        _instant("at"),
        sa.Column("whole", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("imported", "booked", "compared", "differing")),
        sa.Column("open_by_class", postgresql.JSONB(), nullable=False),
        *map(_amount, ("ledger_balance", "stripe_available", "stripe_pending", "gap", "explained", "unexplained", "unaccounted")),
        *map(_amount, ("entries_through", "lines_through")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_run")),
    )
    op.create_index("ix_reconciliation_run_job_run_id", "reconciliation_run", ["job_run_id"])
    op.execute(append_only("reconciliation_run"))

    op.create_table(
        "reconciliation_difference",
        _id(),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("class", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        *map(_amount, ("ledger_amount", "stripe_amount", "gap")),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("proposal", postgresql.JSONB(), nullable=True),
        _instant("first_seen_at"),
        _instant("last_seen_at"),
        _key("reconciliation_difference", "approved_by", "person"),
        _instant("approved_at", nullable=True),
        sa.Column("approved_proposal", sa.String(), nullable=True),
        _instant("settled_at", nullable=True),
        _key("reconciliation_difference", "settled_by", "person"),
        sa.Column("resolution", sa.String(), nullable=True),
        _key("reconciliation_difference", "transaction_id", "ledger_transaction"),
        sa.CheckConstraint(
            "class IN ('missing_webhook', 'duplicate', 'amount', 'fee', 'timing', 'orphan_transfer', 'unexplained')",
            name=op.f("ck_reconciliation_difference_class"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'explained', 'mended', 'closed')", name=op.f("ck_reconciliation_difference_state")
        ),
        sa.CheckConstraint("gap = stripe_amount - ledger_amount", name=op.f("ck_reconciliation_difference_gap")),
        sa.CheckConstraint(
            "(state = 'mended') = (transaction_id IS NOT NULL)", name=op.f("ck_reconciliation_difference_mended")
        ),
        sa.CheckConstraint("(state = 'open') = (settled_at IS NULL)", name=op.f("ck_reconciliation_difference_settled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_difference")),
    )
    op.create_index(
        "uq_reconciliation_difference_live", "reconciliation_difference", ["reference"], unique=True,
        postgresql_where=sa.text("state IN ('open', 'explained')"),
    )
    op.create_index(
        "ix_reconciliation_difference_day", "reconciliation_difference", ["day"],
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_reconciliation_difference_transaction_id", "reconciliation_difference", ["transaction_id"])
    op.execute(kept("reconciliation_difference"))
    op.execute(frozen("reconciliation_difference", ("id", "reference", "first_seen_at")))
    for statement in state_moves("reconciliation_difference", "state", MOVES):
        op.execute(statement)

    op.create_table(
        "closed_day",
        sa.Column("day", sa.Date(), nullable=False),
        _instant("closed_at"),
        _key("closed_day", "closed_by", "person", nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("sums", postgresql.JSONB(), nullable=False),
        sa.Column("explained", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_closed_day")),
    )
    op.execute(append_only("closed_day"))
    op.execute(CLOSED)
    for table in ("ledger_transaction", "reading_minute"):
        op.execute(
            f"CREATE TRIGGER {table}_day_open AFTER INSERT ON {table} REFERENCING NEW TABLE AS written "
            "FOR EACH STATEMENT EXECUTE FUNCTION guard_closed_day()"
        )


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
