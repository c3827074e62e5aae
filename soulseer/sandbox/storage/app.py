"""The few calls of S3 that the product makes: an object is put, fetched, looked at, removed; the bucket is looked at."""

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from flask import Flask, Response, request

from soulseer.sandbox.pages import create_stand_in
from soulseer.sandbox.storage import signatures
from soulseer.sandbox.storage.shelf import Shelf, Tag
from soulseer.sandbox.storage.signatures import Refused

LARGEST_BYTES = 64 * 1024 * 1024
METHODS = ["PUT", "GET", "DELETE"]  # and HEAD, which Flask adds to GET


def create_app(shelf: Shelf, bucket: str, keys: Mapping[str, str]) -> Flask:
    """The storage as a Flask app: one bucket, open to whoever signs with one of ``keys`` (id → secret)."""
    app = create_stand_in(__name__, "Storage")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BYTES

    @app.route("/<name>", methods=["GET"])
    def look_at_bucket(name: str) -> Response:
        admit(keys)
        return Response(status=200) if name == bucket else fault("NoSuchBucket", "No such bucket.", 404)

    @app.route("/<name>/<path:key>", methods=METHODS)
    def look_at_object(name: str, key: str) -> Response:
        admit(keys)
        if name != bucket:
            return fault("NoSuchBucket", "No such bucket.", 404)
        if request.method == "PUT":
            content_type = request.headers.get("Content-Type", "binary/octet-stream")
            return with_tag(Response(), shelf.put(key, request.get_data(), content_type))
        if request.method == "DELETE":
            shelf.delete(key)
            return Response(status=204)
        tag = shelf.tag(key)
        if tag is None:
            return fault("NoSuchKey", "The specified key does not exist.", 404)
        answer = Response(b"" if request.method == "HEAD" else shelf.content(key))
        answer.headers["Content-Length"] = str(tag.size)
        answer.headers["Content-Type"] = tag.content_type
        return with_tag(answer, tag)

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return fault(error.code, str(error), error.status)

    return app


def admit(keys: Mapping[str, str]) -> None:
    """Raise Refused unless the request is signed."""
    signatures.check(
        signatures.Request(
            request.method,
            request.path,
            request.query_string.decode("latin-1"),
            {name.lower(): value for name, value in request.headers},
            request.get_data(),
        ),
        keys,
        datetime.now(UTC),
    )


def with_tag(answer: Response, tag: Tag) -> Response:
    answer.headers["ETag"] = f'"{tag.etag}"'
    return answer


def fault(code: str, detail: str, status: int) -> Response:
    """An error as S3 words it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(detail)}</Message></Error>'
    return Response(body, status, content_type="application/xml")
