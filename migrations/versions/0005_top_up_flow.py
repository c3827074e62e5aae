"""top_up: the client's own key, the reason of a failure, and when Stripe is to be asked again

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("top_up", sa.Column("idempotency_key", sa.String(), nullable=True))
    op.add_column("top_up", sa.Column("failure", sa.String(), nullable=True))
    op.add_column("top_up", sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint("uq_top_up_person_id_idempotency_key", "top_up", ["person_id", "idempotency_key"])
    op.execute("UPDATE top_up SET next_check_at = created_at WHERE state IN ('created', 'open')")
    op.drop_index("ix_top_up_created", "top_up")
    op.create_index(
        "ix_top_up_due", "top_up", ["next_check_at"], postgresql_where=sa.text("state IN ('created', 'open')")
    )


def downgrade() -> None:
    op.drop_index("ix_top_up_due", "top_up")
    op.create_index(
        "ix_top_up_created", "top_up", ["created_at"], postgresql_where=sa.text("state IN ('created', 'open')")
    )
    op.drop_constraint("uq_top_up_person_id_idempotency_key", "top_up")
    op.drop_column("top_up", "next_check_at")
    op.drop_column("top_up", "failure")
    op.drop_column("top_up", "idempotency_key")
