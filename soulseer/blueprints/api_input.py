"""What comes in at /api/: strict JSON, checked against a model; each fault names its field."""

import hashlib
import json
import math
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from soulseer.domain.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)


def json_object() -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object.

    Raises BadRequest for what is no JSON, UnsupportedMediaType, InvalidInput for another kind of value or for one
    that cannot be stored (NaN, 1e400, NUL, lone surrogates, a name twice).
    """
    raw = request.get_data(cache=True)
    # A form has been read already, to look for the CSRF token; nothing is left of it in ``raw``.
    if not raw.strip() and not request.form and not request.files:
        return {}
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType("Send application/json.")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once_each)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    except InvalidInput:
        raise
    except ValueError as error:
        # Python refuses to read an integer of thousands of digits.
        raise InvalidInput("body", "The body holds a number that is too long.") from error
    if not isinstance(value, dict):
        raise InvalidInput("body", "The body must be a JSON object.")
    _check_values(value, "")
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(name, "This is given twice.")
        found[name] = value
    return found


def _check_values(value: Any, field: str) -> None:
    """Raises InvalidInput for numbers that are none and text that the database cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(field, "This is not a number.")
    if isinstance(value, str) and not _storable(value):
        raise InvalidInput(field, "This holds a character that cannot be stored.")
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _storable(name):
                raise InvalidInput(field or "body", "A name holds a character that cannot be stored.")
            _check_values(inner, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check_values(inner, f"{field}.{place}")


def _storable(text: str) -> bool:
    # Most of it is plain, and then asking each character takes longer than all the rest.
    surrogates = not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
    return "\0" not in text and not surrogates


def read_body(model: type[Model]) -> Model:
    """The body as ``model``. Raises as ``json_object``, InvalidInput for a value that does not fit."""
    return _validated(model, json_object())


def read_query(model: type[Model]) -> Model:
    """The query string as ``model``. Raises InvalidInput."""
    return _validated(model, request.args.to_dict())


def _validated(model: type[Model], values: dict[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [
            {"field": ".".join(str(part) for part in fault["loc"]) or "body", "detail": _words(fault["msg"])}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise InvalidInput(faults[0]["field"], faults[0]["detail"], errors=faults) from error


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def idempotency_key() -> str | None:
    """The Idempotency-Key header, 1–255 printable characters. Raises InvalidInput."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise InvalidInput("Idempotency-Key", "An Idempotency-Key has 1 to 255 printable characters.")
    return key


def request_hash() -> str:
    """What makes two requests the same one: method, path and JSON body."""
    body = json.dumps(json_object(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.path}\n{body}".encode()).hexdigest()
