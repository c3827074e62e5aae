"""Top-ups in bulk that Stripe's stand-in knows as paid and whose events are lost, for measurements and big tests."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from soulseer.db import transaction
from soulseer.models.payments import TopUp
from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.services import top_ups


@dataclass(frozen=True)
class Paid:
    """A top-up that waits for its credit, and its Checkout session as Stripe has it."""

    top_up_id: int
    checkout: dict[str, Any]


def copies(stand_in: StandIn, paid: TopUp, count: int, now: datetime) -> list[Paid]:
    """``count`` more top-ups like ``paid``, of the same person: each with its own Checkout session, intent and charge."""
    with transaction():
        made = [top_ups.begin(paid.person_id, paid.amount, now) for _ in range(count)]
        for one in made:
            one.stripe_checkout_session_id = f"{paid.stripe_checkout_session_id}n{one.id}"
            one.state = "open"
    found: list[Paid] = []
    with stand_in.store.transaction() as connection:
        session = store.read(connection, paid.stripe_checkout_session_id or "") or {}
        intent = store.read(connection, session["payment_intent"]) or {}
        charge = store.read(connection, intent["latest_charge"]) or {}
        ids = [document["id"] for document in (session, intent, charge)]
        text = json.dumps([session, intent, charge])
        for one in made:
            changed = text.replace(top_ups.reference(paid), top_ups.reference(one))
            changed = changed.replace(f'"top_up_id": "{paid.id}"', f'"top_up_id": "{one.id}"')
            for name in ids:
                changed = changed.replace(f'"{name}"', f'"{name}n{one.id}"')
            documents = json.loads(changed)
            for document in documents:
                store.write(connection, document)
            found.append(Paid(one.id, documents[0]))
    return found
