"""Alembic's environment: the app's engine and metadata."""

from typing import Any

from alembic import context
from flask import current_app

from soulseer.db import Money

extension = current_app.extensions["migrate"]


def render_item(kind: str, value: Any, autogenerate_context: Any) -> str | bool:
    """Migrations stand on their own: no import from the product."""
    if kind == "type" and isinstance(value, Money):
        return "sa.BigInteger()"
    return False


def run_migrations_online() -> None:
    with extension.db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            render_item=render_item,
            transaction_per_migration=True,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
