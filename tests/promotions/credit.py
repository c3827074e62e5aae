"""What the tests of promotional credit have in common."""

from datetime import timedelta
from decimal import Decimal
from itertools import count

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.models.promotions import PromotionalCredit
from soulseer.services import ledger, promotion_grants
from tests.factories import START

_numbers = count(1)


def give(
    person_id: int, amount: str, seconds: float = 86_400, *, at: float = 0, reason: str = "for the test"
) -> int:
    """Grant ``amount`` dollars at ``at`` seconds after START, which expire ``seconds`` after START; the grant's id."""
    with transaction():
        made, new = promotion_grants.grant(
            person_id,
            Decimal(amount),
            START + timedelta(seconds=seconds),
            reason,
            START + timedelta(seconds=at),
            key=f"test:{next(_numbers)}",
        )
        assert new
        return made.id


def credit(person_id: int) -> Decimal:
    """The balance of the promotional account."""
    db.session.rollback()
    return ledger.balance(AccountKind.CLIENT_PROMOTIONAL_CREDIT, person_id)


def grants(person_id: int) -> list[tuple[str, str, str, str]]:
    """(amount, remaining, expired, state) of each of the person's grants, in the order they were made."""
    db.session.rollback()
    found = db.session.query(PromotionalCredit).filter_by(person_id=person_id).order_by(PromotionalCredit.id)
    return [
        (str(one.amount), str(one.remaining), str(one.expired), one.state)
        for one in found.populate_existing()
    ]
