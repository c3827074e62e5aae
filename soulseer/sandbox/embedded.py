"""The embedded servers: a PostgreSQL 18 and a Valkey that need nothing installed."""

from soulseer.sandbox.embedded_postgres import EmbeddedPostgres
from soulseer.sandbox.embedded_valkey import EmbeddedValkey
from soulseer.sandbox.places import SandboxError

__all__ = ["EmbeddedPostgres", "EmbeddedValkey", "SandboxError"]
