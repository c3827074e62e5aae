"""The door of the API: key, faults, idempotency, parameters, headers, errors. Resources register behind it."""

import base64
import binascii
import json
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, request

from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.expansion import expand
from soulseer.sandbox.stripe.idempotency import Attempt, fingerprint_of
from soulseer.sandbox.stripe.parameters import Parameters, decode
from soulseer.sandbox.stripe.settings import API_VERSION
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.work import Work, new_id

Handler = Callable[..., dict[str, Any]]


class Api:
    """Registers handlers `(work, parameters, *path parts) -> API object` under `/v1`."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self.blueprint = Blueprint("v1", __name__, url_prefix="/v1")
        self.blueprint.before_request(self._name_request)
        self.blueprint.after_request(add_headers)

    def get(self, rule: str) -> Callable[[Handler], Handler]:
        return self._route("GET", rule)

    def post(self, rule: str) -> Callable[[Handler], Handler]:
        return self._route("POST", rule)

    def delete(self, rule: str) -> Callable[[Handler], Handler]:
        return self._route("DELETE", rule)

    def _route(self, method: str, rule: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            def view(**path: str) -> Response:
                return self._answer(handler, path)

            self.blueprint.add_url_rule(rule, f"{method} {rule}".replace(".", "_"), view, methods=[method])
            return handler

        return register

    @staticmethod
    def _name_request() -> None:
        g.request_id = new_id("req", 14)

    def _answer(self, handler: Handler, path: dict[str, str]) -> Response:
        try:
            self._check_key()
            self._suffer_faults()
            response = self._perform_once(handler, path)
        except ApiError as error:
            return json_response(json.dumps(error.document(g.request_id)), error.status)
        if request.method == "POST" and self._stand_in.faults.take("timeout_after_effect"):
            _cut_connection()
        return response

    def _check_key(self) -> None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        key = credentials.strip() if scheme.lower() == "bearer" else _user_of(credentials) if scheme else ""
        if not key:
            raise ApiError(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using"
                " Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                status=401,
            )
        if not secrets.compare_digest(key.encode(), self._stand_in.settings.secret_key.encode()):
            raise ApiError(
                f"Invalid API Key provided: {key[:8]}****{key[-4:] if len(key) > 16 else ''}", status=401
            )
        if "Stripe-Account" in request.headers:
            raise ApiError("The sandbox serves no calls on behalf of connected accounts.", status=403)

    def _suffer_faults(self) -> None:
        fault = self._stand_in.faults.take_call("fail_api")
        if fault is not None:
            kind = "invalid_request_error" if fault.status < 500 else "api_error"
            raise ApiError("The sandbox was told to fail this call.", status=fault.status, type=kind)

    def _perform_once(self, handler: Handler, path: dict[str, str]) -> Response:
        pairs = list((request.form if request.method == "POST" else request.args).items(multi=True))
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or not key:
            return self._perform(handler, path, pairs, None)
        attempt = Attempt(key, request.path, fingerprint_of(pairs), g.request_id)
        with self._stand_in.keys.claimed(attempt) as kept:
            if kept is None:
                return self._perform(handler, path, pairs, attempt)
        response = json_response(kept.body, kept.status)
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = kept.request_id
        return response

    def _perform(
        self, handler: Handler, path: dict[str, str], pairs: list[tuple[str, str]], attempt: Attempt | None
    ) -> Response:
        delay = self._stand_in.faults.take_call("delay_api")
        if delay is not None:
            time.sleep(delay.seconds)
        parameters = Parameters(decode(pairs))
        keys = self._stand_in.keys
        try:
            with self._stand_in.work(g.request_id, attempt.key if attempt else None) as work:
                try:
                    answer = handler(work, parameters, **path)
                except ApiError as error:
                    if not error.effects_stay:
                        raise
                    return self._refused(work, error, attempt)
                body = json.dumps(_expanded(work, answer, parameters), indent=2)
                if attempt is not None:
                    keys.keep(work.connection, attempt, 200, body)
        except ApiError as error:
            if attempt is not None and error.executed:
                with self._stand_in.store.transaction() as connection:
                    keys.keep(connection, attempt, error.status, json.dumps(error.document(g.request_id)))
            raise
        return json_response(body, 200)

    def _refused(self, work: Work, error: ApiError, attempt: Attempt | None) -> Response:
        """The answer of a call that did something and failed; both are kept."""
        body = json.dumps(error.document(g.request_id))
        if attempt is not None:
            self._stand_in.keys.keep(work.connection, attempt, error.status, body)
        return json_response(body, error.status)


def json_response(body: str, status: int) -> Response:
    """A JSON answer as Stripe sends it."""
    return Response(body, status, content_type="application/json")


def add_headers(response: Response) -> Response:
    """Request-Id, Stripe-Version, and the idempotency key again."""
    response.headers["Request-Id"] = g.get("request_id") or new_id("req", 14)
    response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
    if key := request.headers.get("Idempotency-Key"):
        response.headers["Idempotency-Key"] = key
    return response


def _expanded(work: Work, answer: dict[str, Any], parameters: Parameters) -> dict[str, Any]:
    return expand(work, answer, parameters.texts("expand"))


def _user_of(credentials: str) -> str:
    """The user of HTTP Basic credentials: curl's `-u sk_test_…:`."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _cut_connection() -> None:
    """The client sees its connection close and cannot tell whether the call was done."""
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
