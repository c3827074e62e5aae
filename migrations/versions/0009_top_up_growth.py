"""auto-reload and saved cards

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import frozen, kept

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("top_up", sa.Column("processing_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("top_up", sa.Column("card_consent_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("top_up", sa.Column("payment_method_id", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_top_up_payment_method_id"), "top_up", "(origin = 'auto_reload') = (payment_method_id IS NOT NULL)"
    )
    op.create_index(
        "uq_top_up_auto_reload_open", "top_up", ["person_id"], unique=True,
        postgresql_where=sa.text("origin = 'auto_reload' AND state IN ('created', 'open')"),
    )
    op.create_index(
        "ix_top_up_auto_reload_person_id_created_at", "top_up", ["person_id", "created_at"],
        postgresql_where=sa.text("origin = 'auto_reload'"),
    )
    op.execute(
        "CREATE TRIGGER top_up_origin_frozen AFTER UPDATE OF origin, card_consent_at, payment_method_id ON top_up "
        "FOR EACH ROW WHEN ((OLD.origin, OLD.card_consent_at, OLD.payment_method_id) IS DISTINCT FROM "
        "(NEW.origin, NEW.card_consent_at, NEW.payment_method_id)) "
        "EXECUTE FUNCTION guard_refuse('origin, card_consent_at, payment_method_id never change')"
    )

    op.add_column("stripe_customer", sa.Column("card_consent_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_stripe_customer_card"), "stripe_customer",
        "(payment_method_id IS NULL) = (card_consent_at IS NULL)",
    )

    op.create_table(
        "auto_reload",
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_auto_reload_person_id_person")), nullable=False),
        sa.Column("account_id", sa.BigInteger(), sa.ForeignKey("ledger_account.id", name=op.f("fk_auto_reload_account_id_ledger_account")), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("monthly_cap", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("off_reason", sa.String(), nullable=True),
        sa.Column("enabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("threshold > 0 AND amount > 0 AND monthly_cap >= amount", name=op.f("ck_auto_reload_amounts")),
        sa.CheckConstraint("off_reason IN ('person', 'refused', 'card_removed')", name=op.f("ck_auto_reload_off_reason")),
        sa.CheckConstraint("enabled = (off_reason IS NULL)", name=op.f("ck_auto_reload_off")),
        sa.CheckConstraint("NOT enabled OR enabled_at IS NOT NULL", name=op.f("ck_auto_reload_enabled_at")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_auto_reload_failures")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_auto_reload")),
    )
    op.create_index("ix_auto_reload_account_id", "auto_reload", ["account_id"], postgresql_where=sa.text("enabled"))
    op.execute(kept("auto_reload"))
    op.execute(frozen("auto_reload", ("person_id", "account_id")))

    op.create_table(
        "retired_card",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_retired_card_person_id_person")), nullable=False),
        sa.Column("payment_method_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detached_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(next_check_at IS NULL) = (detached_at IS NOT NULL)", name=op.f("ck_retired_card_detached_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retired_card")),
        sa.UniqueConstraint("payment_method_id", name=op.f("uq_retired_card_payment_method_id")),
    )
    op.create_index("ix_retired_card_due", "retired_card", ["next_check_at"], postgresql_where=sa.text("detached_at IS NULL"))
    op.create_index("ix_retired_card_person_id", "retired_card", ["person_id"])
    op.execute(kept("retired_card"))
    op.execute(frozen("retired_card", ("id", "person_id", "payment_method_id", "created_at")))


def downgrade() -> None:
    raise RuntimeError("consents and the records of charges are not taken apart by a migration")
