"""Sign-in with the OpenID issuer (code flow with PKCE, by Authlib) and its bearer tokens."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from soulseer.domain.errors import InvalidToken, IssuerUnavailable, SignInFailed
from soulseer.domain.identity import Identity
from soulseer.gateways.issuer import TIMEOUT_SECONDS, Issuer
from soulseer.gateways.tokens import claims_of

SCOPE = "openid profile email"
# What Auth0 takes in acr_values, and its amr says; the rest are RFC 8176's second factors.
MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
SECOND_FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sms", "sc"})


@dataclass(frozen=True)
class SignInStart:
    """Where to send the browser, and what its session must keep for the way back."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class IdentityGateway:
    """One client of one issuer. Raises IssuerUnavailable wherever the issuer does not answer."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, audience: str) -> None:
        self.issuer = Issuer(issuer)
        self._client_id = client_id
        self._client_secret = client_secret
        self._audience = audience

    def start(self, redirect_uri: str, login_hint: str | None = None, *, anew: bool = False) -> SignInStart:
        """Begin a sign-in that comes back to ``redirect_uri``; ``anew`` has the issuer ask again, with a second factor."""
        endpoint = self.issuer.metadata()["authorization_endpoint"]
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        extra = {"login_hint": login_hint} if login_hint else {}
        if anew:
            extra |= {"acr_values": MULTI_FACTOR, "max_age": "0"}
        with self._session(redirect_uri) as session:
            url, state = session.create_authorization_url(
                endpoint, code_verifier=verifier, nonce=nonce, **extra
            )
        return SignInStart(url, state, nonce, verifier)

    def finish(
        self, redirect_uri: str, code: str, nonce: str, code_verifier: str, now: datetime
    ) -> tuple[Identity, str]:
        """Exchange the code: (who it is, ID token). Raises SignInFailed where the issuer refuses it."""
        metadata = self.issuer.metadata()
        try:
            with self._session(redirect_uri) as session:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    code=code,
                    code_verifier=code_verifier,
                    timeout=TIMEOUT_SECONDS,
                )
                claims = claims_of(str(token.get("id_token", "")), self.issuer, self._client_id, now)
                if not isinstance(claims.get("nonce"), str) or not secrets.compare_digest(
                    claims["nonce"].encode(), nonce.encode()
                ):
                    raise SignInFailed("The sign-in service answered another sign-in. Please start again.")
                if "email" not in claims and metadata.get("userinfo_endpoint"):
                    about = session.get(metadata["userinfo_endpoint"], timeout=TIMEOUT_SECONDS).json()
                    if about.get("sub") == claims["sub"]:
                        claims = {**about, **claims}
        except (OAuthError, InvalidToken) as error:
            raise SignInFailed(
                "The sign-in service did not confirm this sign-in. Please start again."
            ) from error
        except (requests.RequestException, ValueError, AttributeError) as error:
            raise IssuerUnavailable("The sign-in service did not answer. Please try again.") from error
        return self._identity(claims), token["id_token"]

    def sign_out_url(self, id_token: str | None, return_to: str) -> str | None:
        """Where the issuer ends its own session and sends the browser back; None where it offers none."""
        endpoint = self.issuer.metadata().get("end_session_endpoint")
        if not endpoint:
            return None
        query = {"post_logout_redirect_uri": return_to, "client_id": self._client_id}
        if id_token:
            query["id_token_hint"] = id_token
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def verify_bearer(self, token: str, now: datetime) -> Identity:
        """Whom an access token speaks for. Raises InvalidToken for anything but a valid one of our audience."""
        return self._identity(claims_of(token, self.issuer, self._audience, now))

    def _session(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self._client_id,
            self._client_secret,
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method=self._authentication_method(),
        )

    def _authentication_method(self) -> str:
        offered = self.issuer.metadata().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    def _identity(self, claims: dict[str, Any]) -> Identity:
        email, name = claims.get("email"), claims.get("name")
        plain = isinstance(email, str) and 3 <= len(email) <= 254 and "@" in email and email.isprintable()
        return Identity(
            issuer=self.issuer.url,
            subject=claims["sub"],
            email=email if plain else None,
            email_verified=plain and claims.get("email_verified") is True,
            name=name if isinstance(name, str) and name.isprintable() else None,
            second_factor=_second_factor(claims),
        )


def _second_factor(claims: dict[str, Any]) -> bool:
    """Whether ``amr`` names one (RFC 8176; Auth0 says mfa), or ``acr`` is the policy that we ask for."""
    methods = claims.get("amr")
    named = isinstance(methods, list) and not SECOND_FACTORS.isdisjoint(
        method for method in methods if isinstance(method, str)
    )
    return named or claims.get("acr") == MULTI_FACTOR
