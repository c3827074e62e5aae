"""The ``flask`` groups that outside programs rely on (contract, Commands)."""

from flask import Flask


def register(app: Flask) -> None:
    """Add every group to ``flask``."""
