"""a sign-in's second factor, when it was last used in the back office, and what it was about to do when it was away

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login", sa.Column("second_factor", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("login", sa.Column("console_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("login", sa.Column("console_draft", JSONB(none_as_null=True), nullable=True))


def downgrade() -> None:
    for name in ("console_draft", "console_seen_at", "second_factor"):
        op.drop_column("login", name)
