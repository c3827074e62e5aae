"""/api/wallet/: the caller's own money, for programs and our own scripts."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response

from soulseer.blueprints import limits, wallet
from soulseer.blueprints.api_input import idempotency_key, request_hash
from soulseer.blueprints.api_support import api_route, plain, respond
from soulseer.blueprints.api_types import Amount, ApiModel, Instant, Money, Page, PageQuery
from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput
from soulseer.domain.money import CURRENCY
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from soulseer.models.payments import TopUp
from soulseer.services import idempotency, promotions, wallets
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_wallet", __name__, url_prefix="/api/wallet")


class Wallet(ApiModel):
    """`balance` is cash, which never expires; `promotional` is credit, spent before it, the first of which expires at
    `next_expiry`; `spendable` is both. `held` says why nothing can be spent now (a dispute, a debt); null where it can."""

    balance: Money
    promotional: Money
    spendable: Money
    next_expiry: Instant | None
    currency: str
    held: str | None


class TopUpRequest(ApiModel):
    amount: Amount


class TopUpAnswer(ApiModel):
    id: int
    amount: Money
    currency: str
    state: str
    checkout_url: str | None
    checkout_session_id: str | None


class Entry(ApiModel):
    """``amount`` is negative where money left the wallet."""

    kind: str
    amount: Money
    currency: str
    created_at: Instant
    session_id: int | None
    minute: int | None
    idempotency_key: str | None


@blueprint.get("/")
@api_route("The wallet's balance", answer=Wallet)
def show(person: SignedIn) -> Wallet:
    """The balance is the sum of the wallet's entries."""
    held = promotions.holding(person.id, clock.now())
    return Wallet(
        balance=held.cash,
        promotional=held.promotional,
        spendable=held.spendable,
        next_expiry=held.next_expiry,
        currency=CURRENCY,
        held=person.hold,
    )


@blueprint.get("/entries/")
@api_route("The wallet's entries, newest first", query=PageQuery, answer=Page[Entry], errors=(InvalidInput,))
def entries(person: SignedIn, query: PageQuery) -> Page[Entry]:
    """Every movement on its own; a paid minute of a reading has its session and number."""
    found = wallets.entries(person.id, query.limit, query.cursor)
    items = [
        Entry(
            kind=line.kind,
            amount=line.amount,
            currency=CURRENCY,
            created_at=line.at,
            session_id=line.reading_session_id,
            minute=line.minute,
            idempotency_key=line.idempotency_key,
        )
        for line in found.lines
    ]
    following = {"limit": query.limit, "cursor": found.next}
    return Page[Entry](
        items=items, next=f"/api/wallet/entries/?{urlencode(following)}" if found.next else None
    )


@blueprint.post("/top-ups/")
@api_route(
    "Begin a top-up",
    body=TopUpRequest,
    answer=TopUpAnswer,
    status=201,
    errors=(InvalidInput, IdempotencyMismatch, StripeUnavailable, StripeRefused),
    limit=limits.MONEY,
    idempotent=True,
)
def top_up(person: SignedIn, body: TopUpRequest) -> Response:
    """The money is in the wallet once the buyer has paid at `checkout_url` and Stripe has confirmed it."""
    key = idempotency_key()
    if key is None:
        return respond(_answer(wallet.start(person.id, body.amount, key=None)), 201)
    claimed = _claim(person.id, key, clock.now())
    if claimed.status is not None:
        return respond(claimed.answer or {}, claimed.status)
    # A repeat of what a crash or an outage cut short finds the same top-up by the same key, and so the same checkout.
    try:
        answer = plain(_answer(wallet.start(person.id, body.amount, key=f"api:{key}")))
    except InvalidInput:
        with transaction():
            idempotency.give_back(claimed)
        raise
    with transaction():
        idempotency.store(claimed, 201, answer)
    return respond(answer, 201)


def _claim(person_id: int, key: str, now: datetime) -> idempotency.Claim:
    fingerprint = request_hash()
    with transaction():
        return idempotency.claim(person_id, key, fingerprint, now)


def _answer(made: TopUp) -> Any:
    return TopUpAnswer(
        id=made.id,
        amount=made.amount,
        currency=made.currency,
        state=made.state,
        checkout_url=made.checkout_url,
        checkout_session_id=made.stripe_checkout_session_id,
    )
