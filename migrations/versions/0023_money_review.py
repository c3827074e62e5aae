"""what is given back or asked back of a subscription's payment

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import frozen

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INVOICE = "subscription_invoice_id"
REFUND_SOURCES = ("reading_session_id", "source_transaction_id", "top_up_id", INVOICE)
REFUND_FROZEN = (
    "id", "person_id", "destination", "origin", "amount", "currency", *REFUND_SOURCES, "withdrawal_id", "reason", "plan",
    "plan_hash", "needs_approval", "requested_by", "request_key", "requested_at",
)  # fmt: skip
DISPUTE_FROZEN = (
    "id", "stripe_dispute_id", "top_up_id", INVOICE, "person_id", "amount", "currency", "opened_at", "recorded_at",
)  # fmt: skip
TAKEN = ("taken_amount", "wallet_part", "receivable_part", "platform_part", "taken_transaction_id")


def check_anew(table: str, name: str, condition: str, *, is_new: bool = False) -> None:
    if not is_new:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def money(table: str, *names: str) -> None:
    for name in names:
        op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))


def of_an_invoice(table: str) -> None:
    """A column that names the invoice, indexed."""
    key = sa.ForeignKey("subscription_invoice.id", name=op.f(f"fk_{table}_{INVOICE}_subscription_invoice"))
    op.add_column(table, sa.Column(INVOICE, sa.BigInteger(), key, nullable=True))
    op.create_index(
        f"ix_{table}_{INVOICE}", table, [INVOICE], postgresql_where=sa.text(f"{INVOICE} IS NOT NULL")
    )


def upgrade() -> None:
    money("subscription_invoice", "refunded_amount", "disputed_amount")
    check_anew(
        "subscription_invoice",
        "given_back",
        "refunded_amount >= 0 AND disputed_amount >= 0 AND refunded_amount + disputed_amount <= amount_paid",
        is_new=True,
    )
    op.create_index(
        "ix_subscription_invoice_stripe_payment_intent_id",
        "subscription_invoice",
        ["stripe_payment_intent_id"],
        postgresql_where=sa.text("stripe_payment_intent_id IS NOT NULL"),
    )

    of_an_invoice("refund")
    op.create_index(
        f"uq_refund_waiting_{INVOICE}",
        "refund",
        [INVOICE],
        unique=True,
        postgresql_where=sa.text("state = 'requested' AND needs_approval"),
    )
    check_anew("refund", "source", f"num_nonnulls({', '.join(REFUND_SOURCES)}) = 1")
    check_anew("refund", "card", f"(destination = 'card') = (num_nonnulls(top_up_id, {INVOICE}) = 1)")
    op.execute("DROP TRIGGER refund_frozen ON refund")
    op.execute(frozen("refund", REFUND_FROZEN))

    of_an_invoice("dispute")
    money("dispute", "platform_part")
    op.alter_column("dispute", "top_up_id", nullable=True)
    check_anew(
        "dispute",
        "parts",
        "wallet_part >= 0 AND receivable_part >= 0 AND platform_part >= 0"
        " AND taken_amount = wallet_part + receivable_part + platform_part AND taken_amount <= amount",
    )
    check_anew("dispute", "payment", f"num_nonnulls(top_up_id, {INVOICE}) = 1", is_new=True)
    check_anew(
        "dispute",
        "bearer",
        "CASE WHEN top_up_id IS NULL THEN wallet_part + receivable_part ELSE platform_part END = 0",
        is_new=True,
    )
    op.execute("DROP TRIGGER dispute_frozen ON dispute")
    op.execute(frozen("dispute", DISPUTE_FROZEN))
    old, new = (", ".join(f"{row}.{column}" for column in TAKEN) for row in ("OLD", "NEW"))
    op.execute("DROP TRIGGER dispute_taken_once ON dispute")
    op.execute(
        f"CREATE TRIGGER dispute_taken_once AFTER UPDATE OF {', '.join(TAKEN)} ON dispute FOR EACH ROW "
        f"WHEN (OLD.taken_transaction_id IS NOT NULL AND ROW({old}) IS DISTINCT FROM ROW({new})) "
        "EXECUTE FUNCTION guard_refuse('what was taken back never changes')"
    )


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
