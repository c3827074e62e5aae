"""Access tokens of the sandbox's issuer, made without asking it (for `flask demo token`, tests and load scripts)."""

import secrets
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from joserfc import jwt

from soulseer.sandbox.keys import SigningKeys
from soulseer.sandbox.people import normalise_email, subject_of

DEFAULT_SCOPE = "openid profile email"


def mint_access_token(
    email: str,
    *,
    issuer: str,
    audience: str,
    directory: str | Path,
    lifetime_seconds: int = 3600,
    **claim_overrides: Any,
) -> str:
    """An RS256 bearer token for a sandbox person, signed with the key kept in `directory`.

    `claim_overrides` replace single claims, None leaves one out (`exp=None`): for tests of refusals.
    Raises ValueError where `email` is no email address.
    """
    return sign_access_token(
        _keys_in(Path(directory)),
        email,
        issuer=issuer,
        audience=audience,
        lifetime_seconds=lifetime_seconds,
        **claim_overrides,
    )


def sign_access_token(
    keys: SigningKeys,
    email: str,
    *,
    issuer: str,
    audience: str,
    lifetime_seconds: int = 3600,
    **claim_overrides: Any,
) -> str:
    """As `mint_access_token`, with the keys at hand."""
    address = normalise_email(email)
    if address is None:
        raise ValueError(f"not an email address: {email!r}")
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": subject_of(address),
        "aud": audience,
        "iat": now,
        "exp": now + lifetime_seconds,
        "jti": secrets.token_hex(12),
        "scope": DEFAULT_SCOPE,
        "email": address,
        **claim_overrides,
    }
    key = keys.signing_key()
    header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
    return jwt.encode(
        header, {name: value for name, value in claims.items() if value is not None}, key, ["RS256"]
    )


@lru_cache(maxsize=8)
def _keys_in(directory: Path) -> SigningKeys:
    return SigningKeys(directory)
