"""The OpenAPI 3.1 document out of the URL map and the operations that ``api_route`` left on the views."""

import re
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from soulseer.blueprints.api_support import Operation
from soulseer.domain import policies
from soulseer.domain.errors import (
    IdempotencyMismatch,
    InvalidInput,
    InvalidToken,
    NotFound,
    NotSignedIn,
    SoulSeerError,
    Suspended,
)

REFERENCE = "#/components/schemas/{model}"
PROBLEM = {"type": "object", "description": "RFC 9457. `code` is stable; further members depend on it.",
           "required": ["type", "title", "status", "detail", "code"],
           "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                          "detail": {"type": "string"}, "code": {"type": "string"},
                          "request_id": {"type": ["string", "null"]}, "field": {"type": "string"},
                          "missing": {"type": "string", "description": "dollars, with code insufficient_funds"}}}  # fmt: skip
PARAMETERS: dict[str, dict[str, Any]] = {
    "int": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1},
    "uuid": {"type": "string", "format": "uuid"},
}
PATH_PART = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Same key and body, same answer; same key and another body, 422.",
}  # fmt: skip


def operations(app: Flask) -> list[tuple[Rule, str, Operation]]:
    """Every API route as (rule, method in lower case, what it tells of itself), in order of address."""
    found = []
    for rule in app.url_map.iter_rules():
        told = getattr(app.view_functions[rule.endpoint], "operation", None)
        if told is not None:
            found += [
                (rule, method.lower(), told) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            ]
    return sorted(found, key=lambda entry: (entry[0].rule, entry[1]))


def build(app: Flask) -> dict[str, Any]:
    """The document as plain JSON values."""
    entries = operations(app)
    modes: list[tuple[type[BaseModel], Any]] = []
    for _, _, told in entries:
        modes += [(told.body, "validation")] if told.body else []
        modes += [(told.query, "validation")] if told.query else []
        modes += [(told.answer, "serialization")] if told.answer else []
    references, definitions = models_json_schema(list(dict.fromkeys(modes)), ref_template=REFERENCE)
    schemas = {"Problem": PROBLEM, **definitions.get("$defs", {})}
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, told in entries:
        paths.setdefault(path_of(rule), {})[method] = operation_of(rule, told, references, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SoulSeer",
            "version": "1",
            "description": "Money is a string with two decimals beside a currency (US dollars); instants are ISO 8601 "
            "in UTC; lists carry `next`, the address of the following page; errors are application/problem+json.",
        },
        "servers": [{"url": policies.current().app_base_url or "/"}],
        "security": [{"bearer": []}, {"cookie": [], "csrf": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken"},
            },
        },
    }


def path_of(rule: Rule) -> str:
    """``/api/sessions/<int:id>/`` as ``/api/sessions/{id}/``."""
    return PATH_PART.sub(r"{\2}", rule.rule)


def operation_of(
    rule: Rule, told: Operation, references: dict[Any, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    """One operation: parameters, body, answers."""
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": PARAMETERS.get(kind, {"type": "string"}),
        }
        for kind, name in PATH_PART.findall(rule.rule)
    ]
    if told.query is not None:
        parameters += query_parameters(
            schemas[references[told.query, "validation"]["$ref"].rsplit("/", 1)[1]]
        )
    if told.idempotent:
        parameters.append(IDEMPOTENCY_KEY)
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": told.summary,
        "description": told.description,
        "parameters": parameters,
        "responses": answers_of(rule, told, references),
    }
    if told.body is not None:
        schema = references[told.body, "validation"]
        required = bool(schemas[schema["$ref"].rsplit("/", 1)[1]].get("required"))
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return operation


def query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """One parameter for each property of a query model."""
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": property_}
        for name, property_ in schema.get("properties", {}).items()
    ]


def answers_of(rule: Rule, told: Operation, references: dict[Any, Any]) -> dict[str, Any]:
    """The answer and every error that this route may give, by status."""
    content = (
        {"application/json": {"schema": references[told.answer, "serialization"]}} if told.answer else {}
    )
    answers: dict[str, Any] = {str(told.status): {"description": told.summary, "content": content}}
    always: list[type[SoulSeerError]] = [NotSignedIn, InvalidToken, Suspended]
    always += [NotFound] if rule.arguments else []
    always += [InvalidInput] if told.body or told.query else []
    always += [IdempotencyMismatch] if told.idempotent else []
    by_status: dict[int, list[str]] = {
        429: ["rate_limited"],
        503: ["database_unavailable", "issuer_unavailable"],
    }
    by_status[400] = ["bad_request", "csrf_failed"] if "POST" in (rule.methods or ()) else ["bad_request"]
    if told.body:
        by_status |= {413: ["too_large"], 415: ["unsupported_media_type"]}
    for error in (*always, *told.errors):
        by_status.setdefault(error.status, []).append(error.code)
    for status, codes in sorted(by_status.items()):
        answers[str(status)] = {
            "description": ", ".join(f"`{code}`" for code in dict.fromkeys(codes)),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return answers
