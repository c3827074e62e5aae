"""the audit's before and after, whom it is about, who approved, and its chain of hashes

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.support import append_only

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# What is not chained yet: written with each entry, in its transaction, so that none can be overlooked, however late its
# transaction commits; the chain itself is made afterwards, and nobody who writes an entry waits for another.
ANNOUNCE = """
CREATE FUNCTION announce_audit_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_pending (entry_id) SELECT id FROM written;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER audit_entry_announced AFTER INSERT ON audit_entry REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION announce_audit_entries()
"""


def upgrade() -> None:
    for name in ("subject_id", "approver_id"):
        op.add_column("audit_entry", sa.Column(name, sa.BigInteger(), nullable=True))
        op.create_foreign_key(op.f(f"fk_audit_entry_{name}_person"), "audit_entry", "person", [name], ["id"])
    for name in ("before", "after"):
        op.add_column("audit_entry", sa.Column(name, JSONB(none_as_null=True), nullable=True))
    for name in ("subject_id", "action"):
        op.create_index(f"ix_audit_entry_{name}", "audit_entry", [name, sa.text("id DESC")])
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_table(
        "audit_pending",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_pending")),
    )
    op.create_table(
        "audit_link",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_audit_link_position")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["audit_entry.id"], name=op.f("fk_audit_link_entry_id_audit_entry")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_link_entry_id")),
    )
    op.execute(append_only("audit_link"))
    op.execute("INSERT INTO audit_pending (entry_id) SELECT id FROM audit_entry")
    op.execute(ANNOUNCE)
    op.execute(TRIGGER)


def downgrade() -> None:
    raise RuntimeError("the audit is not forgotten by a migration")
