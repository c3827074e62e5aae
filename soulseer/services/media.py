"""Servers that help two browsers to find each other: STUN, and TURN with a password that lives for a reading."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from soulseer.domain.policies import MediaPolicy

PASSWORD_LIFE = timedelta(hours=12)


def ice_servers(policy: MediaPolicy, user: int, now: datetime) -> list[dict[str, Any]]:
    """RTCConfiguration.iceServers for ``user``. Where a TURN secret is set, its name is the expiry and its password
    the name's HMAC (the scheme of coturn's use-auth-secret; draft-uberti-behave-turn-rest-00)."""
    name = f"{int((now + PASSWORD_LIFE).timestamp())}:{user}"
    found: list[dict[str, Any]] = []
    for address in policy.ice_servers:
        server: dict[str, Any] = {"urls": address}
        if address.startswith(("turn:", "turns:")) and policy.turn_secret:
            signature = hmac.new(policy.turn_secret.encode(), name.encode(), hashlib.sha1).digest()
            server |= {"username": name, "credential": base64.b64encode(signature).decode()}
        found.append(server)
    return found
