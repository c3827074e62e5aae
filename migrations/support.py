"""SQL of the guards that many tables have alike (see 0002): append-only, kept, frozen columns, legal moves of a state.

The guards of rows are AFTER triggers, for the reason that 0002 gives.
"""

from collections.abc import Iterable


def append_only(table: str) -> str:
    """Refuses UPDATE, DELETE and TRUNCATE."""
    return (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION guard_refuse('it is append-only')"
    )


def kept(table: str) -> str:
    """Refuses DELETE and TRUNCATE."""
    return (
        f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION guard_refuse('its rows are kept')"
    )


def frozen(table: str, columns: Iterable[str]) -> str:
    """Refuses a change of columns that say what the row is."""
    names = list(columns)
    old, new = (", ".join(f"{row}.{column}" for column in names) for row in ("OLD", "NEW"))
    return (
        f"CREATE TRIGGER {table}_frozen AFTER UPDATE OF {', '.join(names)} ON {table} FOR EACH ROW "
        f"WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION guard_refuse('{', '.join(names)} never change')"
    )


def state_moves(table: str, column: str, moves: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Two statements: a row of ``table`` may move only along ``moves`` (from, to)."""
    pairs = ",".join(f"('{before}','{after}')" for before, after in moves)
    function = f"""
CREATE OR REPLACE FUNCTION guard_{table}_{column}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.{column}, NEW.{column}) NOT IN ({pairs}) THEN
        RAISE EXCEPTION '{table} %: {column} may not go from % to %', OLD.id, OLD.{column}, NEW.{column}
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$
"""
    trigger = (
        f"CREATE TRIGGER {table}_{column}_moves AFTER UPDATE OF {column} ON {table} FOR EACH ROW "
        f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION guard_{table}_{column}()"
    )
    return function, trigger
