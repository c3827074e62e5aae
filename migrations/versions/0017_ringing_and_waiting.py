"""ringing and waiting

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import append_only, frozen, kept, state_moves

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

END_REASONS = (
    "end_reason IS NULL OR end_reason IN ('client_ended', 'reader_ended', 'staff_ended', 'system_ended', 'no_answer', "
    "'declined', 'grace_over', 'too_many_reconnects')"
)
ACTIONS = (
    "action IN ('request', 'open', 'join', 'activate', 'leave', 'drop', 'low_balance', 'reconnect', 'resume', 'end', "
    "'no_answer', 'decline', 'expire', 'finalize')"
)
# (table, legal moves of its state)
WAITS = (
    (
        "queue_place",
        (("waiting", "held"), ("waiting", "served"), ("waiting", "left"), ("waiting", "closed"),
         ("held", "served"), ("held", "left"), ("held", "lapsed"), ("held", "closed")),
    ),
    ("free_notice", (("open", "told"), ("open", "cancelled"), ("open", "expired"), ("told", "seen"), ("told", "expired"))),
)


def upgrade() -> None:
    _declining()
    _readers()
    _queue()
    _notices()
    _free_minutes()
    for table, moves in WAITS:
        op.execute(kept(table))
        op.execute(frozen(table, ("id", "client_id", "reader_id", "created_at")))
        for statement in state_moves(table, "state", moves):
            op.execute(statement)


def _declining() -> None:
    for table, name, condition in (
        ("reading_session", "ck_reading_session_end_reason", END_REASONS),
        ("reading_session_event", "ck_reading_session_event_action", ACTIONS),
    ):
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, condition)


def _readers() -> None:
    op.add_column("reader_profile", sa.Column("online_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reader_profile", sa.Column("offline_cause", sa.String(), nullable=True))
    op.add_column("reader_profile", sa.Column("free_minutes", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("ck_reader_profile_offline_cause"),
        "reader_profile",
        "offline_cause IS NULL OR (offline_cause IN ('missed_rings') AND NOT online)",
    )
    op.create_check_constraint(op.f("ck_reader_profile_free_minutes"), "reader_profile", "free_minutes BETWEEN 0 AND 5")


def _queue() -> None:
    op.create_table(
        "queue_place",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_queue_place_client_id_person")), nullable=False),
        sa.Column("reader_id", sa.BigInteger(), sa.ForeignKey("reader_profile.person_id", name=op.f("fk_queue_place_reader_id_reader_profile")), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'held', 'served', 'lapsed', 'left', 'closed')", name=op.f("ck_queue_place_state")),
        sa.CheckConstraint("cause IS NULL OR cause IN ('reader_offline', 'client_busy', 'funds', 'blocked', 'suspended')", name=op.f("ck_queue_place_cause")),
        sa.CheckConstraint("(state = 'closed') = (cause IS NOT NULL)", name=op.f("ck_queue_place_closed")),
        sa.CheckConstraint("(state IN ('waiting', 'held')) = (closed_at IS NULL)", name=op.f("ck_queue_place_closed_at")),
        sa.CheckConstraint("(state <> 'held' OR held_until IS NOT NULL) AND (state <> 'waiting' OR held_until IS NULL)", name=op.f("ck_queue_place_held")),
        sa.CheckConstraint("client_id <> reader_id", name=op.f("ck_queue_place_not_oneself")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_place")),
    )
    live = sa.text("state IN ('waiting', 'held')")
    op.create_index("uq_queue_place_client_id_live", "queue_place", ["client_id"], unique=True, postgresql_where=live)
    op.create_index("ix_queue_place_reader_id_live", "queue_place", ["reader_id", "id"], postgresql_where=live)
    op.create_index("uq_queue_place_reader_id_held", "queue_place", ["reader_id"], unique=True, postgresql_where=sa.text("state = 'held'"))
    op.create_index("ix_queue_place_reader_id", "queue_place", ["reader_id"])
    op.create_index("ix_queue_place_client_id", "queue_place", ["client_id"])


def _notices() -> None:
    op.create_table(
        "free_notice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_free_notice_client_id_person")), nullable=False),
        sa.Column("reader_id", sa.BigInteger(), sa.ForeignKey("reader_profile.person_id", name=op.f("fk_free_notice_reader_id_reader_profile")), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'told', 'seen', 'cancelled', 'expired')", name=op.f("ck_free_notice_state")),
        sa.CheckConstraint("state NOT IN ('told', 'seen') OR told_at IS NOT NULL", name=op.f("ck_free_notice_told")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_free_notice_expires_at")),
        sa.CheckConstraint("client_id <> reader_id", name=op.f("ck_free_notice_not_oneself")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_free_notice")),
    )
    op.create_index("uq_free_notice_pair_open", "free_notice", ["client_id", "reader_id"], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_free_notice_client_id_live", "free_notice", ["client_id"], postgresql_where=sa.text("state IN ('open', 'told')"))
    op.create_index("ix_free_notice_reader_id_open", "free_notice", ["reader_id"], postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_free_notice_expires_at", "free_notice", ["expires_at"], postgresql_where=sa.text("state IN ('open', 'told')"))


def _free_minutes() -> None:
    op.add_column("reading_session", sa.Column("free_minutes", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column(
        "promotional_credit",
        sa.Column("only_session_id", sa.BigInteger(), sa.ForeignKey("reading_session.id", name=op.f("fk_promotional_credit_only_session_id_reading_session")), nullable=True),
    )
    op.create_index("ix_promotional_credit_only_session_id", "promotional_credit", ["only_session_id"], unique=True, postgresql_where=sa.text("only_session_id IS NOT NULL"))
    op.create_table(
        "free_minutes_use",
        sa.Column("client_id", sa.BigInteger(), sa.ForeignKey("person.id", name=op.f("fk_free_minutes_use_client_id_person")), nullable=False),
        sa.Column("reading_session_id", sa.BigInteger(), sa.ForeignKey("reading_session.id", name=op.f("fk_free_minutes_use_reading_session_id_reading_session")), nullable=False),
        sa.Column("promotional_credit_id", sa.BigInteger(), sa.ForeignKey("promotional_credit.id", name=op.f("fk_free_minutes_use_promotional_credit_id_promotional_credit")), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("minutes BETWEEN 1 AND 5", name=op.f("ck_free_minutes_use_minutes")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_free_minutes_use")),
        sa.UniqueConstraint("reading_session_id", name=op.f("uq_free_minutes_use_reading_session_id")),
        sa.UniqueConstraint("promotional_credit_id", name=op.f("uq_free_minutes_use_promotional_credit_id")),
    )
    # Once per client for good: no row of it goes away or changes.
    op.execute(append_only("free_minutes_use"))
    for table, column in (("reading_session", "free_minutes"), ("promotional_credit", "only_session_id")):
        op.execute(
            f"CREATE TRIGGER {table}_{column}_frozen AFTER UPDATE OF {column} ON {table} FOR EACH ROW "
            f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION guard_refuse('{column} never changes')"
        )


def downgrade() -> None:
    raise RuntimeError("who waited, and who had free minutes, is not taken apart by a migration")
