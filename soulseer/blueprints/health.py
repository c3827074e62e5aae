"""GET /healthz and /readyz: is the process alive, are the parts it needs there."""

from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from soulseer import gateways
from soulseer.db import db

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process is alive."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """200, or 503 that names each part that is missing."""
    parts = {"database": database_fault(), "migrations": None, "redis": redis_fault()}
    if parts["database"] is None:
        parts["migrations"] = migrations_fault()
    faults = {name: fault for name, fault in parts.items() if fault}
    body: dict[str, Any] = {"status": "unavailable" if faults else "ok", "faults": faults}
    return jsonify(body), 503 if faults else 200


def database_fault() -> str | None:
    """None if the database answers, else what is wrong."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return type(error).__name__
    return None


def migrations_fault() -> str | None:
    """None if the database is at the migrations' head."""
    heads = set(ScriptDirectory(str(current_app.extensions["migrate"].directory)).get_heads())
    current = set(MigrationContext.configure(db.session.connection()).get_current_heads())
    return None if current == heads else f"at {sorted(current)}, expected {sorted(heads)}"


def redis_fault() -> str | None:
    """None if Redis answers."""
    try:
        gateways.current().presence.redis.ping()
    except RedisError as error:
        return type(error).__name__
    return None
