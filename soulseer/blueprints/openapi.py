"""GET /openapi.json and /docs: the API, told from the code itself."""

from typing import Any

from flask import Blueprint, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue

from soulseer.blueprints.openapi_document import build
from soulseer.domain.errors import SoulSeerError

blueprint = Blueprint("openapi", __name__)
AT_THE_DOOR = (
    ("bad_request", 400, "What was sent is no HTTP or no JSON that can be read"),
    ("csrf_failed", 400, "A call with a browser's cookie lacks the CSRF token"),
    ("method_not_allowed", 405, "The address exists, but not for this method"),
    ("too_large", 413, "The body is larger than a megabyte"),
    ("unsupported_media_type", 415, "The body must be application/json"),
    ("rate_limited", 429, "Too many requests; Retry-After says how many seconds to wait"),
    ("internal_error", 500, "The fault is ours and has been noted"),
    ("database_unavailable", 503, "Nothing was changed; try again shortly"),
)


def the_document() -> dict[str, Any]:
    """Built once a process: routes do not change while it runs."""
    if "openapi_document" not in current_app.extensions:
        current_app.extensions["openapi_document"] = build(current_app)
    document: dict[str, Any] = current_app.extensions["openapi_document"]
    return document


@blueprint.get("/openapi.json")
def document() -> ResponseReturnValue:
    """OpenAPI 3.1."""
    return jsonify(the_document())


@blueprint.get("/docs")
def reference() -> ResponseReturnValue:
    """The same as a page."""
    return render_template(
        "docs/reference.html", api=the_document(), errors=all_errors(), type_of=type_of, schemas_of=schemas_of
    )


def all_errors() -> list[dict[str, Any]]:
    """Every error a caller may meet, by status and code."""
    found = [{"code": code, "status": status, "title": title} for code, status, title in AT_THE_DOOR]
    classes = [SoulSeerError]
    for error in classes:
        classes += error.__subclasses__()
    found += [
        {"code": error.code, "status": error.status, "title": error.title}
        for error in classes[1:]
        if "code" in vars(error)
    ]
    return sorted(found, key=lambda error: (error["status"], error["code"]))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference points to."""
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = the_document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def type_of(schema: dict[str, Any]) -> str:
    """A schema's type in a few words."""
    schema = resolved(schema)
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(type_of(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    kind = (
        schema.get("title", "object")
        if schema.get("type") == "object"
        else str(schema.get("type", "anything"))
    )
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def schemas_of(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(title, schema) of the body and of the answer, where there are such."""
    found = []
    if "requestBody" in operation:
        found.append(("Body", resolved(operation["requestBody"]["content"]["application/json"]["schema"])))
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if content:
            found.append((f"Answer {status}", resolved(content["schema"])))
    return found
