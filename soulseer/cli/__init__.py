"""The ``flask`` groups that outside programs rely on (contract, Commands). One module per group."""

from importlib import import_module

from flask import Flask

GROUPS = ("audit", "demo", "doctor", "jobs", "ledger", "mail", "stripe", "users")


def register(app: Flask) -> None:
    """Add every group to ``flask``."""
    for name in GROUPS:
        app.cli.add_command(import_module(f"soulseer.cli.{name}").group)
