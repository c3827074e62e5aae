"""promotional credit with expiry

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import frozen, kept, state_moves

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# (trigger, table, when, condition, why): columns that move one way only.
ONE_WAY = (
    ("promotional_credit_falls", "promotional_credit", "UPDATE OF remaining", "NEW.remaining > OLD.remaining", "remaining only falls"),
    ("promotional_credit_opens_full", "promotional_credit", "INSERT", "NEW.remaining <> NEW.amount OR NEW.expired <> 0", "a grant opens unspent"),
    ("promotional_spend_opens", "promotional_spend", "INSERT", "NEW.returned <> 0", "nothing is given back before it is spent"),
    ("promotional_spend_rises", "promotional_spend", "UPDATE OF returned", "NEW.returned < OLD.returned", "returned only rises"),
)


def upgrade() -> None:
    op.create_table(
        "promotional_credit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_promotional_credit_person_id_person")), nullable=False),
        sa.Column("account_id", sa.BigInteger(), sa.ForeignKey("ledger_account.id", name=op.f("fk_promotional_credit_account_id_ledger_account")), nullable=False),
        sa.Column("wallet_id", sa.BigInteger(), sa.ForeignKey("ledger_account.id", name=op.f("fk_promotional_credit_wallet_id_ledger_account")), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), sa.ForeignKey("ledger_transaction.id", name=op.f("fk_promotional_credit_transaction_id_ledger_transaction")), nullable=False),
        sa.Column("source_id", sa.BigInteger(), sa.ForeignKey("promotional_credit.id", name=op.f("fk_promotional_credit_source_id_promotional_credit")), nullable=True),
        sa.Column("granted_by", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_promotional_credit_granted_by_person")), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'spent', 'expired')", name=op.f("ck_promotional_credit_state")),
        sa.CheckConstraint("amount > 0 AND remaining >= 0 AND expired >= 0 AND remaining + expired <= amount", name=op.f("ck_promotional_credit_amount")),
        sa.CheckConstraint("(state = 'open') = (remaining > 0)", name=op.f("ck_promotional_credit_remaining")),
        sa.CheckConstraint("(state = 'expired') = (expired > 0)", name=op.f("ck_promotional_credit_expired")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_promotional_credit_expires_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotional_credit")),
        sa.UniqueConstraint("key", name=op.f("uq_promotional_credit_key")),
        sa.UniqueConstraint("transaction_id", "source_id", name=op.f("uq_promotional_credit_transaction_id_source_id"), postgresql_nulls_not_distinct=True),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_promotional_credit_wallet_id_open", "promotional_credit", ["wallet_id", "expires_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_promotional_credit_due", "promotional_credit", ["expires_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_promotional_credit_person_id_id", "promotional_credit", ["person_id", sa.text("id DESC")])
    op.create_index("ix_promotional_credit_granted_by_created_at", "promotional_credit", ["granted_by", "created_at"])
    op.create_index("ix_promotional_credit_source_id", "promotional_credit", ["source_id"], postgresql_where=sa.text("source_id IS NOT NULL"))

    op.create_table(
        "promotional_spend",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("promotional_credit_id", sa.BigInteger(), sa.ForeignKey("promotional_credit.id", name=op.f("fk_promotional_spend_promotional_credit_id_promotional_credit")), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), sa.ForeignKey("ledger_transaction.id", name=op.f("fk_promotional_spend_transaction_id_ledger_transaction")), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.CheckConstraint("amount > 0 AND returned BETWEEN 0 AND amount", name=op.f("ck_promotional_spend_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotional_spend")),
        sa.UniqueConstraint("transaction_id", "promotional_credit_id", name=op.f("uq_promotional_spend_transaction_id_promotional_credit_id")),
    )
    op.create_index("ix_promotional_spend_purpose", "promotional_spend", ["purpose"])
    op.create_index("ix_promotional_spend_promotional_credit_id", "promotional_spend", ["promotional_credit_id"])

    for table in ("promotional_credit", "promotional_spend"):
        op.execute(kept(table))
    op.execute(
        frozen(
            "promotional_credit",
            ("id", "person_id", "account_id", "wallet_id", "amount", "created_at", "expires_at", "transaction_id", "source_id",
             "granted_by", "key", "reason"),
        )
    )
    op.execute(frozen("promotional_spend", ("id", "promotional_credit_id", "transaction_id", "amount", "purpose")))
    for statement in state_moves("promotional_credit", "state", (("open", "spent"), ("open", "expired"))):
        op.execute(statement)
    for name, table, when, condition, why in ONE_WAY:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {when} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION guard_refuse('{why}')"
        )


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
