"""What counts as a webhook: signed by a secret of ours, v1, within 300 seconds of now to either side."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from soulseer.domain.errors import WebhookRejected
from soulseer.gateways.stripe import StripeGateway

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BODY = json.dumps(
    {"id": "evt_1", "object": "event", "type": "charge.succeeded", "livemode": False, "data": {"object": {}}}
).encode()


def sign(payload: bytes, secret: str = "whsec_a", *, at: int = 0, scheme: str = "v1") -> str:
    """A Stripe-Signature header made by hand; ``at`` is seconds from NOW."""
    stamp = int(NOW.timestamp()) + at
    signature = hmac.new(secret.encode(), b"%d." % stamp + payload, hashlib.sha256).hexdigest()
    return f"t={stamp},{scheme}={signature}"


@pytest.fixture
def gateway() -> StripeGateway:
    return StripeGateway(secret_key="sk_test_x", api_base="", signing_secrets=("whsec_a", "whsec_b"))


@pytest.mark.parametrize("secret", ["whsec_a", "whsec_b"])
@pytest.mark.parametrize("at", [-300, 0, 300])
def test_both_secrets_hold_while_rotating_and_300_seconds_to_either_side(
    gateway: StripeGateway, secret: str, at: int
) -> None:
    event = gateway.verify_webhook(BODY, sign(BODY, secret, at=at), NOW)
    assert (event.id, event.type, event.livemode) == ("evt_1", "charge.succeeded", False)


def test_several_signatures_in_one_header_need_one_that_fits(gateway: StripeGateway) -> None:
    header = f"{sign(BODY, 'whsec_other')},{sign(BODY, 'whsec_b').split(',')[1]}"
    assert gateway.verify_webhook(BODY, header, NOW).id == "evt_1"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "t=,v1=",
        "v1=" + "0" * 64,
        sign(BODY, "whsec_other"),
        sign(BODY, scheme="v0"),
        sign(BODY, at=-301),
        sign(BODY, at=301),
        sign(BODY).replace("v1=", "v1=é"),
        sign(BODY).replace("t=", "t= "),
        sign(BODY).replace("t=", "t=+"),
    ],
)
def test_other_headers_are_refused(gateway: StripeGateway, header: str | None) -> None:
    with pytest.raises(WebhookRejected):
        gateway.verify_webhook(BODY, header, NOW)


def event_with(**changes: object) -> bytes:
    return json.dumps({**json.loads(BODY), **changes}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'"event"',
        b"\xff\xfe",
        b"[" * 100_000,
        event_with(object="charge"),
        event_with(id=None),
        event_with(id="evt 1"),
        event_with(id="evt_\0"),
        event_with(id="e" * 256),
        event_with(type=7),
        event_with(livemode="false"),
        event_with(data=[]),
        event_with(data={"object": "cs_1"}),
    ],
)
def test_what_is_signed_but_no_event_is_refused(gateway: StripeGateway, payload: bytes) -> None:
    with pytest.raises(WebhookRejected):
        gateway.verify_webhook(payload, sign(payload), NOW)


def test_one_byte_changed_is_refused(gateway: StripeGateway) -> None:
    header = sign(BODY)
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(WebhookRejected):
            gateway.verify_webhook(changed, header, NOW)


def test_without_a_secret_nothing_is_accepted() -> None:
    gateway = StripeGateway(secret_key="sk_test_x", api_base="", signing_secrets=())
    with pytest.raises(WebhookRejected):
        gateway.verify_webhook(BODY, sign(BODY, ""), NOW)


def test_the_key_says_which_mode_we_are_in() -> None:
    assert StripeGateway(secret_key="sk_live_x", api_base="", signing_secrets=()).livemode
    assert not StripeGateway(secret_key="sk_test_x", api_base="", signing_secrets=()).livemode
