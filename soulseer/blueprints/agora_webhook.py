"""Agora's door: verify, store, note the sign of life, 200."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from soulseer import gateways
from soulseer.db import after_commit, transaction
from soulseer.domain import clock, policies
from soulseer.domain.errors import WebhookRejected
from soulseer.services import agora_notifications
from soulseer.services.agora_notifications import Sighting

blueprint = Blueprint("agora_webhook", __name__, url_prefix="/agora")

MOST_BYTES = 64 * 1024


@blueprint.post("/webhook/")
def receive() -> ResponseReturnValue:
    """200 once the notification is stored, or was already; 400 for what Agora did not sign."""
    payload = request.stream.read(MOST_BYTES + 1)
    if len(payload) > MOST_BYTES:
        raise WebhookRejected("The body is too large for a notification.")
    notification = gateways.current().agora.verify_notification(
        payload, request.headers.get("Agora-Signature-V2")
    )
    with transaction():
        sighting = agora_notifications.receive(notification, payload, clock.now())
        if sighting is not None:
            after_commit(lambda: _remember(sighting))
    return {"received": True, "seen": sighting is not None}


def _remember(sighting: Sighting) -> None:
    """A gap before it is left for the next call to book as a drop: it is not papered over here."""
    gateways.current().presence.touch(
        sighting.reading_session_id,
        sighting.role.value,
        sighting.at,
        policies.current().reading.presence_timeout,
    )
