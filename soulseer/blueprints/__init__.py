"""HTTP for clients, readers and programs. One module per capability."""

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from soulseer.blueprints import health


def register_blueprints(app: Flask, csrf: CSRFProtect) -> None:
    """Mount every blueprint and the doors' shared habits."""
    app.register_blueprint(health.blueprint)
