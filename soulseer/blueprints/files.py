"""GET /files/{id}/: a private file, to those who may see it.

Through our own door and not by a presigned link: who may see it is asked every time (a link works for whoever holds it),
pictures need no other origin in the Content-Security-Policy, and what we keep is small (at most 1600 pixels).
"""

from flask import Blueprint, Response, request

from soulseer.blueprints.access import require_person
from soulseer.services import files

blueprint = Blueprint("files", __name__, url_prefix="/files")
# Kept by the person's own browser, which asks us each time whether it may show it (and is answered 304).
KEPT_HOW = "private, no-cache"


@blueprint.get("/<int:file_id>/")
def show(file_id: int) -> Response:
    """The bytes. Raises NotFound for what is not there and for what is not the person's to see."""
    row = files.seen_by(file_id, require_person().id)
    etag = row.sha256.hex()
    known = request.if_none_match.contains(etag)
    response = Response(status=304) if known else Response(files.content(row), mimetype=row.content_type)
    response.set_etag(etag)
    response.headers["Cache-Control"] = KEPT_HOW
    response.headers["Content-Disposition"] = "inline"
    # Opened by itself it is a picture and nothing else.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
