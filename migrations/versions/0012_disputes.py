"""disputes, debts and frozen spending

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.support import frozen, kept, state_moves

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATES = (
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "prevented",
    "needs_response",
    "under_review",
    "lost",
    "won",
)
MOVES = tuple((before, after) for place, before in enumerate(STATES) for after in STATES[place + 1 :])


def money(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def reference(table: str, column: str, to: str, *, nullable: bool = False) -> sa.Column:
    key = sa.ForeignKey(f"{to}.id", name=op.f(f"fk_{table}_{column}_{to}"))
    return sa.Column(column, sa.BigInteger(), key, nullable=nullable)


def once(table: str, what: str, columns: tuple[str, ...], condition: str, words: str) -> str:
    """Refuses a change of ``columns`` once ``condition`` on the old row holds."""
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return (
        f"CREATE TRIGGER {table}_{what} AFTER UPDATE OF {', '.join(columns)} ON {table} FOR EACH ROW "
        f"WHEN ({condition} AND ROW({old}) IS DISTINCT FROM ROW({new})) EXECUTE FUNCTION guard_refuse('{words}')"
    )


def upgrade() -> None:
    listed = ", ".join(f"'{state}'" for state in STATES)
    op.create_table(
        "dispute",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("stripe_dispute_id", sa.String(), nullable=False),
        reference("dispute", "top_up_id", "top_up"),
        reference("dispute", "person_id", "person"),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        money("taken_amount"),
        money("wallet_part"),
        money("receivable_part"),
        money("written_off"),
        money("fee"),
        reference("dispute", "taken_transaction_id", "ledger_transaction", nullable=True),
        reference("dispute", "returned_transaction_id", "ledger_transaction", nullable=True),
        instant("opened_at"),
        instant("recorded_at"),
        instant("evidence_due_at", nullable=True),
        instant("evidence_submitted_at", nullable=True),
        instant("closed_at", nullable=True),
        sa.CheckConstraint(f"state IN ({listed})", name=op.f("ck_dispute_state")),
        sa.CheckConstraint("amount > 0 AND fee >= 0", name=op.f("ck_dispute_amount")),
        sa.CheckConstraint(
            "wallet_part >= 0 AND receivable_part >= 0 AND taken_amount = wallet_part + receivable_part"
            " AND taken_amount <= amount",
            name=op.f("ck_dispute_parts"),
        ),
        sa.CheckConstraint("written_off BETWEEN 0 AND receivable_part", name=op.f("ck_dispute_written_off")),
        sa.CheckConstraint(
            "(taken_transaction_id IS NOT NULL) = (taken_amount > 0)", name=op.f("ck_dispute_taken")
        ),
        sa.CheckConstraint(
            "returned_transaction_id IS NULL OR taken_transaction_id IS NOT NULL",
            name=op.f("ck_dispute_returned"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("stripe_dispute_id", name=op.f("uq_dispute_stripe_dispute_id")),
        sa.UniqueConstraint("taken_transaction_id", name=op.f("uq_dispute_taken_transaction_id")),
        sa.UniqueConstraint("returned_transaction_id", name=op.f("uq_dispute_returned_transaction_id")),
    )
    op.create_index("ix_dispute_person_id_id", "dispute", ["person_id", sa.text("id DESC")])
    op.create_index("ix_dispute_top_up_id", "dispute", ["top_up_id"])
    op.create_index(
        "ix_dispute_open",
        "dispute",
        ["person_id"],
        postgresql_where=sa.text("state IN ('needs_response', 'under_review')"),
    )
    op.execute(kept("dispute"))
    op.execute(
        frozen(
            "dispute",
            (
                "id",
                "stripe_dispute_id",
                "top_up_id",
                "person_id",
                "amount",
                "currency",
                "opened_at",
                "recorded_at",
            ),
        )
    )
    for statement in state_moves("dispute", "state", MOVES):
        op.execute(statement)
    taken = ("taken_amount", "wallet_part", "receivable_part", "taken_transaction_id")
    op.execute(
        once(
            "dispute",
            "taken_once",
            taken,
            "OLD.taken_transaction_id IS NOT NULL",
            "what was taken back never changes",
        )
    )
    op.execute(
        once(
            "dispute",
            "returned_once",
            ("returned_transaction_id", "written_off"),
            "OLD.returned_transaction_id IS NOT NULL",
            "what was returned never changes",
        )
    )

    op.create_table(
        "dispute_response",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        reference("dispute_response", "dispute_id", "dispute"),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        reference("dispute_response", "actor_id", "person"),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("stripe_file_id", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        instant("created_at"),
        instant("next_check_at", nullable=True),
        instant("done_at", nullable=True),
        sa.CheckConstraint("kind IN ('evidence', 'accept')", name=op.f("ck_dispute_response_kind")),
        sa.CheckConstraint(
            "state IN ('recorded', 'sent', 'refused')", name=op.f("ck_dispute_response_state")
        ),
        sa.CheckConstraint(
            "(state = 'recorded') = (next_check_at IS NOT NULL)", name=op.f("ck_dispute_response_due")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_response")),
    )
    under_way = sa.text("state = 'recorded'")
    op.create_index(
        "uq_dispute_response_under_way",
        "dispute_response",
        ["dispute_id"],
        unique=True,
        postgresql_where=under_way,
    )
    op.create_index("ix_dispute_response_dispute_id_id", "dispute_response", ["dispute_id", "id"])
    op.create_index(
        "ix_dispute_response_due", "dispute_response", ["next_check_at"], postgresql_where=under_way
    )
    op.execute(kept("dispute_response"))
    op.execute(
        frozen(
            "dispute_response", ("id", "dispute_id", "kind", "actor_id", "fields", "document", "created_at")
        )
    )
    for statement in state_moves(
        "dispute_response", "state", (("recorded", "sent"), ("recorded", "refused"))
    ):
        op.execute(statement)

    op.create_table(
        "spending_hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        reference("spending_hold", "person_id", "person"),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        instant("since"),
        reference("spending_hold", "actor_id", "person", nullable=True),
        instant("lifted_at", nullable=True),
        reference("spending_hold", "lifted_by", "person", nullable=True),
        sa.CheckConstraint("kind IN ('dispute', 'debt', 'staff')", name=op.f("ck_spending_hold_kind")),
        sa.CheckConstraint("lifted_at IS NULL OR lifted_at >= since", name=op.f("ck_spending_hold_lifted")),
        sa.CheckConstraint("kind <> 'staff' OR actor_id IS NOT NULL", name=op.f("ck_spending_hold_actor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spending_hold")),
    )
    op.create_index(
        "uq_spending_hold_standing",
        "spending_hold",
        ["person_id", "kind"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_index("ix_spending_hold_person_id_id", "spending_hold", ["person_id", sa.text("id DESC")])
    op.execute(kept("spending_hold"))
    op.execute(frozen("spending_hold", ("id", "person_id", "kind", "reason", "since", "actor_id")))
    op.execute(
        once(
            "spending_hold",
            "lifted_once",
            ("lifted_at", "lifted_by"),
            "OLD.lifted_at IS NOT NULL",
            "a hold is lifted once",
        )
    )


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
