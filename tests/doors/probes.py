"""Routes that exist in tests only: each goes wrong, or echoes, in one way."""

import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, Flask
from pydantic import Field
from sqlalchemy import text

from soulseer.blueprints import limits
from soulseer.blueprints.api_support import api_route, once
from soulseer.blueprints.api_types import Amount, ApiModel, Instant, Money, Page, PageQuery, page_of
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, IllegalMove, InsufficientFunds, SoulSeerError, TransferNotAllowed
from soulseer.models.people import Person
from soulseer.services.people import SignedIn

pages = Blueprint("probe", __name__, url_prefix="/probe")
api = Blueprint("api_probe", __name__, url_prefix="/api/probe")
deeds: list[str] = []
deed_may_end = threading.Event()


class Order(ApiModel):
    amount: Amount
    note: str = Field("", max_length=20)
    tags: list[str] = []


class Receipt(ApiModel):
    number: int
    amount: Money
    at: Instant


class Number(ApiModel):
    number: int


def error_of(kind: str) -> Exception:
    errors: dict[str, Exception] = {
        "funds": InsufficientFunds(Decimal("1.99")),
        "conflict": IllegalMove("Not now.", state="ended"),
        "books": TransferNotAllowed("account 7 of person 12"),
        "boom": RuntimeError("the password is hunter2"),
        "keyboard": ZeroDivisionError("x"),
    }
    return errors[kind]


@pages.route("/fail/<kind>/", methods=["GET", "POST"])
def fail(kind: str) -> str:
    raise error_of(kind)


@pages.get("/sql/<kind>/")
def sql(kind: str) -> str:
    statements = {
        "away": "SELECT pg_terminate_backend(pg_backend_pid())",
        "data": "SELECT 'x'::int",
        "busy": "SELECT pg_sleep(5)",
    }
    with transaction():
        if kind == "busy":
            db.session.execute(text("SET LOCAL statement_timeout = 50"))
        db.session.execute(text(statements[kind]))
    return "done"


@pages.get("/row/<int:row_id>/")
def row(row_id: int) -> str:
    return str(row_id)


@api.get("/fail/<kind>/")
@api_route("Fail")
def api_fail(person: SignedIn, kind: str) -> Any:
    raise error_of(kind)


@api.post("/orders/")
@api_route("Echo an order", body=Order, answer=Receipt, status=201)
def order(person: SignedIn, body: Order) -> Receipt:
    """Gives the amount back."""
    return Receipt(number=1, amount=body.amount, at=clock.now())


@api.get("/numbers/")
@api_route("Count down", query=PageQuery, answer=Page[Number])
def numbers(person: SignedIn, query: PageQuery) -> Page[Number]:
    after = query.after()
    first = 250 if after is None else after - 1
    rows = list(range(first, max(first - query.limit - 1, -1), -1))
    return page_of(rows, query, identifier=lambda n: n, item=lambda n: Number(number=n))


@api.post("/deeds/")
@api_route("A deed", body=Order, answer=Receipt, status=201, idempotent=True, limit=limits.MONEY)
def deed(person: SignedIn, body: Order) -> Any:
    def do(now: datetime) -> tuple[Receipt, int]:
        deeds.append(body.note)
        if body.note == "wait":
            deed_may_end.wait(5)
        person_row = db.session.get_one(Person, person.id)
        person_row.suspended_reason = f"deed {len(deeds)}"
        db.session.flush()
        if body.note == "refuse":
            raise Conflict("Refused.")
        if body.note == "refuse but keep":
            raise Conflict("Refused.", keeps_changes=True)
        if body.note == "break":
            raise RuntimeError("broken in the middle")
        return Receipt(number=len(deeds), amount=body.amount, at=now), 201

    return once(person, do)


@api.get("/nothing/")
@api_route("Nothing", limit=limits.POLL)
def nothing(person: SignedIn) -> dict[str, Any]:
    return {}


@api.get("/nested/")
@api_route("Nested")
def nested(person: SignedIn) -> dict[str, Any]:
    with transaction(), transaction():
        raise SoulSeerError()


def add_probes(app: Flask) -> None:
    app.register_blueprint(pages)
    app.register_blueprint(api)
