"""JSON Web Tokens of the issuer: what must hold before anybody is believed."""

import base64
import binascii
import json
import math
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from soulseer.domain.errors import InvalidToken
from soulseer.gateways.issuer import Issuer

LARGEST_TOKEN_BYTES = 8192
LEEWAY_SECONDS = 60
ALGORITHM = "RS256"


def claims_of(token: str, issuer: Issuer, audience: str, now: datetime) -> dict[str, Any]:
    """The claims of a token that holds: RS256, of ``issuer``, for ``audience``, not expired, signed by a known key.

    Raises InvalidToken, IssuerUnavailable.
    """
    if not token or len(token) > LARGEST_TOKEN_BYTES:
        raise InvalidToken("The access token is missing or too long.")
    # Read before anything is asked of the issuer: what cannot hold anyway must not cost it a request.
    header, claims = _unverified(token)
    if header.get("alg") != ALGORITHM:
        raise InvalidToken("The access token must be signed with RS256.")
    _check(claims, issuer, audience, now.timestamp())
    key_id = header.get("kid")
    key = issuer.key(key_id) if isinstance(key_id, str) else issuer.only_key()
    if key is None:
        raise InvalidToken("The access token is signed with an unknown key.")
    try:
        verified = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidToken("The access token's signature does not hold.") from error
    _check(verified, issuer, audience, now.timestamp())
    return dict(verified)


def _check(claims: dict[str, Any], issuer: Issuer, audience: str, now: float) -> None:
    if not issuer.is_named(claims.get("iss")):
        raise InvalidToken("The access token comes from another issuer.")
    named = claims.get("aud")
    if audience != named and not (isinstance(named, list) and audience in named):
        raise InvalidToken("The access token is meant for another audience.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise InvalidToken("The access token names no subject.")
    if _instant(claims, "exp", required=True) <= now:
        raise InvalidToken("The access token has expired.")
    if max(_instant(claims, "nbf"), _instant(claims, "iat")) > now + LEEWAY_SECONDS:
        raise InvalidToken("The access token is not valid yet.")


def _instant(claims: dict[str, Any], name: str, *, required: bool = False) -> float:
    """A NumericDate claim in seconds; 0 where it is absent. Raises InvalidToken for anything else."""
    value = claims.get(name, None if required else 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"The access token's “{name}” is missing or no instant.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidToken(f"The access token's “{name}” is missing or no instant.")
    return value


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as they stand there. Raises InvalidToken unless both are JSON objects."""
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise InvalidToken("The access token is malformed.")
    decoded = []
    for part in parts[:2]:
        try:
            value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, binascii.Error, RecursionError) as error:
            raise InvalidToken("The access token is malformed.") from error
        if not isinstance(value, dict):
            raise InvalidToken("The access token is malformed.")
        decoded.append(value)
    return decoded[0], decoded[1]
