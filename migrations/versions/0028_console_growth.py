"""the switch that stops all billing, pauses of jobs, and what each day came to

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import frozen, kept, state_moves

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

PAUSE_CAUSES = (
    "client_left", "reader_left", "client_dropped", "reader_dropped", "low_balance", "ceiling", "platform", "crisis",
    "billing_stopped",
)  # fmt: skip
FIGURES = ("charged", "revenue", "minutes", "sessions", "dropped", "sign_ups", "refunded")
EVENT_MOVES = (
    *((before, after) for before in ("received", "failed") for after in ("processed", "ignored", "quarantined")),
    ("received", "failed"),
    *((before, "received") for before in ("quarantined", "failed", "ignored")),
    ("quarantined", "ignored"),
)
INSTANT = sa.DateTime(timezone=True)


def instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, INSTANT, nullable=nullable)


def words(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=nullable)


def person(table: str, name: str, *, nullable: bool = False) -> sa.Column:
    key = sa.ForeignKey("person.id", name=op.f(f"fk_{table}_{name}_person"))
    return sa.Column(name, sa.BigInteger(), key, nullable=nullable)


def number(table: str) -> tuple[sa.Column, sa.PrimaryKeyConstraint]:
    column = sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)
    return column, sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def lifted_once(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_lifted_once AFTER UPDATE ON {table} FOR EACH ROW WHEN (OLD.lifted_at IS NOT NULL) "
        "EXECUTE FUNCTION guard_refuse('what is lifted stays lifted')"
    )


def upgrade() -> None:
    op.create_table(
        "billing_stop",
        *number("billing_stop"),
        instant("begins_at"),
        person("billing_stop", "stopped_by"),
        words("reason"),
        instant("lifted_at", nullable=True),
        person("billing_stop", "lifted_by", nullable=True),
        words("lift_reason", nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(lifted_at, lifted_by, lift_reason) IN (0, 3)", name=op.f("ck_billing_stop_lifted")
        ),
    )
    standing = sa.text("lifted_at IS NULL")
    op.create_index(
        "uq_billing_stop_standing",
        "billing_stop",
        [sa.text("(lifted_at IS NULL)")],
        unique=True,
        postgresql_where=standing,
    )
    op.create_table(
        "job_pause",
        *number("job_pause"),
        words("job"),
        instant("begins_at"),
        instant("until"),
        person("job_pause", "paused_by"),
        words("reason"),
        instant("lifted_at", nullable=True),
        person("job_pause", "lifted_by", nullable=True),
        sa.CheckConstraint("until > begins_at", name=op.f("ck_job_pause_until")),
        sa.CheckConstraint("lifted_at IS NOT NULL OR lifted_by IS NULL", name=op.f("ck_job_pause_lifted")),
    )
    op.create_index("uq_job_pause_standing", "job_pause", ["job"], unique=True, postgresql_where=standing)
    op.create_index("ix_job_pause_job_id", "job_pause", ["job", sa.text("id DESC")])
    for table, columns in (
        ("billing_stop", ("id", "begins_at", "stopped_by", "reason")),
        ("job_pause", ("id", "job", "begins_at", "until", "paused_by", "reason")),
    ):
        op.execute(kept(table))
        op.execute(frozen(table, columns))
        op.execute(lifted_once(table))

    cause = ", ".join(f"'{one}'" for one in PAUSE_CAUSES)
    op.drop_constraint(op.f("ck_reading_session_pause_cause"), "reading_session")
    op.create_check_constraint(
        op.f("ck_reading_session_pause_cause"),
        "reading_session",
        f"pause_cause IS NULL OR pause_cause IN ({cause})",
    )


    op.create_table(
        "daily_figures",
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FIGURES),
        instant("counted_at"),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_daily_figures")),
        sa.CheckConstraint(
            "charged >= 0 AND minutes >= 0 AND sessions >= dropped AND dropped >= 0 AND sign_ups >= 0 AND refunded >= 0",
            name=op.f("ck_daily_figures_counted"),
        ),
    )
    for table in ("person", "ledger_transaction", "reading_session"):
        op.create_index(f"ix_{table}_created_at", table, ["created_at"], postgresql_using="brin")


    op.add_column("job_run", instant("discarded_at", nullable=True))
    op.add_column("job_run", person("job_run", "discarded_by", nullable=True))
    op.create_check_constraint(
        op.f("ck_job_run_discarded"),
        "job_run",
        "(discarded_at IS NULL) = (discarded_by IS NULL) AND (discarded_at IS NULL OR outcome = 'failed')",
    )
    run = sa.ForeignKey("job_run.id", name=op.f("fk_ledger_transaction_job_run_id_job_run"))
    op.add_column("ledger_transaction", sa.Column("job_run_id", sa.BigInteger(), run, nullable=True))
    op.create_index(
        "ix_ledger_transaction_job_run_id",
        "ledger_transaction",
        ["job_run_id"],
        postgresql_where=sa.text("job_run_id IS NOT NULL"),
    )
    # A person may give up what was quarantined.
    op.execute(state_moves("webhook_event", "status", EVENT_MOVES)[0])
    op.add_column("webhook_event", sa.Column("object_id", sa.String(), nullable=True))
    op.create_index(
        "ix_webhook_event_object_id",
        "webhook_event",
        ["object_id"],
        postgresql_where=sa.text("object_id IS NOT NULL"),
    )


def downgrade() -> None:
    raise RuntimeError("who stopped the billing is not forgotten by a migration")
