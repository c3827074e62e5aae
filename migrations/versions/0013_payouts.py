"""payouts by Stripe Connect; earnings of sessions finalized before

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.support import append_only, frozen, kept, state_moves

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Sessions that were finalized before earnings had rows: the receipt says what the reader's part was. Held for seven
# days from then, as by the setting's default.
BACKFILL = """
INSERT INTO earning (reader_id, source, reading_session_id, amount, state, earned_at, releases_at)
SELECT s.reader_id, 'reading', s.id, r.reader_part, 'pending', r.issued_at, r.issued_at + interval '7 days'
FROM reading_receipt r JOIN reading_session s ON s.id = r.reading_session_id
WHERE r.reader_part > 0 ORDER BY r.issued_at, s.id
ON CONFLICT (reading_session_id) DO NOTHING
"""


def upgrade() -> None:
    op.add_column("earning", sa.Column("release_transaction_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_earning_release_transaction_id_ledger_transaction"), "earning", "ledger_transaction",
        ["release_transaction_id"], ["id"],
    )
    op.create_unique_constraint("uq_earning_release_transaction_id", "earning", ["release_transaction_id"])
    op.create_check_constraint(
        op.f("ck_earning_release"), "earning", "state = 'released' OR release_transaction_id IS NULL"
    )
    op.execute(BACKFILL)

    op.create_table(
        "payout_account",
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_payout_account_person_id_person")), nullable=False),
        sa.Column("stripe_account_id", sa.String(), nullable=True),
        sa.Column("details_submitted", sa.Boolean(), nullable=False),
        sa.Column("transfers_enabled", sa.Boolean(), nullable=False),
        sa.Column("payouts_enabled", sa.Boolean(), nullable=False),
        sa.Column("currently_due", postgresql.JSONB(), nullable=False),
        sa.Column("past_due", postgresql.JSONB(), nullable=False),
        sa.Column("pending_verification", postgresql.JSONB(), nullable=False),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_payout_account_paused_by_person")), nullable=True),
        sa.Column("pause_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(paused_at IS NULL) = (pause_reason IS NULL) AND (paused_at IS NOT NULL OR paused_by IS NULL)",
            name=op.f("ck_payout_account_pause"),
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_payout_account")),
        sa.UniqueConstraint("stripe_account_id", name=op.f("uq_payout_account_stripe_account_id")),
    )
    op.create_index("ix_payout_account_due", "payout_account", ["next_check_at"])
    op.execute(kept("payout_account"))
    op.execute(frozen("payout_account", ("person_id", "created_at")))

    op.create_table(
        "payout",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_payout_person_id_person")), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("stripe_account_id", sa.String(), nullable=False),
        sa.Column("stripe_transfer_id", sa.String(), nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), sa.ForeignKey("ledger_transaction.id", name=op.f("fk_payout_transaction_id_ledger_transaction")), nullable=True),
        sa.Column("after_transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("reversed_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("origin IN ('weekly', 'request')", name=op.f("ck_payout_origin")),
        sa.CheckConstraint("state IN ('open', 'paid', 'failed', 'reversed')", name=op.f("ck_payout_state")),
        sa.CheckConstraint("amount > 0 AND reversed_amount BETWEEN 0 AND amount", name=op.f("ck_payout_amount")),
        sa.CheckConstraint("(state IN ('paid', 'reversed')) = (paid_at IS NOT NULL)", name=op.f("ck_payout_paid")),
        sa.CheckConstraint(
            "(state = 'failed') = (failed_at IS NOT NULL AND failure IS NOT NULL)", name=op.f("ck_payout_failed")
        ),
        sa.CheckConstraint(
            "(state = 'reversed') = (reversed_amount = amount) AND (paid_at IS NOT NULL OR reversed_amount = 0)",
            name=op.f("ck_payout_reversed"),
        ),
        sa.CheckConstraint("paid_at IS NULL OR stripe_transfer_id IS NOT NULL", name=op.f("ck_payout_transfer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout")),
        sa.UniqueConstraint("stripe_transfer_id", name=op.f("uq_payout_stripe_transfer_id")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_payout_transaction_id")),
        sa.UniqueConstraint("person_id", "idempotency_key", name=op.f("uq_payout_person_id_idempotency_key")),
    )
    op.create_index("uq_payout_open", "payout", ["person_id"], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_payout_due", "payout", ["next_check_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_payout_person_id_id", "payout", ["person_id", sa.text("id DESC")])
    op.execute(kept("payout"))
    op.execute(
        frozen(
            "payout",
            (
                "id", "person_id", "origin", "amount", "currency", "stripe_account_id", "after_transaction_id",
                "idempotency_key", "created_at",
            ),
        )
    )
    for statement in state_moves("payout", "state", (("open", "paid"), ("open", "failed"), ("paid", "reversed"))):
        op.execute(statement)

    op.create_table(
        "payout_reversal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("payout_id", sa.BigInteger(), sa.ForeignKey("payout.id", name=op.f("fk_payout_reversal_payout_id_payout")), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), sa.ForeignKey("ledger_transaction.id", name=op.f("fk_payout_reversal_transaction_id_ledger_transaction")), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payout_reversal_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_reversal")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_payout_reversal_transaction_id")),
    )
    op.create_index("ix_payout_reversal_payout_id", "payout_reversal", ["payout_id"])
    op.execute(append_only("payout_reversal"))


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
