"""Authlib's authorization server, set up for one client, the code flow and PKCE S256."""

import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from authlib.oidc.rpinitiated import EndSessionEndpoint
from flask import Flask
from joserfc.jwk import KeySet, RSAKey

from soulseer.sandbox.keys import SigningKeys
from soulseer.sandbox.oidc.client import RegisteredClient
from soulseer.sandbox.oidc.codes import LIFETIME_SECONDS, AuthorizationCode, CodeStore
from soulseer.sandbox.oidc.settings import ProviderSettings
from soulseer.sandbox.people import DemoPerson, person_for
from soulseer.sandbox.tokens import sign_access_token

TOKEN_LIFETIME_SECONDS = 3600


def profile_claims(person: DemoPerson, scope: str) -> dict[str, Any]:
    """The claims about a person that the granted scopes open."""
    scopes = scope.split()
    claims: dict[str, Any] = {"sub": person.subject}
    if "profile" in scopes:
        claims |= {"name": person.name, "nickname": person.email.partition("@")[0]}
    if "email" in scopes:
        claims |= {"email": person.email, "email_verified": True}
    return claims


class RequiredS256(CodeChallenge):  # type: ignore[misc]
    """PKCE that cannot be left out, nor weakened to `plain` (RFC 9700 §2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge': PKCE is required.")
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The 'code_challenge_method' has to be S256.")
        super().validate_code_challenge(grant, redirect_uri)


def create_authorization_server(
    app: Flask, settings: ProviderSettings, keys: SigningKeys
) -> AuthorizationServer:
    """The server with its grant, its token generator and its logout endpoint."""
    client, codes = RegisteredClient(settings), CodeStore()

    class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            codes.add(
                AuthorizationCode(
                    code=code,
                    client_id=request.client.client_id,
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.scope,
                    email=request.user.email,
                    nonce=data.get("nonce"),
                    code_challenge=data["code_challenge"],
                    code_challenge_method=data["code_challenge_method"],
                    auth_time=int(time.time()),
                    expires_at=time.monotonic() + LIFETIME_SECONDS,
                    second_factor=settings.second_factor or "multi-factor" in data.get("acr_values", ""),
                )
            )

        def query_authorization_code(self, code: str, client: RegisteredClient) -> AuthorizationCode | None:
            return codes.take(code, client.client_id)

        def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
            """Nothing is left to delete: querying has taken it."""

        def authenticate_user(self, authorization_code: AuthorizationCode) -> DemoPerson:
            return person_for(authorization_code.email)

    class IdToken(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            # The client checks its nonce; going back and choosing somebody else is no replay.
            return False

        def resolve_client_private_key(self, client: RegisteredClient) -> RSAKey:
            return keys.signing_key()

        def get_encode_header(self, client: RegisteredClient) -> dict[str, str]:
            return {"alg": "RS256", "typ": "JWT", "kid": str(keys.signing_key().kid)}

        def get_client_claims(self, client: RegisteredClient) -> dict[str, Any]:
            return {"iss": settings.issuer, "aud": client.client_id}

        def generate_user_info(self, user: DemoPerson, scope: str) -> dict[str, Any]:
            return profile_claims(user, scope)

    class Logout(EndSessionEndpoint):  # type: ignore[misc]
        def _is_valid_post_logout_redirect_uri(
            self, client: RegisteredClient, post_logout_redirect_uri: str
        ) -> bool:
            return client.check_redirect_uri(post_logout_redirect_uri)

        def is_post_logout_redirect_uri_legitimate(self, *_: Any) -> bool:
            # The address is the client's own, and there is no session here that a forged request could end.
            return True

        def get_server_jwks(self) -> KeySet:
            return keys.published()

        def get_algorithms(self) -> list[str]:
            return ["RS256"]

        def end_session(self, end_session_request: Any) -> None:
            """Nothing to end: the provider keeps no session (cookies of one host are shared by all its ports)."""

    def access_token(*, client: RegisteredClient, grant_type: str, user: DemoPerson, scope: str) -> str:
        return sign_access_token(
            keys,
            user.email,
            issuer=settings.issuer,
            audience=settings.audience,
            lifetime_seconds=TOKEN_LIFETIME_SECONDS,
            scope=scope,
            azp=client.client_id,
        )

    app.config["OAUTH2_ACCESS_TOKEN_GENERATOR"] = access_token
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"authorization_code": TOKEN_LIFETIME_SECONDS}
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: client if client_id == client.client_id else None,
        save_token=lambda token, request: None,  # JWTs verify by themselves
    )
    server.register_grant(CodeGrant, [RequiredS256(), IdToken()])
    server.register_endpoint(Logout)
    return server
