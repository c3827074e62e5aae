"""Authorization codes: in memory, used once, valid for a minute."""

import threading
import time
from dataclasses import dataclass

from authlib.oidc.core import AuthorizationCodeMixin

LIFETIME_SECONDS = 60


@dataclass(frozen=True)
class AuthorizationCode(AuthorizationCodeMixin):  # type: ignore[misc]
    """What was granted to whom, until it is exchanged for tokens."""

    code: str
    client_id: str
    redirect_uri: str
    scope: str
    email: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    auth_time: int
    expires_at: float
    second_factor: bool = True

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_amr(self) -> list[str]:
        # As Auth0 reports a sign-in with a password and a second factor.
        return ["pwd", "mfa"] if self.second_factor else ["pwd"]


class CodeStore:
    """The codes not yet exchanged."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._codes: dict[str, AuthorizationCode] = {}

    def add(self, code: AuthorizationCode) -> None:
        now = time.monotonic()
        with self._guard:
            self._codes = {key: kept for key, kept in self._codes.items() if kept.expires_at > now}
            self._codes[code.code] = code

    def take(self, code: str, client_id: str) -> AuthorizationCode | None:
        """Hand the code out once: any attempt to exchange it, successful or not, spends it."""
        with self._guard:
            found = self._codes.get(code)
            if found is None or found.client_id != client_id:
                return None
            del self._codes[code]
        return found if found.expires_at > time.monotonic() else None
