"""People as Stripe's customers: one each, made before the first payment and used for every later one; their card."""

import re
import zlib
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db, transaction
from soulseer.domain.errors import NotFound
from soulseer.gateways.stripe import Card, card_words
from soulseer.gateways.stripe_customers import create_customer
from soulseer.models.auto_reload import RetiredCard
from soulseer.models.payments import StripeCustomer
from soulseer.models.people import Person
from soulseer.services import audit

# How long Stripe is left alone between two attempts at detaching a card.
LEAST_WAIT, MOST_WAIT = timedelta(minutes=2), timedelta(hours=6)

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


def keep_card(person_id: int, card: Card, consent_at: datetime, now: datetime) -> None:
    """Note the card that the person agreed at ``consent_at`` to have kept; one that was kept before is retired.

    Raises LookupError where the person is no customer: no card is kept by Stripe without one.
    """
    customer = _locked(person_id)
    if customer is None:
        raise LookupError(f"person {person_id} is no customer")
    if customer.payment_method_id == card.payment_method_id:
        return
    if customer.card_consent_at is not None and customer.card_consent_at > consent_at:
        # An older payment that is told of late; the newer card counts.
        _retire(person_id, card.payment_method_id, now)
        return
    if customer.payment_method_id is not None:
        _retire(person_id, customer.payment_method_id, now)
    customer.payment_method_id, customer.card_consent_at = card.payment_method_id, consent_at
    customer.card_brand, customer.card_last4 = card.brand, card.last4
    audit.record("card.kept", "person", person_id, now, details={"card": card.words})


def forget_card(person_id: int, now: datetime) -> bool:
    """Remove the person's saved card: from here on it is charged no more; Stripe is told after the commit. Whether
    there was one."""
    customer = _locked(person_id)
    if customer is None or customer.payment_method_id is None:
        return False
    _retire(person_id, customer.payment_method_id, now)
    audit.record(
        "card.removed",
        "person",
        person_id,
        now,
        actor_id=person_id,
        details={"card": card_words(customer.card_brand or "", customer.card_last4 or "")},
    )
    customer.payment_method_id = customer.card_consent_at = customer.card_brand = customer.card_last4 = None
    return True


def _retire(person_id: int, payment_method_id: str, now: datetime) -> None:
    db.session.execute(
        upsert(RetiredCard)
        .values(person_id=person_id, payment_method_id=payment_method_id, created_at=now, next_check_at=now)
        .on_conflict_do_nothing(index_elements=["payment_method_id"])
    )


def claim_retired(now: datetime, person_id: int | None = None) -> RetiredCard | None:
    """Take one card that Stripe is still to forget, of this person where one is named; None where there is none. It
    comes back by itself (``next_check_at``)."""
    query = select(RetiredCard).where(RetiredCard.detached_at.is_(None), RetiredCard.next_check_at <= now)
    if person_id is not None:
        query = query.where(RetiredCard.person_id == person_id)
    row: RetiredCard | None = db.session.scalars(
        query.order_by(RetiredCard.next_check_at).limit(1).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is not None:
        row.next_check_at = now + min(max(now - row.created_at, LEAST_WAIT), MOST_WAIT)
    return row


def note_detached(retired_card_id: int, now: datetime) -> None:
    """Stripe has forgotten the card, or never kept it."""
    row = db.session.get_one(RetiredCard, retired_card_id, with_for_update=True, populate_existing=True)
    row.next_check_at, row.detached_at = None, row.detached_at or now


def _locked(person_id: int) -> StripeCustomer | None:
    return db.session.get(StripeCustomer, person_id, with_for_update=True, populate_existing=True)
