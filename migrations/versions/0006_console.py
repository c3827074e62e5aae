"""what the back office's front page counts, by index

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_job_run_failed", "job_run", ["started_at"], postgresql_where=sa.text("outcome = 'failed'"))
    op.create_index("ix_top_up_paid_at", "top_up", ["paid_at"], postgresql_where=sa.text("state = 'paid'"))
    op.create_index(
        "ix_webhook_event_quarantined",
        "webhook_event",
        ["received_at"],
        postgresql_where=sa.text("status = 'quarantined'"),
    )
    op.create_index("ix_reading_minute_charged_at", "reading_minute", ["charged_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_reading_minute_charged_at", "reading_minute")
    op.drop_index("ix_webhook_event_quarantined", "webhook_event")
    op.drop_index("ix_top_up_paid_at", "top_up")
    op.drop_index("ix_job_run_failed", "job_run")
