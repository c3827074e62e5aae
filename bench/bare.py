"""The page that ours are measured against: bare Flask, one row by the ORM, one template."""

import os

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Person(db.Model):  # type: ignore[name-defined, misc]
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    handle: Mapped[str] = mapped_column(String)


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace(
    "postgresql://", "postgresql+psycopg://"
)
db.init_app(app)

PAGE = """<!doctype html><html lang="en"><head><title>{{ person.handle }}</title></head><body>
<h1>{{ person.handle }}</h1>{% for n in range(20) %}<p>{{ n }} {{ person.handle }}</p>{% endfor %}</body></html>"""

TEMPLATE = app.jinja_env.from_string(PAGE)


@app.get("/")
def show() -> str:
    """One row, one template."""
    person = db.session.scalars(select(Person).order_by(Person.id).limit(1)).one()
    return TEMPLATE.render(person=person)
