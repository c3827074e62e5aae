"""Agora: RTC and RTM tokens, version 007 by default and 006 by a setting."""

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from agora_token_builder import RtcTokenBuilder as RtcTokenBuilder006
from agora_token_builder import RtmTokenBuilder as RtmTokenBuilder006
from agoraiotools import RtcTokenBuilder2, RtmTokenBuilder2

from soulseer.domain.errors import VendorError, WebhookRejected

_HEX32 = re.compile(r"[0-9a-fA-F]{32}")


class AgoraGateway:
    """Builds tokens for one channel and one user. ``certificate`` is 32 hexadecimal digits and never leaves here."""

    def __init__(
        self, app_id: str, certificate: str, *, version: str = "007", notification_secret: str = ""
    ) -> None:
        self.app_id = app_id
        self.version = version
        self.notification_secret = notification_secret
        self._certificate = certificate

    @property
    def configured(self) -> bool:
        return bool(_HEX32.fullmatch(self.app_id) and _HEX32.fullmatch(self._certificate))

    def rtc_token(self, channel: str, uid: int, seconds: int) -> str:
        """A token to speak and listen in ``channel`` as ``uid`` for ``seconds`` from now. Raises VendorError."""
        if self.version == "006":
            # 006 takes an absolute expiry and the uid as text.
            token = RtcTokenBuilder006.buildTokenWithUid(
                self.app_id, self._certificate, channel, uid, 1, int(time.time()) + seconds
            )
        else:
            token = RtcTokenBuilder2.build_token_with_uid(
                self.app_id, self._certificate, channel, uid, 1, seconds, seconds
            )
        return self._checked(token)

    def rtm_token(self, user: str, seconds: int) -> str:
        """A token to log in to messaging as ``user`` for ``seconds`` from now. Raises VendorError."""
        if self.version == "006":
            token = RtmTokenBuilder006.buildToken(
                self.app_id, self._certificate, user, 1, int(time.time()) + seconds
            )
        else:
            token = RtmTokenBuilder2.build_token(self.app_id, self._certificate, user, seconds)
        return self._checked(token)

    def _checked(self, token: str) -> str:
        # The builders return '' silently unless id and certificate are 32 hexadecimal digits.
        if not token or not self.configured:
            raise VendorError(
                "Agora is not configured: AGORA_APP_ID and AGORA_SECURITY_CERTIFICATE are needed."
            )
        return token

    def verify_notification(self, payload: bytes, signature: str | None) -> "Notification":
        """What Agora notified, proved by its ``Agora-Signature-V2`` (HMAC-SHA256 of the raw body).

        Raises WebhookRejected for anything unsigned, changed, or not of the documented form.
        """
        expected = hmac.new(self.notification_secret.encode(), payload, hashlib.sha256).hexdigest()
        given = (signature or "").strip().lower().encode()
        if not self.notification_secret or not hmac.compare_digest(expected.encode(), given):
            raise WebhookRejected
        return self.read_notification(payload)

    def read_notification(self, payload: bytes) -> "Notification":
        """What a body says that was verified before. Raises WebhookRejected where it is not of the documented form."""
        try:
            body = json.loads(payload)
            inner = body["payload"]
            return Notification(
                id=_text(body["noticeId"] or None, 255),
                event_type=_number(body["eventType"], 32_767) or 0,
                channel=_text(inner.get("channelName", ""), 64),
                uid=_number(inner.get("uid"), 2**63 - 1) or 0,
                at=datetime.fromtimestamp(_number(inner.get("ts"), 253_402_300_799) or 0, UTC),
                sequence=_number(inner.get("clientSeq"), 2**63 - 1),
                reason=_number(inner.get("reason"), 2**31 - 1),
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            OSError,
            RecursionError,
        ) as error:
            raise WebhookRejected("The notification is not of the form that Agora documents.") from error


def _number(value: object, largest: int) -> int | None:
    """A whole number from 0 to ``largest``; None where there is none. Raises ValueError."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not 0 <= int(value) <= largest:
        raise ValueError(f"{value!r} is not a number of a notification")
    return int(value)


def _text(value: object, longest: int) -> str:
    """Text that can be stored. Raises ValueError."""
    text = str(value)
    if value is None or not text.isprintable():
        raise ValueError("no name, or one with control characters")
    return text[:longest]


@dataclass(frozen=True)
class Notification:
    """A channel event: ``uid`` came into or left ``channel`` at ``at`` (UTC, whole seconds). ``sequence`` orders the
    events of one uid, ``reason`` says why it left (domain/connections.REASONS)."""

    id: str
    event_type: int
    channel: str
    uid: int
    at: datetime
    sequence: int | None = None
    reason: int | None = None
