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
        try:
            body = json.loads(payload)
            inner = body["payload"]
            return Notification(
                id=str(body["noticeId"])[:255],
                event_type=int(body["eventType"]),
                channel=str(inner.get("channelName", ""))[:64],
                uid=int(inner.get("uid") or 0),
                at=datetime.fromtimestamp(int(inner.get("ts") or 0), UTC),
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


@dataclass(frozen=True)
class Notification:
    """A channel event: ``uid`` came into or left ``channel`` at ``at`` (UTC, whole seconds)."""

    id: str
    event_type: int
    channel: str
    uid: int
    at: datetime
