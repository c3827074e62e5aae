"""payouts by Stripe Connect; earnings of sessions finalized before

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Sessions that were finalized before earnings had rows: the receipt says what the reader's part was. Held for seven
# days from then, as by the setting's default.
BACKFILL = """
INSERT INTO earning (reader_id, source, reading_session_id, amount, state, earned_at, releases_at)
SELECT s.reader_id, 'reading', s.id, r.reader_part, 'pending', r.issued_at, r.issued_at + interval '7 days'
FROM reading_receipt r JOIN reading_session s ON s.id = r.reading_session_id
WHERE r.reader_part > 0 ORDER BY r.issued_at, s.id
ON CONFLICT (reading_session_id) DO NOTHING
"""


def upgrade() -> None:
    op.add_column("earning", sa.Column("release_transaction_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_earning_release_transaction_id_ledger_transaction"), "earning", "ledger_transaction",
        ["release_transaction_id"], ["id"],
    )
    op.create_unique_constraint("uq_earning_release_transaction_id", "earning", ["release_transaction_id"])
    op.create_check_constraint(
        op.f("ck_earning_release"), "earning", "state = 'released' OR release_transaction_id IS NULL"
    )
    op.execute(BACKFILL)


def downgrade() -> None:
    raise RuntimeError("the books are not taken apart by a migration")
