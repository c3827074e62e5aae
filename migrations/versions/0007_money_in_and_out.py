"""what money in and out stands on: more kinds, earnings by source, mail, a top-up's refunds, alerts with a reference

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.support import frozen, kept, state_moves

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ACCOUNT_KINDS = (
    "'client_wallet', 'client_receivable', 'client_promotional_credit', 'reader_earnings_pending', "
    "'reader_earnings_available', 'reader_receivable', 'platform_revenue', 'platform_promotions', "
    "'processor_fees', 'stripe_clearing', 'payouts_in_transit', 'platform_bank'"
)
TRANSACTION_KINDS = (
    "'top_up', 'fair_credit', 'promotion', 'adjustment', 'booking', 'booking_refund', 'gift', "
    "'paid_reply', 'shop_order', 'subscription', 'tip', 'refund_to_wallet', 'refund_to_card', "
    "'chargeback', 'chargeback_won', 'earnings_release', 'payout', 'payout_failed', 'promotion_spent', "
    "'promotion_expired', 'refund_failed', 'receivable_paid', 'write_off', 'payout_sent', "
    "'processor_fee', 'bank_transfer'"
)
PLATFORM_BANK = """
WITH opened AS (
    INSERT INTO ledger_account (owner_id, balance, floor, kind, currency, hot, created_at)
    VALUES (NULL, 0, NULL, 'platform_bank', 'USD', true, '2026-01-01T00:00:00Z')
    RETURNING id
)
INSERT INTO ledger_shard (account_id, shard, balance) SELECT id, shard, 0 FROM opened, generate_series(0, 15) AS shard
"""


def upgrade() -> None:
    for table, kinds in (("ledger_account", ACCOUNT_KINDS), ("ledger_transaction", TRANSACTION_KINDS)):
        op.drop_constraint(f"ck_{table}_kind", table)
        # op.f: the name is whole already.
        op.create_check_constraint(op.f(f"ck_{table}_kind"), table, f"kind IN ({kinds})")
    op.execute(PLATFORM_BANK)

    op.add_column("ledger_alert", sa.Column("reference", sa.String(), server_default="", nullable=False))
    op.drop_index("uq_ledger_alert_open", "ledger_alert")
    # The id that a kind carried until now: webhook_quarantined:evt_1 and the like.
    op.execute(
        "UPDATE ledger_alert SET reference = substr(kind, strpos(kind, ':') + 1), "
        "kind = substr(kind, 1, strpos(kind, ':') - 1) WHERE strpos(kind, ':') > 0"
    )
    op.create_index(
        "uq_ledger_alert_open", "ledger_alert", ["kind", "reading_session_id", "reference"], unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"), postgresql_nulls_not_distinct=True,
    )

    op.add_column("top_up", sa.Column("origin", sa.String(), server_default="checkout", nullable=False))
    op.add_column("top_up", sa.Column("stripe_charge_id", sa.String(), nullable=True))
    op.add_column("top_up", sa.Column("refunded_amount", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("top_up", sa.Column("disputed_amount", sa.BigInteger(), server_default="0", nullable=False))
    op.create_unique_constraint("uq_top_up_stripe_charge_id", "top_up", ["stripe_charge_id"])
    op.create_check_constraint(op.f("ck_top_up_origin"), "top_up", "origin IN ('checkout', 'auto_reload')")
    op.create_check_constraint(op.f("ck_top_up_refunded_amount"), "top_up", "refunded_amount BETWEEN 0 AND amount")
    op.create_check_constraint(op.f("ck_top_up_disputed_amount"), "top_up", "disputed_amount BETWEEN 0 AND amount")

    op.create_table(
        "stripe_customer",
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_stripe_customer_person_id_person")), nullable=False),
        sa.Column("stripe_customer_id", sa.String(), nullable=False),
        sa.Column("payment_method_id", sa.String(), nullable=True),
        sa.Column("card_brand", sa.String(), nullable=True),
        sa.Column("card_last4", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_stripe_customer")),
        sa.UniqueConstraint("stripe_customer_id", name=op.f("uq_stripe_customer_stripe_customer_id")),
    )

    op.create_table(
        "mail_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_mail_message_person_id_person")), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("values", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'sent', 'failed', 'dropped')", name=op.f("ck_mail_message_state")),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_mail_message_sent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_message")),
        sa.UniqueConstraint("key", name=op.f("uq_mail_message_key")),
    )
    op.create_index("ix_mail_message_due", "mail_message", ["next_attempt_at"], postgresql_where=sa.text("state = 'queued'"))
    op.create_index("ix_mail_message_person_id_id", "mail_message", ["person_id", sa.text("id DESC")])
    op.execute(kept("mail_message"))
    op.execute(frozen("mail_message", ("id", "person_id", "key", "template", "values", "created_at")))
    for statement in state_moves(
        "mail_message", "state", (("queued", "sent"), ("queued", "failed"), ("queued", "dropped"), ("failed", "queued"))
    ):
        op.execute(statement)

    op.create_table(
        "earning",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reader_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_earning_reader_id_person")), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reading_session_id", sa.BigInteger(), sa.ForeignKey("reading_session.id", name=op.f("fk_earning_reading_session_id_reading_session")), nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), sa.ForeignKey("ledger_transaction.id", name=op.f("fk_earning_transaction_id_ledger_transaction")), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("taken_back", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("earned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("releases_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("source IN ('reading', 'booking', 'gift', 'paid_reply', 'shop_order', 'tip')", name=op.f("ck_earning_source")),
        sa.CheckConstraint("state IN ('pending', 'released')", name=op.f("ck_earning_state")),
        sa.CheckConstraint("amount > 0 AND taken_back BETWEEN 0 AND amount", name=op.f("ck_earning_amount")),
        sa.CheckConstraint("(state = 'released') = (released_at IS NOT NULL)", name=op.f("ck_earning_released")),
        sa.CheckConstraint("(source = 'reading') = (reading_session_id IS NOT NULL)", name=op.f("ck_earning_reading")),
        sa.CheckConstraint("(source = 'reading') = (transaction_id IS NULL)", name=op.f("ck_earning_movement")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earning")),
        sa.UniqueConstraint("reading_session_id", name=op.f("uq_earning_reading_session_id")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_earning_transaction_id")),
    )
    op.create_index("ix_earning_reader_id_id", "earning", ["reader_id", sa.text("id DESC")])
    op.create_index("ix_earning_due", "earning", ["releases_at"], postgresql_where=sa.text("state = 'pending'"))
    op.execute(kept("earning"))
    op.execute(
        frozen("earning", ("id", "reader_id", "source", "reading_session_id", "transaction_id", "amount", "earned_at"))
    )
    for statement in state_moves("earning", "state", (("pending", "released"),)):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
