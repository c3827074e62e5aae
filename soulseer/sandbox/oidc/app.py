"""The provider's addresses."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, jsonify, render_template, request
from joserfc import jwt
from joserfc.errors import JoseError
from werkzeug.exceptions import HTTPException

from soulseer.sandbox.keys import SigningKeys
from soulseer.sandbox.oidc.client import SCOPES
from soulseer.sandbox.oidc.server import create_authorization_server, profile_claims
from soulseer.sandbox.oidc.settings import ProviderSettings
from soulseer.sandbox.pages import create_stand_in
from soulseer.sandbox.people import DEMO_PEOPLE, email_of, normalise_email, person_for


def create_app(settings: ProviderSettings) -> Flask:
    """The OpenID provider as a Flask app, its keys kept in the settings' directory."""
    app = create_stand_in(__name__, "sign-in")
    keys = SigningKeys(settings.directory)
    keys.signing_key()
    server = create_authorization_server(app, settings, keys)

    def error_page(title: str, detail: str, status: int) -> tuple[str, int]:
        return render_template("sandbox/message.html", title=title, detail=detail), status

    @app.get("/")
    def about() -> str:
        return render_template(
            "sandbox/oidc_about.html", issuer=settings.issuer, product=settings.app_base_url
        )

    @app.get("/.well-known/openid-configuration")
    def configuration() -> Response:
        return jsonify(discovery_document(settings.issuer))

    @app.get("/jwks.json")
    def jwks() -> Response:
        return jsonify(keys.public_document())

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        try:
            grant = server.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            if error.redirect_uri:
                return server.handle_error_response(None, error)
            return error_page("This sign-in cannot go on", error.description or error.error, 400)
        except ValueError:
            # Authlib quotes the parameter at fault, and refuses characters that an OAuth error may not carry.
            return error_page("This sign-in cannot go on", "A parameter of the request is malformed.", 400)
        if request.method == "GET":
            return choose_person(normalise_email(request.args.get("login_hint", "")))
        if request.form.get("decision") == "cancel":
            return server.create_authorization_response(grant=grant, grant_user=None)
        email = normalise_email(request.form.get("email") or request.form.get("other_email", ""))
        if email is None:
            return choose_person(
                None, request.form.get("other_email", ""), "Please enter a whole email address."
            ), 422
        return server.create_authorization_response(grant=grant, grant_user=person_for(email))

    def choose_person(hint: str | None, typed: str = "", error: str | None = None) -> str:
        hinted = next((person for person in DEMO_PEOPLE if person.email == hint), None)
        return render_template(
            "sandbox/authorize.html",
            people=DEMO_PEOPLE,
            hinted=hinted,
            typed=typed or ("" if hinted else hint or ""),
            error=error,
            query=request.query_string.decode(),
        )

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.route("/userinfo", methods=["GET", "POST"])
    def userinfo() -> Any:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise ValueError("no bearer token")
            claims = jwt.decode(bearer, keys.published(), algorithms=["RS256"]).claims
            _access_token_rules(settings).validate(claims)
            email = email_of(claims["sub"])
        except (JoseError, ValueError):
            email = None
        if email is None:
            return {"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return jsonify(profile_claims(person_for(email), str(claims.get("scope", ""))))

    @app.route("/logout", methods=["GET", "POST"])
    def logout() -> Any:
        try:
            end_session = server.validate_endpoint_request("end_session")
        except OAuth2Error as error:
            return error_page("This sign-out cannot go on", error.description or error.error, 400)
        if request.values.get("post_logout_redirect_uri") and not end_session.redirect_uri:
            return error_page(
                "This sign-out cannot go on", "The address to return to is not the product's.", 400
            )
        return server.create_endpoint_response("end_session", end_session) or render_template(
            "sandbox/message.html",
            title="Signed out",
            detail="You are signed out.",
            product=settings.app_base_url,
        )

    @app.post("/sandbox/rotate-key")
    def rotate_key() -> dict[str, Any]:
        signing = keys.rotate()
        return {"signing": signing.kid, "published": [key["kid"] for key in keys.public_document()["keys"]]}

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[str, int]:
        return error_page(error.name, error.description or "", error.code or 500)

    return app


def discovery_document(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 §3."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks.json",
        "end_session_endpoint": f"{issuer}/logout",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": list(SCOPES),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "sub",
            "name",
            "nickname",
            "email",
            "email_verified",
            "auth_time",
            "amr",
            "nonce",
        ],
    }


def _access_token_rules(settings: ProviderSettings) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.audience},
        sub={"essential": True},
        exp={"essential": True},
    )
