"""Pages over the mailbox: the list, one message, and the same as JSON. Loopback only, like every stand-in."""

from typing import Any

from flask import Flask, Response, abort, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from soulseer.sandbox.mailbox.box import Mail, Mailbox
from soulseer.sandbox.pages import create_stand_in

MOST_LISTED = 200
# Nothing is fetched and nothing runs; links open in a window of their own, which the frame's sandbox attribute allows.
_SHOWN_SAFELY = (
    "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_WITH_FRAME = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def create_app(box: Mailbox) -> Flask:
    """The mailbox as a Flask app."""
    app = create_stand_in(__name__, "Mailbox")

    @app.get("/")
    def index() -> str:
        to = request.args.get("to", "").strip()
        return render_template("sandbox/mailbox.html", mails=box.newest(MOST_LISTED, to), to=to)

    @app.get("/messages.json")
    def as_json() -> dict[str, Any]:
        to = request.args.get("to", "").strip()
        return {"messages": [_document(mail) for mail in box.newest(MOST_LISTED, to)]}

    @app.get("/messages/<int:number>/")
    def show(number: int) -> Response:
        page = Response(render_template("sandbox/mail.html", mail=_found(box, number)))
        page.headers["Content-Security-Policy"] = _WITH_FRAME
        return page

    @app.get("/messages/<int:number>/html")
    def html(number: int) -> Response:
        page = Response(_found(box, number).body("html") or "", content_type="text/html; charset=utf-8")
        page.headers["Content-Security-Policy"] = _SHOWN_SAFELY
        return page

    @app.get("/messages/<int:number>/raw")
    def raw(number: int) -> Response:
        return Response(_found(box, number).message.as_bytes(), content_type="text/plain; charset=utf-8")

    @app.post("/clear")
    def clear() -> Any:
        box.clear()
        return redirect("/", 303)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Any:
        page = render_template("sandbox/message.html", title=error.name, detail=error.description)
        return page, error.code or 500

    return app


def _found(box: Mailbox, number: int) -> Mail:
    mail = box.read(number)
    if mail is None:
        abort(404, "There is no such message.")
    return mail


def _document(mail: Mail) -> dict[str, Any]:
    return {
        "number": mail.number,
        "received_at": mail.received_at.isoformat(),
        "to": mail.to,
        "from": mail.sender,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "text": mail.body("plain"),
        "html": mail.body("html"),
    }
