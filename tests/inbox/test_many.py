"""A thousand events, each five times, shuffled, fifty at a time, into two web processes while workers act on them."""

import json
import random
import threading
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select
from stripe import WebhookSignature

from bench.paid_top_ups import copies
from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.models.payments import TopUp, WebhookEvent
from soulseer.services import ledger_check
from tests import factories
from tests.inbox.processes import web
from tests.money_in.conftest import NEW_SECRET, Sandbox, in_threads
from tests.money_in.events import (
    alerts,
    as_event,
    begun,
    books_balance,
    deliver,
    postings,
    top_up,
    wallet_of,
    work,
)

COPIES, AT_ONCE = 5, 50


@pytest.mark.timeout(600)
def test_each_event_has_one_effect(sandbox: Sandbox, app: Flask) -> None:
    count = 1000
    person = factories.person()
    first = begun(person.id, "25.00")
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(first.stripe_checkout_session_id or "").raise_for_status()
    # Credited beforehand: on a slow machine the sweep would find it in the middle.
    deliver(sandbox, as_event(sandbox.checkouts()[0], "evt_first"))
    work()
    paid = copies(sandbox.stand_in, top_up(first.id), count, clock.now())
    payloads = [as_event(one.checkout, f"evt_{one.top_up_id}").encode() for one in paid] * COPIES
    random.Random(3).shuffle(payloads)

    delivered = threading.Event()

    def act_meanwhile() -> None:
        with app.app_context():
            while not delivered.wait(0.05):
                work()

    workers = [threading.Thread(target=act_meanwhile) for _ in range(2)]
    with web(STRIPE_WEBHOOK_SIGNING_SECRET=NEW_SECRET) as site:
        assert len(site.processes()) == 2
        for one in workers:
            one.start()
        signed = [
            (payload, WebhookSignature.generate_signature_header(payload.decode(), NEW_SECRET))
            for payload in payloads
        ]
        answers = in_threads(app, AT_ONCE, lambda number: site.deliver(signed[number::AT_ONCE]))
    delivered.set()
    for one in workers:
        one.join()
    work()

    told = [json.loads(body)["new"] for some in answers for status, body in some if status == 200]
    assert (len(told), sum(told)) == (count * COPIES, count)
    with transaction():
        paying = WebhookEvent.type == "checkout.session.completed"
        counted = select(WebhookEvent.status, func.count()).where(paying).group_by(WebhookEvent.status)
        by_status = dict(db.session.execute(counted).all())  # type: ignore[arg-type]
        states = set(db.session.scalars(select(TopUp.state).where(TopUp.id != first.id)))
    assert by_status == {"processed": count + 1}
    assert states == {"paid"}
    assert len(postings()) == count + 1
    assert wallet_of(person.id) == Decimal("25.00") * (count + 1)
    assert alerts() == []
    assert books_balance()
    assert ledger_check.check() == []
