"""refunds, withdrawals and their approval

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.support import append_only, frozen, kept, state_moves

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BOOKED = "state IN ('approved', 'sent', 'settled', 'failed')"
WAITING = "state = 'requested' AND needs_approval"
SOURCES = ("reading_session_id", "source_transaction_id", "top_up_id")
MOVES = (
    ("requested", "approved"),
    ("requested", "sent"),
    ("requested", "settled"),
    ("requested", "declined"),
    ("requested", "cancelled"),
    ("approved", "sent"),
    ("approved", "settled"),
    ("approved", "failed"),
    ("sent", "settled"),
    ("sent", "failed"),
    ("settled", "failed"),
)
# What is written once and then stays.
ONCE = ("transaction_id", "returned_transaction_id", "stripe_refund_id", "decided_by", "settled_at", "failed_at")


def money(name: str, *, empty: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default="0" if empty else None, nullable=False)


def instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def words(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=nullable)


def reference(table: str, column: str, to: str, *, nullable: bool = False) -> sa.Column:
    key = sa.ForeignKey(f"{to}.id", name=op.f(f"fk_{table}_{column}_{to}"))
    return sa.Column(column, sa.BigInteger(), key, nullable=nullable)


def identity() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{columns[0]}"))


def make_reversal() -> None:
    op.create_table(
        "reversal",
        identity(),
        reference("reversal", "reading_session_id", "reading_session", nullable=True),
        reference("reversal", "transaction_id", "ledger_transaction", nullable=True),
        reference("reversal", "client_id", "person"),
        reference("reversal", "reader_id", "person", nullable=True),
        money("total"),
        money("reader_total"),
        money("refunded", empty=True),
        money("reader_refunded", empty=True),
        instant("created_at"),
        check("reversal", "source", "num_nonnulls(reading_session_id, transaction_id) = 1"),
        check("reversal", "total", "total > 0 AND reader_total BETWEEN 0 AND total"),
        check("reversal", "refunded", "refunded BETWEEN 0 AND total"),
        check("reversal", "reader_refunded", "reader_refunded BETWEEN 0 AND reader_total"),
        check("reversal", "platform_refunded", "refunded - reader_refunded BETWEEN 0 AND total - reader_total"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reversal")),
        unique("reversal", "reading_session_id"),
        unique("reversal", "transaction_id"),
    )
    op.execute(kept("reversal"))
    op.execute(
        frozen(
            "reversal",
            ("id", "reading_session_id", "transaction_id", "client_id", "reader_id", "total", "reader_total", "created_at"),
        )
    )
    # What was given back to a wallet stays given.
    op.execute(
        "CREATE TRIGGER reversal_rises AFTER UPDATE OF refunded, reader_refunded ON reversal FOR EACH ROW "
        "WHEN (NEW.refunded < OLD.refunded OR NEW.reader_refunded < OLD.reader_refunded) "
        "EXECUTE FUNCTION guard_refuse('what was given back only rises')"
    )


def make_withdrawal() -> None:
    op.create_table(
        "withdrawal",
        identity(),
        reference("withdrawal", "person_id", "person"),
        money("amount"),
        words("currency"),
        words("request_key", nullable=True),
        instant("created_at"),
        check("withdrawal", "amount", "amount > 0"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal")),
        unique("withdrawal", "person_id", "request_key"),
    )
    op.create_index("ix_withdrawal_person_id_id", "withdrawal", ["person_id", sa.text("id DESC")])
    op.execute(append_only("withdrawal"))


def make_refund() -> None:
    op.create_table(
        "refund",
        identity(),
        reference("refund", "person_id", "person"),
        words("destination"),
        words("origin"),
        words("state"),
        money("amount"),
        words("currency"),
        reference("refund", "reading_session_id", "reading_session", nullable=True),
        reference("refund", "source_transaction_id", "ledger_transaction", nullable=True),
        reference("refund", "top_up_id", "top_up", nullable=True),
        reference("refund", "withdrawal_id", "withdrawal", nullable=True),
        words("reason"),
        sa.Column("plan", postgresql.JSONB(), nullable=False),
        words("plan_hash"),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        reference("refund", "requested_by", "person", nullable=True),
        words("request_key", nullable=True),
        instant("requested_at"),
        reference("refund", "decided_by", "person", nullable=True),
        instant("decided_at", nullable=True),
        words("decision", nullable=True),
        reference("refund", "transaction_id", "ledger_transaction", nullable=True),
        reference("refund", "returned_transaction_id", "ledger_transaction", nullable=True),
        words("stripe_refund_id", nullable=True),
        words("failure", nullable=True),
        instant("sent_at", nullable=True),
        instant("settled_at", nullable=True),
        instant("failed_at", nullable=True),
        instant("next_check_at", nullable=True),
        check("refund", "state", "state IN ('requested', 'approved', 'sent', 'settled', 'failed', 'declined', 'cancelled')"),
        check("refund", "destination", "destination IN ('wallet', 'card')"),
        check("refund", "origin", "origin IN ('staff', 'withdrawal', 'stripe')"),
        check("refund", "amount", "amount > 0"),
        check("refund", "source", "num_nonnulls(reading_session_id, source_transaction_id, top_up_id) = 1"),
        check("refund", "card", "(destination = 'card') = (top_up_id IS NOT NULL)"),
        check("refund", "withdrawal", "(origin = 'withdrawal') = (withdrawal_id IS NOT NULL)"),
        check("refund", "requested_by", "(origin = 'stripe') = (requested_by IS NULL)"),
        check("refund", "booked", f"({BOOKED}) = (transaction_id IS NOT NULL)"),
        check("refund", "returned", "(state = 'failed') = (returned_transaction_id IS NOT NULL)"),
        check("refund", "settled", "state <> 'settled' OR settled_at IS NOT NULL"),
        check("refund", "four_eyes", "decided_by IS NULL OR decided_by <> requested_by OR state = 'cancelled'"),
        check("refund", "approval", f"NOT needs_approval OR NOT ({BOOKED}) OR decided_by IS NOT NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        unique("refund", "requested_by", "request_key"),
        unique("refund", "transaction_id"),
        unique("refund", "returned_transaction_id"),
        unique("refund", "stripe_refund_id"),
    )
    op.create_index("ix_refund_person_id_id", "refund", ["person_id", sa.text("id DESC")])
    op.create_index("ix_refund_withdrawal_id", "refund", ["withdrawal_id"], postgresql_where=sa.text("withdrawal_id IS NOT NULL"))
    op.create_index("ix_refund_due", "refund", ["next_check_at"], postgresql_where=sa.text("state IN ('approved', 'sent')"))
    op.create_index("ix_refund_state_id", "refund", ["state", sa.text("id DESC")])
    for source in SOURCES:
        op.create_index(f"uq_refund_waiting_{source}", "refund", [source], unique=True, postgresql_where=sa.text(WAITING))
        op.create_index(f"ix_refund_{source}", "refund", [source], postgresql_where=sa.text(f"{source} IS NOT NULL"))


def guard_refund() -> None:
    op.execute(kept("refund"))
    op.execute(
        frozen(
            "refund",
            ("id", "person_id", "destination", "origin", "amount", "currency", *SOURCES, "withdrawal_id", "reason", "plan",
             "plan_hash", "needs_approval", "requested_by", "request_key", "requested_at"),
        )
    )
    for statement in state_moves("refund", "state", MOVES):
        op.execute(statement)
    changed = " OR ".join(f"(OLD.{name} IS NOT NULL AND OLD.{name} IS DISTINCT FROM NEW.{name})" for name in ONCE)
    op.execute(
        f"CREATE TRIGGER refund_once AFTER UPDATE OF {', '.join(ONCE)} ON refund FOR EACH ROW WHEN ({changed}) "
        "EXECUTE FUNCTION guard_refuse('what was booked, decided and answered is written once')"
    )


def upgrade() -> None:
    make_reversal()
    make_withdrawal()
    make_refund()
    guard_refund()


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
