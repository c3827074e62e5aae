"""/receipts/: anybody checks a receipt by its code. /readings/{id}/receipt.pdf and .json: for its participants."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from soulseer import gateways
from soulseer.blueprints import reading_words
from soulseer.blueprints.access import require_person
from soulseer.blueprints.limits import PUBLIC, limited
from soulseer.db import db
from soulseer.domain import clock, policies
from soulseer.domain.errors import NotFound
from soulseer.domain.readings import Role
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.services import readings, receipt_documents, receipt_verification, receipts

blueprint = Blueprint("receipts", __name__)

NO_INDEX = {"X-Robots-Tag": "noindex"}


@blueprint.get("/receipts/")
@limited(PUBLIC)
def ask() -> ResponseReturnValue:
    """A field for a code; with ``?code=`` on to its page."""
    typed = request.args.get("code", "")
    if typed:
        try:
            code = receipt_verification.normal_code(typed)
        except NotFound:
            return _unknown(typed)
        return redirect(url_for("receipts.verify", code=code), 303)
    return render_template("readings/verify.html", found=None, typed="")


@blueprint.get("/receipts/<code>/")
@limited(PUBLIC)
def verify(code: str) -> ResponseReturnValue:
    """Who, when, what kind, minutes, total, and whether signature and books agree. 404 with a way on for unknown codes."""
    try:
        found = receipt_verification.verify(code)
    except NotFound:
        return _unknown(code)
    body = render_template(
        "readings/verify.html", found=found, code=receipt_documents.spaced(found.code), typed=""
    )
    return body, 200, NO_INDEX


def _unknown(typed: str) -> ResponseReturnValue:
    return render_template("readings/verify.html", found=None, typed=typed[:40], unknown=True), 404, NO_INDEX


@blueprint.get("/receipts/keys.json")
@limited(PUBLIC)
def keys() -> ResponseReturnValue:
    """The public keys (Ed25519, base64url) by name: with them anybody checks the signature of a statement alone."""
    return {"algorithm": "Ed25519", "keys": gateways.current().signing.public_keys()}


@blueprint.get("/readings/<int:session_id>/receipt.pdf")
def document(session_id: int) -> ResponseReturnValue:
    """The receipt as a PDF. Raises NotFound (also before it is written), NotParticipant."""
    session, role, row = _own(session_id)
    about = receipts.about(session.id, require_person().id)
    other = about.name_of(reading_words.other_of(role))
    printed = receipt_documents.Printed(
        session=session,
        role=role,
        about=about,
        receipt=receipts.receipt(session, role),
        row=row,
        pauses=reading_words.pause_words(role, other),
        ended=reading_words.end_words(session.end_reason, role, other),
        address=f"{policies.current().app_base_url}/receipts/{receipt_documents.spaced(row.code)}/",
    )
    body = receipt_documents.render(printed, clock.now())
    return _download(body, "application/pdf", receipt_documents.file_name(row.code))


@blueprint.get("/readings/<int:session_id>/receipt.json")
def statement(session_id: int) -> ResponseReturnValue:
    """The signed statement, byte for byte; its signature and the key's name are in headers. Raises as ``document``."""
    _, _, row = _own(session_id)
    if row.statement is None:
        raise NotFound("This receipt was written before receipts were signed.")
    answer = _download(
        row.statement.encode(),
        "application/json",
        f"soulseer-receipt-{receipt_documents.spaced(row.code)}.json",
    )
    answer.headers["X-Receipt-Key"] = row.signing_key or ""
    answer.headers["X-Receipt-Signature"] = row.signature or ""
    return answer


def _own(session_id: int) -> tuple[ReadingSession, Role, ReadingReceipt]:
    session = readings.glance(session_id)
    role = readings.caller_of(session, require_person().id).role
    row = db.session.scalar(select(ReadingReceipt).where(ReadingReceipt.reading_session_id == session_id))
    if row is None:
        raise NotFound("This reading has no receipt yet.")
    return session, role, row


def _download(body: bytes, content_type: str, name: str) -> Response:
    return Response(
        body, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
