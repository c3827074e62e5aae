"""Whatever order the events are acted on in, how often, and however late: the same books as in order."""

import random
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.jobs import process_stripe_webhook
from soulseer.jobs.context import JobContext
from soulseer.models.payments import WebhookEvent
from tests import factories
from tests.disputes.bank import (
    ask_back,
    at_stripe,
    balances,
    bank,
    catch_up,
    clean,
    clearing,
    delivered,
    dispute,
    give_back,
    movements,
    paid,
    spend,
    standing,
)
from tests.money_in.conftest import Sandbox
from tests.money_in.events import begun, top_up, work

# What happens to a dispute at the bank, and what it comes to: (deeds, opened as an inquiry, state, is the money away).
COURSES = {
    "open": ((), False, "needs_response", True),
    "won": (("win",), False, "won", False),
    "lost": (("lose",), False, "lost", True),
    "inquiry": (("lose",), True, "warning_closed", False),
    "escalated and won": (("escalate", "win"), True, "won", False),
    "escalated and lost": (("escalate", "lose"), True, "lost", True),
}


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_any_order_ends_in_the_same_books(sandbox: Sandbox, data: st.DataObject) -> None:
    client = factories.person()
    first = paid(sandbox, client.id, "25.00")
    spent = data.draw(st.sampled_from(["0.00", "3.00", "25.00"]), label="spent")
    if Decimal(spent):
        spend(client.id, spent)
    # The second payment's own events are shuffled in with those of the disputes.
    second = begun(client.id, "10.00")
    assert second.stripe_checkout_session_id
    sandbox.pay(second.stripe_checkout_session_id)

    # Some of it given back in Stripe's dashboard before it is disputed: only the rest can be asked back.
    refunded = data.draw(st.sampled_from(["0.00", "4.00"]), label="refunded")
    if Decimal(refunded):
        give_back(sandbox, second, int(Decimal(refunded) * 100))
    courses = [data.draw(st.sampled_from(sorted(COURSES)), label="course") for _ in range(2)]
    names = []
    for payment, course in zip((first, second), courses, strict=True):
        deeds, inquiry, _, _ = COURSES[course]
        names.append(ask_back(sandbox, payment, inquiry=inquiry))
        for deed in deeds:
            bank(sandbox, names[-1], deed)
            if data.draw(st.booleans(), label="acted on meanwhile"):
                catch_up(sandbox)
    delivered(sandbox)
    with transaction():
        undone = WebhookEvent.status.not_in(("processed", "ignored"))
        events = list(db.session.scalars(select(WebhookEvent.id).where(undone)))
    # By a seed, since how many events there are is not hypothesis's to know.
    random.Random(data.draw(st.integers(0, 2**32), label="order")).shuffle(events)
    for event_id in events * 2:
        process_stripe_webhook.run(JobContext(now=clock.now(), arguments={"event": str(event_id)}))
    work()
    # What waited for its payment.
    for hours in (1, 8, 16):
        work(timedelta(hours=hours))

    away = [
        amount if COURSES[course][3] else Decimal(0)
        for amount, course in zip((Decimal(25), Decimal(10) - Decimal(refunded)), courses, strict=True)
    ]
    rest = Decimal("35.00") - Decimal(spent) - Decimal(refunded) - sum(away)
    assert balances(client.id) == (str(max(rest, Decimal("0.00"))), str(max(-rest, Decimal("0.00"))))
    assert [dispute(name).state for name in names] == [COURSES[course][2] for course in courses]
    assert [top_up(payment.id).disputed_amount for payment in (first, second)] == away
    assert top_up(second.id).refunded_amount == Decimal(refunded)
    expected = (["debt"] if rest < 0 else []) + (["dispute"] if "open" in courses else [])
    assert standing(client.id) == expected
    taken = sum(COURSES[course][2] in ("needs_response", "lost", "won") for course in courses)
    won = sum(COURSES[course][2] == "won" for course in courses)
    own = [key for _, key in movements("chargeback", "chargeback_won") if key.split(":")[1] in names]
    assert len(own) == taken + won
    assert clearing() + Decimal(0) == at_stripe(sandbox)
    clean()
    with transaction():
        left = [
            (row.type, row.status, row.error)
            for row in db.session.scalars(select(WebhookEvent).where(undone))
        ]
    assert left == []
