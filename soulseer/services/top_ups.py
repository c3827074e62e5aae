"""Top-ups: the intent is recorded, Stripe is asked, what Stripe says is recorded (design §2, §3).

``record`` is the only way to a credit. It believes Stripe's own answer about the Checkout session, compares it with the
row that was written before Stripe was asked, and posts once per Checkout session.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import Read, db
from soulseer.domain import policies
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput, NotFound
from soulseer.domain.money import CURRENCY, parse_amount, to_cents
from soulseer.gateways.stripe import CheckoutOrder, CheckoutSession
from soulseer.models.payments import TopUp
from soulseer.services import comparing, customers, ledger
from soulseer.services.crediting import Outcome as Outcome
from soulseer.services.crediting import Payment as Payment
from soulseer.services.crediting import Recorded as Recorded
from soulseer.services.crediting import close as close
from soulseer.services.crediting import close_failed as close_failed
from soulseer.services.crediting import credit as credit

# A request that is still under way is left alone for so long; a page answers within it.
FIRST_CHECK = timedelta(minutes=1)
LEAST_WAIT, MOST_WAIT = timedelta(minutes=2), timedelta(hours=1)
# Stripe keeps idempotency keys for at least 24 hours: past them the same key might open a second Checkout session.
RESUMED_FOR = timedelta(hours=12)
HOME = "/wallet/"
REFUSED = "The payment service refused this payment. Nothing was charged."
NOT_STARTED = "The payment service could not be reached in time. Nothing was charged."
NOT_PAID = "The payment did not go through. Nothing was charged."


def reference(top_up: TopUp) -> str:
    """The top-up's name at Stripe (client_reference_id and idempotency key), the same at every retry.

    The instant tells apart the databases of one test account: each of them has a first top-up.
    """
    return f"top-up:{top_up.id}:{int(top_up.created_at.timestamp() * 1_000_000)}"


def number_in(name: object) -> int | None:
    """The top-up's id in such a name; None where it is none of ours."""
    parts = name.split(":") if isinstance(name, str) else []
    if len(parts) != 3 or parts[0] != "top-up" or not (parts[1].isascii() and parts[1].isdigit()):
        return None
    return int(parts[1]) if len(parts[1]) < 19 else None


def typed_amount(text: str) -> Decimal:
    """Dollars as a person typed them. Raises InvalidInput for the field ``amount``."""
    try:
        return parse_amount(text)
    except ValueError as error:
        raise InvalidInput("amount", str(error)) from None


def begin(
    person_id: int,
    amount: Decimal,
    now: datetime,
    *,
    key: str | None = None,
    return_path: str = HOME,
    save_card: bool = False,
) -> TopUp:
    """Record that the person wants to put ``amount`` dollars into the wallet; nothing is charged yet.

    ``key`` is the person's own idempotency key: the same again gives the same top-up, given up where that is too late to
    be gone on with. ``save_card``: the person agrees,
    now, that the card is kept and charged later without them. Raises InvalidInput naming the field, IdempotencyMismatch
    where the key stands for another amount or another answer about the card.
    """
    limits = policies.current().top_up
    if not limits.minimum <= amount <= limits.maximum:
        raise InvalidInput("amount", f"Choose an amount from ${limits.minimum} to ${limits.maximum}.")
    made = db.session.scalars(
        upsert(TopUp)
        .values(
            person_id=person_id,
            account_id=wallet_account(person_id, now),
            amount=amount,
            currency=CURRENCY,
            state="created",
            return_path=local_path(return_path),
            idempotency_key=key,
            created_at=now,
            next_check_at=now + FIRST_CHECK,
            card_consent_at=now if save_card else None,
        )
        .on_conflict_do_nothing(index_elements=["person_id", "idempotency_key"])
        .returning(TopUp)
    ).one_or_none()
    if made is not None:
        return made
    earlier = db.session.scalars(
        select(TopUp).where(TopUp.person_id == person_id, TopUp.idempotency_key == key)
    ).one()
    if earlier.amount != amount or (earlier.card_consent_at is not None) != save_card:
        raise IdempotencyMismatch()
    if too_late(earlier, now) and too_late(again := locked(earlier.id), now):
        close(again, "failed", NOT_STARTED)
        return again
    return earlier


def too_late(top_up: TopUp, now: datetime) -> bool:
    """Whether Stripe was never heard of about it for so long that it may have forgotten the idempotency key."""
    unheard = top_up.state == "created" and top_up.stripe_checkout_session_id is None
    return unheard and now - top_up.created_at > RESUMED_FOR


def wallet_account(person_id: int, now: datetime) -> int:
    """The id of the person's wallet, opened first if need be."""
    try:
        return ledger.account_id(AccountKind.CLIENT_WALLET, person_id)
    except LookupError:
        ledger.open_accounts(person_id, [AccountKind.CLIENT_WALLET], now)
        return ledger.account_id(AccountKind.CLIENT_WALLET, person_id)


def local_path(path: str) -> str:
    """``path`` if it leads to a page of this site. Raises InvalidInput otherwise, so that nobody is sent elsewhere."""
    parts = urlsplit(path) if path.isascii() and path.isprintable() and len(path) <= 200 else None
    if (
        parts is None
        or parts.scheme
        or parts.netloc
        or not path.startswith("/")
        or path.startswith("//")
        or "\\" in path
    ):
        raise InvalidInput("return_path", "This is not a page of this site.")
    return path


def ask_stripe(top_up: TopUp) -> CheckoutSession:
    """The top-up's Checkout session as Stripe has it now, opened first if that was not done yet.

    Call it outside any transaction. Raises StripeUnavailable (may be repeated: same idempotency key), StripeRefused.
    """
    stripe = gateways.current().stripe
    if top_up.stripe_checkout_session_id is not None:
        return stripe.retrieve_checkout(top_up.stripe_checkout_session_id)
    person_id, began = top_up.person_id, top_up.created_at
    page = f"{policies.current().app_base_url}/wallet/top-up/{top_up.id}/"
    name = reference(top_up)
    order = CheckoutOrder(
        amount_cents=to_cents(top_up.amount),
        currency=top_up.currency,
        description="SoulSeer wallet top-up",
        reference=name,
        metadata=_metadata(top_up),
        success_url=f"{page}?from=checkout",
        cancel_url=f"{page}?from=canceled",
        save_card=top_up.card_consent_at is not None,
    )
    # Last, since it opens transactions of its own, after which the row would have to be read again.
    return stripe.create_checkout(replace(order, customer=customers.ensure(person_id, began)), name)


def _metadata(top_up: TopUp) -> dict[str, str]:
    return {"top_up_id": str(top_up.id), "person_id": str(top_up.person_id)}


def disagreement(top_up: TopUp, checkout: CheckoutSession) -> str | None:
    """How Stripe's Checkout session differs from what was recorded before it was asked; None where they agree."""
    expected = {
        "id": (top_up.stripe_checkout_session_id or checkout.id, checkout.id),
        "mode": ("payment", checkout.mode),
        "amount": (to_cents(top_up.amount), checkout.amount_cents),
        "currency": (top_up.currency, checkout.currency),
        "reference": (reference(top_up), checkout.reference),
        "livemode": (gateways.current().stripe.livemode, checkout.livemode),
    }
    for name, value in _metadata(top_up).items():
        expected[f"metadata.{name}"] = (value, checkout.metadata.get(name))
    return "; ".join(comparing.differing(expected)) or None


def record(top_up_id: int, checkout: CheckoutSession, now: datetime) -> Recorded:
    """Bring the top-up to what Stripe says of its Checkout session; credit it if it is paid, once.

    ``checkout`` comes from Stripe itself, never from an event. What disagrees is never credited: it raises a ledger
    alert and comes back as MISMATCH.
    """
    top_up = locked(top_up_id)
    wrong = disagreement(top_up, checkout)
    if wrong is not None:
        alert("top_up_mismatch", top_up.id, f"Top-up {top_up.id}, {checkout.id}: {wrong}", now)
        if checkout.id == top_up.stripe_checkout_session_id:
            top_up.next_check_at = None
        return Recorded(Outcome.MISMATCH, wrong)
    if top_up.state == "paid":
        return Recorded(Outcome.ALREADY_CREDITED)
    top_up.stripe_checkout_session_id = checkout.id
    top_up.checkout_url = checkout.url or top_up.checkout_url
    if checkout.payment_status == "paid":
        paid = Payment(checkout.id, checkout.payment_intent_id, checkout.charge_id, checkout.card)
        return credit(top_up, paid, now)
    if checkout.status == "expired":
        return close(top_up, "expired", None)
    # An asynchronous payment method may be told to fail long after the session is complete.
    if checkout.status == "complete" and checkout.payment_intent_status in (
        "requires_payment_method",
        "canceled",
    ):
        return close_failed(top_up, NOT_PAID, now)
    if top_up.state == "created":
        top_up.state = "open"
    if checkout.status == "complete" and top_up.processing_since is None:
        top_up.processing_since = now
    if top_up.next_check_at is not None and top_up.next_check_at <= now:
        top_up.next_check_at = next_check(top_up, now)
    return Recorded(Outcome.WAITING, f"{checkout.status}, {checkout.payment_status}")


def record_refusal(top_up_id: int, now: datetime) -> None:
    """Stripe refused for good to open the Checkout session, or no longer knows it: the top-up has failed."""
    top_up = locked(top_up_id)
    if top_up.state not in ("created", "open"):
        return
    if top_up.stripe_checkout_session_id is not None:
        alert(
            "top_up_unknown_at_stripe",
            top_up.id,
            f"Top-up {top_up.id}: Stripe does not know {top_up.stripe_checkout_session_id}",
            now,
        )
    close(top_up, "failed", REFUSED)


def next_check(top_up: TopUp, now: datetime) -> datetime:
    """When to ask Stripe again: as long from now as the top-up is old, within two minutes to an hour."""
    return now + min(max(now - top_up.created_at, LEAST_WAIT), MOST_WAIT)


def claim_due(now: datetime) -> TopUp | None:
    """Take one top-up by Checkout whose outcome is due to be asked for at Stripe; None where there is none.

    It comes back later by itself (``next_check_at``), so that a crash or a silent Stripe loses nothing. One whose
    Checkout session was not opened in time is given up here.
    """
    while True:
        top_up = db.session.scalars(
            select(TopUp)
            .where(
                TopUp.state.in_(("created", "open")), TopUp.next_check_at <= now, TopUp.origin == "checkout"
            )
            .order_by(TopUp.next_check_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if top_up is None:
            return None
        if too_late(top_up, now):
            close(top_up, "failed", NOT_STARTED)
            db.session.flush()
            continue
        top_up.next_check_at = next_check(top_up, now)
        return top_up


def owned(person_id: int, top_up_id: int) -> TopUp:
    """The person's own top-up. Raises NotFound, also for somebody else's."""
    top_up = db.session.scalars(
        select(TopUp).where(TopUp.id == top_up_id, TopUp.person_id == person_id)
    ).one_or_none()
    if top_up is None:
        raise NotFound()
    return top_up


# How many the wallet lists.
LISTED = 5
# Built once: the wallet asks it on every poll.
_top_up: Any = TopUp.__table__
_RECENT = Read(
    select(
        _top_up.c.id,
        _top_up.c.amount,
        _top_up.c.state,
        _top_up.c.created_at,
        _top_up.c.processing_since,
        _top_up.c.origin,
    )
    .where(_top_up.c.person_id == bindparam("person"))
    .order_by(_top_up.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


class Recent(NamedTuple):
    """A top-up as listed: dollars, one of TOP_UP_STATES, when it was begun, since when its money is on the way."""

    id: int
    amount: Decimal
    state: str
    created_at: datetime
    processing_since: datetime | None = None
    origin: str = "checkout"


def recent(person_id: int, limit: int = LISTED) -> list[Recent]:
    """The person's newest top-ups, newest first."""
    return [Recent(*row) for row in _RECENT.rows({"person": person_id, "limit": limit})]


def alert(kind: str, top_up_id: int, detail: str, now: datetime) -> None:
    """Put a disagreement about a top-up before a person."""
    ledger.raise_alert(kind, detail, now, reference=f"top_up:{top_up_id}")


def locked(top_up_id: int) -> TopUp:
    """The top-up with its row locked, as it is now."""
    return db.session.scalars(
        select(TopUp).where(TopUp.id == top_up_id).with_for_update().execution_options(populate_existing=True)
    ).one()
