"""ceilings: a limit on minutes that the client sets, held by the row itself

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

CAUSES = "'client_left', 'reader_left', 'client_dropped', 'reader_dropped', 'low_balance', 'platform', 'crisis'"
ACTIONS = (
    "'request', 'open', 'join', 'activate', 'leave', 'drop', 'low_balance', 'reconnect', 'resume', 'end', 'no_answer', "
    "'decline', 'expire', 'finalize'"
)
# A column that most rows leave NULL: no row is rewritten, and an update of it touches no index.
COLUMNS = """
ALTER TABLE reading_session ADD COLUMN max_minutes INTEGER, ADD COLUMN ceiling_kind VARCHAR,
    ADD COLUMN ceiling_asked INTEGER
"""
CHECKS = {
    "ceiling": "num_nulls(max_minutes, ceiling_kind, ceiling_asked) IN (0, 3)"
    " AND (ceiling_kind IS NULL OR ceiling_kind IN ('minutes', 'money')) AND ceiling_asked > 0",
    # Nobody is charged beyond it, whoever charges.
    "within_ceiling": "max_minutes > 0 AND minutes_billed <= max_minutes",
}


def upgrade() -> None:
    op.execute(COLUMNS)
    for name, condition in CHECKS.items():
        _check("reading_session", name, condition)
    _widen(f"{CAUSES}, 'ceiling'", f"{ACTIONS}, 'ceiling', 'set_ceiling'")


def downgrade() -> None:
    _widen(CAUSES, ACTIONS)
    for name in CHECKS:
        op.execute(f"ALTER TABLE reading_session DROP CONSTRAINT ck_reading_session_{name}")
    op.execute(
        "ALTER TABLE reading_session DROP COLUMN max_minutes, DROP COLUMN ceiling_kind, DROP COLUMN ceiling_asked"
    )


def _widen(causes: str, actions: str) -> None:
    op.execute("ALTER TABLE reading_session DROP CONSTRAINT ck_reading_session_pause_cause")
    _check("reading_session", "pause_cause", f"pause_cause IS NULL OR pause_cause IN ({causes})")
    op.execute("ALTER TABLE reading_session_event DROP CONSTRAINT ck_reading_session_event_action")
    _check("reading_session_event", "action", f"action IN ({actions})")


def _check(table: str, name: str, condition: str) -> None:
    """Added unproven and proven afterwards: the rows are looked at without anybody being kept out."""
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
