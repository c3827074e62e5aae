"""Agora: RTC and RTM tokens, version 007 by default and 006 by a setting."""

import re
import time

from agora_token_builder import RtcTokenBuilder as RtcTokenBuilder006
from agora_token_builder import RtmTokenBuilder as RtmTokenBuilder006
from agoraiotools import RtcTokenBuilder2, RtmTokenBuilder2

from soulseer.domain.errors import VendorError

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
