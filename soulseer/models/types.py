"""Column types and small pieces that the tables share."""

from collections.abc import Iterable

from sqlalchemy import DateTime

# All instants are UTC in the database.
Instant = DateTime(timezone=True)


def one_of(column: str, values: Iterable[str]) -> str:
    """The SQL of a CHECK that ``column`` holds one of ``values``."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"
