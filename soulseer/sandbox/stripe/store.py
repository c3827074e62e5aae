"""Everything the stand-in remembers: one SQLite file, one writer at a time."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS object_by_kind ON object (kind, sequence);
CREATE INDEX IF NOT EXISTS object_by_payment_intent ON object (json_extract(document, '$.payment_intent'))
    WHERE json_extract(document, '$.payment_intent') IS NOT NULL;
CREATE INDEX IF NOT EXISTS open_checkout ON object (json_extract(document, '$.expires_at'))
    WHERE kind = 'checkout.session' AND json_extract(document, '$.status') = 'open';
CREATE TABLE IF NOT EXISTS delivery (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dropped', 'abandoned')),
    first_due_at REAL NOT NULL,
    due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_outcome TEXT,
    delivered_at REAL
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS delivery_by_event ON delivery (event_id);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    endpoint TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created INTEGER NOT NULL
);
"""


class Store:
    """One connection behind one lock; `transaction()` is the only way in."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            directory / "stripe.sqlite3", check_same_thread=False, isolation_level=None
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or none of it; others wait."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def write(connection: sqlite3.Connection, document: Document) -> None:
    """Insert an API object, or replace the one with its id; its `object` field is its kind."""
    connection.execute(
        "INSERT INTO object (id, kind, created, document) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET document = excluded.document",
        (document["id"], document["object"], document["created"], json.dumps(document)),
    )


def read(connection: sqlite3.Connection, identifier: str, kind: str | None = None) -> Document | None:
    """The object with this id, of this kind where one is asked for."""
    row = connection.execute("SELECT kind, document FROM object WHERE id = ?", (identifier,)).fetchone()
    if row is None or (kind is not None and row["kind"] != kind):
        return None
    return dict(json.loads(row["document"]))


def page(
    connection: sqlite3.Connection,
    kind: str,
    *,
    limit: int,
    after: str | None = None,
    before: str | None = None,
    created: Mapping[str, int] | None = None,
    equal: Mapping[str, str] | None = None,
    one_of: Mapping[str, list[str]] | None = None,
) -> tuple[list[Document], bool]:
    """Objects newest first, and whether there are more.

    `after` and `before` are ids (older than, newer than); `created` maps gt, gte, lt, lte to Unix seconds; `equal` and
    `one_of` map top-level fields to values.
    """
    conditions, values = ["kind = ?"], list[Any]([kind])
    for name, bound in (created or {}).items():
        conditions.append(f"created {_COMPARISON[name]} ?")
        values.append(bound)
    for field, value in (equal or {}).items():
        conditions.append(f"json_extract(document, '$.{field}') = ?")
        values.append(value)
    for field, accepted in (one_of or {}).items():
        conditions.append(f"json_extract(document, '$.{field}') IN ({', '.join('?' * len(accepted))})")
        values.extend(accepted)
    order = "DESC"
    if after is not None:
        conditions.append("sequence < (SELECT sequence FROM object WHERE id = ?)")
        values.append(after)
    elif before is not None:
        # The page right above the named object, still shown newest first.
        conditions.append("sequence > (SELECT sequence FROM object WHERE id = ?)")
        values.append(before)
        order = "ASC"
    # Only names from this module and from the resources' own code reach the text; values are bound.
    statement = (
        f"SELECT document FROM object WHERE {' AND '.join(conditions)} ORDER BY sequence {order} LIMIT ?"  # noqa: S608
    )
    rows = connection.execute(statement, (*values, limit + 1)).fetchall()
    documents = [dict(json.loads(row["document"])) for row in rows[:limit]]
    return documents[::-1] if order == "ASC" else documents, len(rows) > limit


_COMPARISON = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
