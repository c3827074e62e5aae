"""People as Stripe's customers: one each, made before the first payment and used for every later one."""

import re
import zlib
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.errors import NotFound
from soulseer.gateways.stripe_customers import create_customer
from soulseer.models.payments import StripeCustomer
from soulseer.models.people import Person

# Stripe refuses a customer whose address it cannot read; whoever has such a one pays without it.
_ADDRESS = re.compile(r"[!-~]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")


def customer_of(person_id: int) -> StripeCustomer | None:
    """The person as Stripe's customer; None before the first payment."""
    return db.session.get(StripeCustomer, person_id)


def ensure(person_id: int, now: datetime) -> str:
    """The person's customer id at Stripe, made there first if need be. Call it outside any transaction: it opens its own.

    The person's row is the intent: whoever asks twice, or again after a crash, asks with the same key and gets the same
    customer. Raises NotFound, StripeUnavailable (may be repeated), StripeRefused.
    """
    with transaction():
        known = customer_of(person_id)
        person = db.session.get(Person, person_id)
        if person is None:
            raise NotFound()
        email = person.email if _ADDRESS.fullmatch(person.email or "") else None
        key = _key(person, email)
    if known is not None:
        return known.stripe_customer_id
    made = create_customer(gateways.current().stripe, email, {"person_id": str(person_id)}, key)
    with transaction():
        db.session.execute(
            upsert(StripeCustomer)
            .values(person_id=person_id, stripe_customer_id=made, created_at=now)
            .on_conflict_do_nothing(index_elements=["person_id"])
        )
        # Whoever was first has said which one counts.
        return db.session.get_one(StripeCustomer, person_id).stripe_customer_id


def _key(person: Person, email: str | None) -> str:
    """Stripe refuses a key with other parameters, so the address is part of it: a second, empty customer of somebody
    whose address changed between a crash and the retry does no harm; a refused payment would."""
    address = zlib.crc32((email or "").encode())
    return f"customer:{person.id}:{int(person.created_at.timestamp() * 1_000_000)}:{address:08x}"
