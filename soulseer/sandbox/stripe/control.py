"""`/sandbox/…`: what the stand-in has done, and the switches that tests turn. Loopback only, no key asked."""

import json
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request

from soulseer.sandbox.stripe import bank_payments
from soulseer.sandbox.stripe.cards import KNOWN_CARDS, read_card
from soulseer.sandbox.stripe.checkout import current_session, return_address
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.faults import FAULT_HELP
from soulseer.sandbox.stripe.paying import pay
from soulseer.sandbox.stripe.standin import StandIn

_MOST_EVENTS = 1000


def create_control_pages(stand_in: StandIn) -> Blueprint:
    """Status and switches."""
    pages = Blueprint("control", __name__, url_prefix="/sandbox")

    @pages.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[dict[str, Any], int]:
        return {"error": error.fields}, error.status

    @pages.get("/")
    def about() -> str:
        return render_template("sandbox/stripe_about.html", settings=stand_in.settings, faults=FAULT_HELP)

    @pages.get("/events")
    def events_page() -> str:
        return render_template(
            "sandbox/events.html", events=_events(stand_in, _limit(100)), url=stand_in.settings.webhook_url
        )

    @pages.get("/events.json")
    def events() -> dict[str, Any]:
        return {"events": _events(stand_in, _limit(100))}

    @pages.post("/events/<event_id>/resend")
    def resend(event_id: str) -> Any:
        with stand_in.work() as work:
            work.get("event", event_id)
            work.deliver(event_id)
        if request.accept_mimetypes.best == "text/html":
            return redirect("/sandbox/events", 303)
        return {"id": event_id, "queued": True}

    @pages.get("/faults")
    def faults() -> dict[str, Any]:
        return stand_in.faults.document()

    @pages.post("/faults")
    def set_faults() -> Any:
        try:
            stand_in.faults.set(request.get_json(silent=True))
        except ValueError as error:
            return {"error": str(error)}, 422
        return stand_in.faults.document()

    @pages.delete("/faults")
    def clear_faults() -> dict[str, Any]:
        stand_in.faults.clear()
        return stand_in.faults.document()

    @pages.post("/checkout/<session_id>/pay")
    def pay_now(session_id: str) -> Any:
        wanted = request.get_json(silent=True) or {}
        number = wanted.get("card", KNOWN_CARDS[0][0]) if isinstance(wanted, dict) else ""
        card = read_card(str(number))
        if card is None:
            return {"error": {"message": "card: a card number is expected", "param": "card"}}, 422
        with stand_in.work() as work:
            session = current_session(work, session_id)
            was_open = session["status"] == "open"
            if was_open:
                by_bank = isinstance(wanted, dict) and wanted.get("method") == "bank"
                session = bank_payments.pay(work, session) if by_bank else pay(work, session, card)
        answer = {"session": session, "return_url": return_address(session)}
        if not was_open:
            return answer | {"error": {"message": f"This checkout is {session['status']}."}}, 409
        if card.decline is not None:
            return answer | {"error": {"message": card.decline.message, "code": card.decline.code}}, 402
        return answer

    return pages


def _limit(usual: int) -> int:
    return max(1, min(request.args.get("limit", usual, type=int), _MOST_EVENTS))


def _events(stand_in: StandIn, limit: int) -> list[dict[str, Any]]:
    """The newest events with their deliveries."""
    with stand_in.store.transaction() as connection:
        rows = connection.execute(
            "SELECT id, created, json_extract(document, '$.type') AS type,"
            " json_extract(document, '$.data.object.id') AS about,"
            " (SELECT json_group_array(json_object('state', d.state, 'attempts', d.attempts, 'last_outcome', d.last_outcome,"
            "   'due_at', d.due_at, 'delivered_at', d.delivered_at)) FROM delivery d WHERE d.event_id = object.id) AS deliveries"
            " FROM object WHERE kind = 'event' ORDER BY sequence DESC LIMIT ?",
            (limit,),
        ).fetchall()
    return [_event(row) for row in rows]


def _event(row: sqlite3.Row) -> dict[str, Any]:
    deliveries = json.loads(row["deliveries"])
    now = time.time()
    for delivery in deliveries:
        waiting = delivery["state"] == "pending"
        delivery["next_attempt_in_seconds"] = (
            round(max(0.0, delivery["due_at"] - now), 1) if waiting else None
        )
    return {
        "id": row["id"],
        "type": row["type"],
        "about": row["about"],
        "created": row["created"],
        "created_at": datetime.fromtimestamp(row["created"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "deliveries": deliveries,
    }
