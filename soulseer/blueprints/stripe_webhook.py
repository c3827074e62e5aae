"""Stripe's door: verify, store raw, 200. Nothing is acted on here (design §2: the inbox)."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from soulseer import gateways
from soulseer.db import after_commit, transaction
from soulseer.domain import clock
from soulseer.domain.errors import WebhookRejected
from soulseer.services import webhooks

blueprint = Blueprint("stripe_webhook", __name__, url_prefix="/stripe")

MOST_BYTES = 256 * 1024
# Read and thrown away, so that a sender gets to read our answer instead of a cut connection.
MOST_DISCARDED_BYTES = 8 * 1024 * 1024


@blueprint.post("/webhook/")
def receive() -> ResponseReturnValue:
    """200 once the event is stored, or was already; 400 for whatever Stripe did not sign within 300 seconds."""
    now = clock.now()
    payload = _body()
    event = gateways.current().stripe.verify_webhook(payload, request.headers.get("Stripe-Signature"), now)
    with transaction():
        row_id = webhooks.receive(event, payload, now)
        if row_id is not None:
            after_commit(lambda: webhooks.wake(row_id))
    return {"received": True, "new": row_id is not None}


def _body() -> bytes:
    # The app's own limit would answer 413; for a vendor's door everything that is not a webhook is 400.
    request.max_content_length = 1024 * MOST_DISCARDED_BYTES
    payload = request.stream.read(MOST_BYTES + 1)
    if len(payload) <= MOST_BYTES:
        return payload
    discarded = len(payload)
    while discarded < MOST_DISCARDED_BYTES and (piece := request.stream.read(64 * 1024)):
        discarded += len(piece)
    raise WebhookRejected("The body is too large for a webhook.")
