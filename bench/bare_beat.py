"""The routes that a heartbeat is measured against: bare Flask that reads JSON and answers with one row by the ORM, and
one that answers with nothing looked up at all."""

import os
from typing import Any

from flask import Flask, jsonify, request
from sqlalchemy import select

from bench.bare import Person, db

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace(
    "postgresql://", "postgresql+psycopg://"
)
db.init_app(app)


@app.post("/row/")
def row() -> Any:
    """One row, as JSON."""
    request.get_json()
    person = db.session.scalars(select(Person).order_by(Person.id).limit(1)).one()
    return jsonify(id=person.id, handle=person.handle)


@app.post("/nothing/")
def nothing() -> Any:
    """What Flask itself takes."""
    request.get_json()
    return jsonify(ok=True)
