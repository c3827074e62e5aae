"""Agora's door: verify, store, act, 200."""

import structlog
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from soulseer import gateways
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import WebhookRejected
from soulseer.services import agora_notifications

log = structlog.get_logger(__name__)
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
    now = clock.now()
    with transaction():
        stored = agora_notifications.store(notification, payload, now)
    seen = False
    if stored is not None:
        try:
            with transaction():
                seen = agora_notifications.act(stored, now) is not None
        except Exception:
            # It is in the inbox: the sweep acts on it, and Agora has no part in that.
            log.exception("agora_notification_left_for_the_sweep", webhook_event=stored)
    return {"received": True, "seen": seen}
