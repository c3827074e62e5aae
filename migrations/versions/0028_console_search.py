"""Console search: what is typed is found by how a handle or an email address begins.

Revision ID: 0028
Revises: 0027

The indexes of lower(handle) and lower(email) that exist answer for whole words only, unless the database's collation is C.
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_person_handle_begins ON person (lower(handle) text_pattern_ops)")
    op.execute("CREATE INDEX ix_person_email_begins ON person (lower(email) text_pattern_ops)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_person_handle_begins; DROP INDEX ix_person_email_begins")
