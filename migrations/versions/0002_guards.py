"""guards: what the database itself refuses, whoever asks (design §3, §4)

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "ledger_transaction",
    "ledger_entry",
    "reading_minute",
    "reading_session_event",
    "reading_receipt",
    "audit_entry",
)
NEVER_DELETED = ("ledger_account", "ledger_shard", "reading_session", "top_up", "webhook_event", "person", "job_run")

# (table, column, legal pairs): a row may only move along these.
STATE_MOVES = (
    (
        "reading_session",
        "state",
        "('created','waiting'),('waiting','active'),('active','paused'),('paused','reconnecting'),"
        "('reconnecting','active'),('created','ended'),('waiting','ended'),('active','ended'),('paused','ended'),"
        "('reconnecting','ended'),('ended','finalized')",
    ),
    (
        "top_up",
        "state",
        "('created','open'),('created','failed'),('created','paid'),('created','expired'),('open','paid'),"
        "('open','failed'),('open','expired'),('failed','paid'),('expired','paid')",
    ),
    (
        "webhook_event",
        "status",
        "('received','processed'),('received','ignored'),('received','quarantined'),('received','failed'),"
        "('failed','processed'),('failed','ignored'),('failed','quarantined'),('quarantined','received')",
    ),
    ("job_run", "outcome", "('running','succeeded'),('running','failed')"),
)

# (table, columns that never change once written)
FROZEN = (
    ("ledger_account", ("id", "owner_id", "kind", "currency", "floor", "hot")),
    (
        "reading_session",
        (
            "id", "client_id", "reader_id", "client_account_id", "reader_account_id", "created_at", "rate",
            "reader_rate", "reader_share", "minimum_minutes", "modality", "channel", "currency",
        ),
    ),
    ("top_up", ("id", "person_id", "account_id", "amount", "currency", "created_at")),
    ("webhook_event", ("id", "vendor", "event_id", "type", "livemode", "payload", "received_at")),
)

REFUSE = """
CREATE FUNCTION guard_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$
"""

STATE_GUARD = """
CREATE FUNCTION guard_{table}_{column}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.{column}, NEW.{column}) NOT IN ({pairs}) THEN
        RAISE EXCEPTION '{table} %: {column} may not go from % to %', OLD.id, OLD.{column}, NEW.{column}
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$
"""

# All entries of a transaction come in one statement, sum to zero per currency, and move the cached balances here, so
# that no caller can forget it. Accounts are locked in id order, then the hot accounts' shards.
APPLY_ENTRIES = """
CREATE FUNCTION ledger_apply_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_entry GROUP BY transaction_id, currency HAVING sum(amount) <> 0 OR count(*) < 2) THEN
        RAISE EXCEPTION 'the entries of a ledger transaction must sum to zero'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_zero_sum';
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT transaction_id, count(*) AS many FROM new_entry GROUP BY transaction_id) fresh
        WHERE many <> (SELECT count(*) FROM ledger_entry e WHERE e.transaction_id = fresh.transaction_id)
    ) THEN
        RAISE EXCEPTION 'a ledger transaction is sealed: its entries come in one statement'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_entry_sealed';
    END IF;
    IF EXISTS (SELECT FROM new_entry n JOIN ledger_account a ON a.id = n.account_id WHERE a.currency <> n.currency) THEN
        RAISE EXCEPTION 'an entry has another currency than its account'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_currency';
    END IF;
    PERFORM FROM ledger_account WHERE NOT hot AND id IN (SELECT account_id FROM new_entry)
        ORDER BY id FOR NO KEY UPDATE;
    UPDATE ledger_account a SET balance = a.balance + moved.amount
        FROM (SELECT account_id, sum(amount) AS amount FROM new_entry GROUP BY account_id) moved
        WHERE a.id = moved.account_id AND NOT a.hot;
    PERFORM FROM ledger_shard
        WHERE account_id IN (SELECT account_id FROM new_entry) AND shard = pg_backend_pid() % 16
        ORDER BY account_id FOR NO KEY UPDATE;
    UPDATE ledger_shard s SET balance = s.balance + moved.amount
        FROM (SELECT account_id, sum(amount) AS amount FROM new_entry GROUP BY account_id) moved
        WHERE s.account_id = moved.account_id AND s.shard = pg_backend_pid() % 16;
    RETURN NULL;
END $$
"""

HAS_ENTRIES = """
CREATE FUNCTION ledger_has_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'ledger transaction % has no entries', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_transaction_entries';
    END IF;
    RETURN NULL;
END $$
"""

OPENS_EMPTY = """
CREATE FUNCTION ledger_account_opens_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.balance <> 0 THEN
        RAISE EXCEPTION 'an account opens at zero; an opening balance is a transaction'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_account_opens_empty';
    END IF;
    RETURN NEW;
END $$
"""

PLATFORM_ACCOUNTS = """
WITH opened AS (
    INSERT INTO ledger_account (owner_id, balance, floor, kind, currency, hot, created_at)
    SELECT NULL, 0, NULL, kind, 'USD', true, '2026-01-01T00:00:00Z'
    FROM unnest(ARRAY['platform_revenue', 'platform_promotions', 'processor_fees', 'stripe_clearing',
                      'payouts_in_transit']) AS kind
    RETURNING id
)
INSERT INTO ledger_shard (account_id, shard, balance) SELECT id, shard, 0 FROM opened, generate_series(0, 15) AS shard
"""


# The guards of rows are AFTER triggers: a BEFORE UPDATE trigger on a table, even of columns that a statement leaves
# alone, has every updated row locked first, which costs the tick a quarter of its log and time.


def upgrade() -> None:
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION guard_refuse('it is append-only')"
        )
    for table in NEVER_DELETED:
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION guard_refuse('its rows are kept')"
        )
    for table, column, pairs in STATE_MOVES:
        op.execute(STATE_GUARD.format(table=table, column=column, pairs=pairs))
        op.execute(
            f"CREATE TRIGGER {table}_{column}_moves AFTER UPDATE OF {column} ON {table} FOR EACH ROW "
            f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION guard_{table}_{column}()"
        )
    for table, columns in FROZEN:
        old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
        op.execute(
            f"CREATE TRIGGER {table}_frozen AFTER UPDATE OF {', '.join(columns)} ON {table} FOR EACH ROW "
            f"WHEN (({old}) IS DISTINCT FROM ({new})) "
            f"EXECUTE FUNCTION guard_refuse('{', '.join(columns)} never change')"
        )
    for function in (APPLY_ENTRIES, HAS_ENTRIES, OPENS_EMPTY):
        op.execute(function)
    op.execute(
        "CREATE TRIGGER ledger_entry_apply AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_entries()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_transaction_entries AFTER INSERT ON ledger_transaction "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_has_entries()"
    )
    op.execute(
        "CREATE TRIGGER ledger_account_opens_empty BEFORE INSERT ON ledger_account "
        "FOR EACH ROW EXECUTE FUNCTION ledger_account_opens_empty()"
    )
    op.execute(PLATFORM_ACCOUNTS)


def downgrade() -> None:
    raise RuntimeError("the guards of the books are not taken off by a migration")
