"""Stripe, by its own SDK. The only module that knows it. Amounts are whole cents, currencies upper case."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from stripe import (
    AuthenticationError,
    CardError,
    InvalidRequestError,
    RateLimitError,
    RequestsClient,
    SignatureVerificationError,
    StripeClient,
    StripeError,
    WebhookSignature,
)
from stripe import PermissionError as StripePermissionError

from soulseer.domain.errors import VendorError, WebhookRejected

log = structlog.get_logger(__name__)
T = TypeVar("T")

TOLERANCE_SECONDS = 300
CONNECT_SECONDS, READ_SECONDS, RETRIES = 3.05, 10, 2
_TIMESTAMP = re.compile(r"t=([0-9]{1,12})")
# The year 9999; PostgreSQL and Python end there alike.
_LAST_SECOND = 253_402_300_799
_BRANDS = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}
_EVENT_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,255}")


class StripeUnavailable(VendorError):
    """Stripe did not answer, or not clearly. ``may_have_happened``: the call may have been done all the same, so that
    only a retry with the same idempotency key is safe."""

    code, title = "payment_service_unavailable", "The payment service did not answer; please try again"

    def __init__(self, detail: str = "", *, may_have_happened: bool) -> None:
        super().__init__(detail)
        self.may_have_happened = may_have_happened


class StripeRefused(VendorError):
    """Stripe refused for good: nothing was done, and the same call will be refused again. ``missing``: it knows no
    such object."""

    code, title = "payment_service_refused", "The payment service refused this payment"

    def __init__(self, detail: str = "", *, missing: bool = False) -> None:
        super().__init__(detail)
        self.missing = missing


@dataclass(frozen=True)
class CheckoutOrder:
    """What a Checkout session is made of. The same order must come again under the same idempotency key."""

    amount_cents: int
    currency: str
    description: str
    reference: str
    metadata: Mapping[str, str]
    success_url: str
    cancel_url: str
    customer: str | None = None
    # The buyer agrees that the card is kept and charged later without them.
    save_card: bool = False


@dataclass(frozen=True)
class Card:
    """A card as Stripe keeps it: the id to charge it by, and what its owner knows it by."""

    payment_method_id: str
    brand: str
    last4: str

    @property
    def words(self) -> str:
        """``Visa ending in 4242``."""
        return card_words(self.brand, self.last4)


@dataclass(frozen=True)
class CheckoutSession:
    """Stripe's word on a Checkout session. ``status``: open, complete, expired; ``payment_status``: paid, unpaid,
    no_payment_required; ``payment_intent_status`` is None where there is no intent. ``charge_id`` and ``card`` are of
    the intent's latest charge; None where there is none, or it was not paid by card."""

    id: str
    mode: str
    status: str
    payment_status: str
    amount_cents: int | None
    currency: str
    reference: str | None
    livemode: bool
    url: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    payment_intent_id: str | None = None
    payment_intent_status: str | None = None
    charge_id: str | None = None
    card: Card | None = None


@dataclass(frozen=True)
class StripeEvent:
    """A webhook whose signature holds. ``created``: Stripe's instant of it, UTC; None where it tells none."""

    id: str
    type: str
    livemode: bool
    created: datetime | None = None
    # What it is about: its object's own id (pi_…), None where it has none.
    object_id: str | None = None


def known(call: Callable[[], T]) -> T | None:
    """What ``call`` asks of Stripe; None where Stripe knows no such object. Raises StripeUnavailable, StripeRefused."""
    try:
        return call()
    except StripeRefused as error:
        if error.missing:
            return None
        raise


class StripeGateway:
    """Calls Stripe with ``secret_key``; ``api_base`` may name another address (the sandbox's)."""

    def __init__(self, *, secret_key: str, api_base: str, signing_secrets: tuple[str, ...]) -> None:
        self.signing_secrets = signing_secrets
        self.configured = bool(secret_key)
        self.livemode = secret_key.startswith(("sk_live_", "rk_live_"))
        self._client = (
            StripeClient(
                secret_key,
                base_addresses={"api": api_base.rstrip("/"), "files": api_base.rstrip("/")}
                if api_base
                else {},
                max_network_retries=RETRIES,
                http_client=RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
            )
            if secret_key
            else None
        )

    def create_checkout(self, order: CheckoutOrder, idempotency_key: str) -> CheckoutSession:
        """Open a Checkout session, or get the one that was opened under this key.

        Raises StripeUnavailable (retry with the same key) or StripeRefused.
        """
        params: Any = {
            "mode": "payment",
            "submit_type": "pay",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": order.amount_cents,
                        "product_data": {"name": order.description},
                    },
                }
            ],
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "client_reference_id": order.reference,
            "metadata": dict(order.metadata),
            "payment_intent_data": {"metadata": dict(order.metadata)},
        }
        if order.customer is not None:
            params["customer"] = order.customer
        if order.save_card:
            params["payment_method_options"] = {"card": {"setup_future_usage": "off_session"}}
        return _checkout_session(
            self.call(
                lambda client: client.v1.checkout.sessions.create(
                    params, {"idempotency_key": idempotency_key}
                )
            )
        )

    def retrieve_checkout(self, checkout_session_id: str) -> CheckoutSession:
        """What Stripe says of a Checkout session now. Raises StripeUnavailable, or StripeRefused (``missing``)."""
        return _checkout_session(
            self.call(
                lambda client: client.v1.checkout.sessions.retrieve(
                    checkout_session_id, {"expand": ["payment_intent.latest_charge"]}
                )
            )
        )

    def expire_checkout(self, checkout_session_id: str) -> CheckoutSession:
        """Close an open Checkout session so that nobody can pay it. Raises StripeRefused where it is not open."""
        return _checkout_session(
            self.call(
                lambda client: client.v1.checkout.sessions.expire(
                    checkout_session_id,
                    {"expand": ["payment_intent.latest_charge"]},
                    {"idempotency_key": f"expire:{checkout_session_id}"},
                )
            )
        )

    def verify_webhook(self, payload: bytes, header: str | None, now: datetime) -> StripeEvent:
        """The event in ``payload``, if one of our secrets signed it (v1) within 300 s of ``now``, before or after.

        Raises WebhookRejected for everything else (https://docs.stripe.com/webhooks#verify-manually).
        """
        try:
            text = payload.decode("utf-8")
        except UnicodeDecodeError:
            raise WebhookRejected("The body is not UTF-8.") from None
        # hmac.compare_digest raises TypeError on text beyond ASCII.
        if not header or not header.isascii():
            raise WebhookRejected("There is no readable Stripe-Signature.")
        if not any(_signed(text, header, secret) for secret in self.signing_secrets):
            raise WebhookRejected("No v1 signature of the Stripe-Signature header fits.")
        stamp = next((part for part in header.split(",") if part.startswith("t=")), "")
        matched = _TIMESTAMP.fullmatch(stamp)
        # The SDK would let timestamps of the future pass.
        if matched is None or abs(now.timestamp() - int(matched[1])) > TOLERANCE_SECONDS:
            raise WebhookRejected("The signature is too old, or from the future.")
        return _event(text)

    def call(self, call: Callable[[StripeClient], Any]) -> dict[str, Any]:
        """What Stripe answers, as plain data; for the modules of this room that serve one capability each.

        Raises StripeUnavailable (retry with the same idempotency key) or StripeRefused.
        """
        if self._client is None:
            # Nothing is decided: what is under way goes on once the key is there.
            raise StripeUnavailable("Payments are not set up on this site.", may_have_happened=False)
        try:
            answer: dict[str, Any] = call(self._client).to_dict()
            return answer
        except StripeError as error:
            log.warning(
                "stripe_call_failed",
                error=type(error).__name__,
                status=error.http_status,
                stripe_code=error.code,
                stripe_request_id=error.request_id,
                message=error.user_message,
            )
            raise _translated(error) from error


def _signed(text: str, header: str, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(text, header, secret, tolerance=None))
    except SignatureVerificationError:
        return False


def _event(text: str) -> StripeEvent:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise WebhookRejected("The body is not JSON.") from None
    if not isinstance(body, dict) or body.get("object") != "event":
        raise WebhookRejected("The body is not a Stripe event.")
    data, event_id, kind, livemode = (body.get(name) for name in ("data", "id", "type", "livemode"))
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise WebhookRejected("The event has no id.")
    if not isinstance(kind, str) or not _EVENT_TYPE.fullmatch(kind):
        raise WebhookRejected("The event has no type.")
    if (
        not isinstance(livemode, bool)
        or not isinstance(data, dict)
        or not isinstance(data.get("object"), dict)
    ):
        raise WebhookRejected("The event lacks livemode or its object.")
    return StripeEvent(event_id, kind, livemode, instant_of(body.get("created")), id_of(data["object"]))


def id_of(thing: Mapping[str, Any]) -> str | None:
    """The id of an object of Stripe's, None where it has none that looks like one."""
    found = thing.get("id")
    return found if isinstance(found, str) and _EVENT_ID.fullmatch(found) else None


def instant_of(seconds: object) -> datetime | None:
    """The instant of Stripe's Unix seconds, UTC; None where ``seconds`` are none (True is no number)."""
    if type(seconds) is not int or not 0 <= seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _checkout_session(body: Mapping[str, Any]) -> CheckoutSession:
    intent = body.get("payment_intent") or {}
    if isinstance(intent, str):
        intent = {"id": intent}
    charge = intent.get("latest_charge") or {}
    if isinstance(charge, str):
        charge = {"id": charge}
    return CheckoutSession(
        id=body["id"],
        mode=body["mode"],
        status=body.get("status") or "",
        payment_status=body["payment_status"],
        amount_cents=body.get("amount_total"),
        currency=(body.get("currency") or "").upper(),
        reference=body.get("client_reference_id"),
        livemode=body["livemode"],
        url=body.get("url"),
        metadata=body.get("metadata") or {},
        payment_intent_id=intent.get("id"),
        payment_intent_status=intent.get("status"),
        charge_id=charge.get("id"),
        card=card_of(charge),
    )


def card_words(brand: str, last4: str) -> str:
    """A card as its owner knows it: ``Visa ending in 4242``. Stripe's names of brands are ``amex``, ``visa`` and so on."""
    name = _BRANDS.get(brand, brand.replace("_", " ").capitalize())
    return f"{name} ending in {last4}" if last4 else name


def card_of(charge: Mapping[str, Any]) -> Card | None:
    """The card that a charge was paid by; None where it was paid otherwise, or Stripe did not say."""
    details = (charge.get("payment_method_details") or {}).get("card")
    payment_method_id = charge.get("payment_method")
    if not details or not isinstance(payment_method_id, str):
        return None
    return Card(payment_method_id, details.get("brand") or "card", details.get("last4") or "")


def _translated(error: StripeError) -> VendorError:
    """Ours for Stripe's: refused for good, or to be tried again with the same key."""
    if isinstance(error, InvalidRequestError | CardError):
        # Stripe's own words are for the log: they speak of parameters, not to people.
        return StripeRefused(missing=error.code == "resource_missing" and error.http_status == 404)
    if isinstance(error, AuthenticationError | StripePermissionError):
        # Our key is wrong, which says nothing about this payment: it may go through once the key is mended.
        return StripeUnavailable("The payment service is not set up rightly.", may_have_happened=False)
    return StripeUnavailable(may_have_happened=not isinstance(error, RateLimitError))
