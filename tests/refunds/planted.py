"""A refund that waits for approval, for tests of the console as a whole."""

from decimal import Decimal

from soulseer.db import db, transaction
from soulseer.models.refunds import Refund
from soulseer.services import refund_plans, refunds
from soulseer.services.reversals import READING, Source
from tests import factories


def waiting_refund(reading_session_id: int, words: str) -> int:
    """One of a finalized reading, asked for by somebody else with the reason ``words``: its id."""
    asker = factories.person("support").id
    with transaction():
        plan = refund_plans.plan(Source(READING, reading_session_id), Decimal("1.00"))
        made = Refund(
            person_id=plan.person_id,
            destination="wallet",
            origin="staff",
            needs_approval=True,
            requested_by=asker,
            request_key="planted",
            reason=words,
            **refunds.described(plan, factories.START),
        )
        db.session.add(made)
        db.session.flush()
        return made.id
