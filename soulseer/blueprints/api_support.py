"""One decorator makes a view a route of the API: who calls, what came in, what goes out, and its page in /docs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel

from soulseer.blueprints import limits
from soulseer.blueprints.access import require_person
from soulseer.blueprints.api_input import idempotency_key, read_body, read_query, request_hash
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import SoulSeerError
from soulseer.services import idempotency
from soulseer.services.people import SignedIn

Answer = BaseModel | dict[str, Any] | tuple[BaseModel | dict[str, Any], int] | Response


@dataclass(frozen=True)
class Operation:
    """What /openapi.json tells of a route."""

    summary: str
    description: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answer: type[BaseModel] | None
    status: int
    errors: tuple[type[SoulSeerError], ...]
    idempotent: bool


def api_route(
    summary: str,
    *,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
    status: int = 200,
    errors: tuple[type[SoulSeerError], ...] = (),
    limit: str = limits.API,
    idempotent: bool = False,
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Make ``view`` an API route (put it below ``@blueprint.get(…)``).

    The view is called with the signed-in person, then ``body=`` and ``query=`` where models are given, then the path's
    parts. It returns a model or dict (``status`` applies), a pair with another status, or a Response. ``errors`` are
    for the documentation; any error of the tree may be raised. ``limit`` is a class of ``limits.LIMITS``.
    ``idempotent`` tells that the route honours Idempotency-Key (see ``once``).
    """

    def decorate(view: Callable[..., Answer]) -> Callable[..., Response]:
        @wraps(view)
        def route(**path: Any) -> Response:
            person = require_person()
            if body is not None:
                path["body"] = read_body(body)
            if query is not None:
                path["query"] = read_query(query)
            return respond(view(person, **path), status)

        description = (view.__doc__ or "").strip()
        route.operation = Operation(summary, description, body, query, answer, status, errors, idempotent)  # type: ignore[attr-defined]
        route.rate_limit = limit  # type: ignore[attr-defined]
        return route

    return decorate


def plain(value: BaseModel | dict[str, Any]) -> dict[str, Any]:
    """Plain JSON values: money and instants are strings already."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def respond(value: Answer, status: int = 200) -> Response:
    """The JSON response of what a view returned."""
    if isinstance(value, Response):
        return value
    if isinstance(value, tuple):
        value, status = value
    response = jsonify(plain(value))
    response.status_code = status
    return response


def once(person: SignedIn, deed: Callable[[datetime], tuple[BaseModel | dict[str, Any], int]]) -> Response:
    """Do ``deed(now)`` in one transaction, at most once for the caller's Idempotency-Key (if there is one).

    The key's record and the deed commit together. The same key and body again (also at the same time, also after a
    restart) gives the first answer; another body raises IdempotencyMismatch. A refused deed leaves the key free.
    A deed with a vendor call in the middle takes two transactions: use services.idempotency itself.
    """
    key = idempotency_key()
    if key is None:
        with transaction():
            value, status = deed(clock.now())
        return respond(value, status)
    fingerprint = request_hash()
    with transaction():
        claimed = idempotency.claim(person.id, key, fingerprint, clock.now())
        if claimed.status is not None:
            return respond(claimed.answer or {}, claimed.status)
        try:
            # The clock is read anew: the claim may have waited for another request with this key.
            value, status = deed(clock.now())
        except SoulSeerError as error:
            if error.keeps_changes:
                idempotency.give_back(claimed)
            raise
        stored = plain(value)
        idempotency.store(claimed, status, stored)
    return respond(stored, status)
