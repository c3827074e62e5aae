"""the inbox: pulls from Stripe, replays by hand

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import frozen, kept, state_moves

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

EVENT_FROZEN = ("id", "vendor", "event_id", "type", "livemode", "payload", "received_at", "came_by", "created_at")
# Those of 0002, and what a person's replay does: whatever was not processed may be tried anew.
EVENT_MOVES = (
    ("received", "processed"),
    ("received", "ignored"),
    ("received", "quarantined"),
    ("received", "failed"),
    ("failed", "processed"),
    ("failed", "ignored"),
    ("failed", "quarantined"),
    ("quarantined", "received"),
    ("failed", "received"),
    ("ignored", "received"),
)
NEVER_BACK = """
CREATE FUNCTION guard_stripe_event_pull_covered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.covered_until < OLD.covered_until THEN
        RAISE EXCEPTION 'stripe_event_pull: covered_until may not go back from % to %', OLD.covered_until, NEW.covered_until
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$
"""
NEVER_BACK_TRIGGER = (
    "CREATE TRIGGER stripe_event_pull_covered AFTER UPDATE OF covered_until ON stripe_event_pull FOR EACH ROW "
    "EXECUTE FUNCTION guard_stripe_event_pull_covered()"
)
VIEW = """
CREATE OR REPLACE VIEW reporting.webhook_events AS
    SELECT event_id, vendor, type, status, received_at, processed_at, error, came_by, created_at FROM webhook_event
"""


def upgrade() -> None:
    op.add_column("webhook_event", sa.Column("came_by", sa.String(), server_default="webhook", nullable=False))
    op.add_column("webhook_event", sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_webhook_event_came_by"), "webhook_event", "came_by IN ('webhook', 'pull')")
    op.execute("DROP TRIGGER webhook_event_frozen ON webhook_event")
    op.execute(frozen("webhook_event", EVENT_FROZEN))
    # The trigger is there since 0002; its function is written anew.
    op.execute(state_moves("webhook_event", "status", EVENT_MOVES)[0])
    op.execute(VIEW)

    op.create_table(
        "stripe_event_pull",
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("covered_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("livemode", name=op.f("pk_stripe_event_pull")),
    )
    op.execute(kept("stripe_event_pull"))
    op.execute(frozen("stripe_event_pull", ("livemode",)))
    op.execute(NEVER_BACK)
    op.execute(NEVER_BACK_TRIGGER)


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
