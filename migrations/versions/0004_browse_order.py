"""browse order: the mean rating as a column of its own, so that browsing reads an index in order

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MEAN = "CASE WHEN rating_count = 0 THEN 0 ELSE rating_sum * 1000 / rating_count END"


def upgrade() -> None:
    op.add_column(
        "reader_profile",
        sa.Column("rating_thousandths", sa.Integer(), sa.Computed(MEAN, persisted=True), nullable=False),
    )
    op.drop_index("ix_reader_profile_browse", table_name="reader_profile")
    op.create_index(
        "ix_reader_profile_browse_order",
        "reader_profile",
        ["online", "rating_thousandths", sa.text("(- person_id)")],
        postgresql_where=sa.text("listed"),
    )


def downgrade() -> None:
    op.drop_index("ix_reader_profile_browse_order", table_name="reader_profile")
    op.create_index(
        "ix_reader_profile_browse",
        "reader_profile",
        ["online", "person_id"],
        postgresql_where=sa.text("listed"),
    )
    op.drop_column("reader_profile", "rating_thousandths")
