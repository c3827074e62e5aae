"""Agora: RTC and RTM tokens, version 007 by default and 006 by a setting."""

import re
from datetime import datetime

from agora_token_builder import RtcTokenBuilder as RtcTokenBuilder006
from agora_token_builder import RtmTokenBuilder as RtmTokenBuilder006

from soulseer.domain.errors import VendorError

_HEX32 = re.compile(r"[0-9a-fA-F]{32}")


class AgoraGateway:
    """Builds tokens for one channel and one user. ``certificate`` is 32 hexadecimal digits and never leaves here."""

    def __init__(self, app_id: str, certificate: str, *, version: str = "007", notification_secret: str = "") -> None:
        self.app_id = app_id
        self.version = version
        self.notification_secret = notification_secret
        self._certificate = certificate

    @property
    def configured(self) -> bool:
        return bool(_HEX32.fullmatch(self.app_id) and _HEX32.fullmatch(self._certificate))
