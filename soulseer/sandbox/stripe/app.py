"""The stand-in as a Flask app."""

import json
from typing import Any

from flask import Flask, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from soulseer.sandbox.pages import create_stand_in
from soulseer.sandbox.stripe.api import Api, add_headers, json_response
from soulseer.sandbox.stripe.control import create_control_pages
from soulseer.sandbox.stripe.control_balance import create_balance_switches
from soulseer.sandbox.stripe.control_connect import create_connect_switches
from soulseer.sandbox.stripe.control_disputes import create_dispute_switches
from soulseer.sandbox.stripe.control_payments import create_payment_switches
from soulseer.sandbox.stripe.control_refunds import create_refund_switches
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.hosted import create_hosted_pages
from soulseer.sandbox.stripe.onboarding import create_onboarding_pages
from soulseer.sandbox.stripe.portal import create_portal_pages
from soulseer.sandbox.stripe.resources import RESOURCES
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.subscription_control import create_subscription_switches
from soulseer.sandbox.stripe.work import new_id

_LARGEST_REQUEST_BYTES = 1_000_000


def create_app(stand_in: StandIn) -> Flask:
    """API, checkout page and control pages over one stand-in; its courier is started by the caller."""
    app = create_stand_in(__name__, "Stripe")
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = _LARGEST_REQUEST_BYTES
    app.jinja_env.filters["cents"] = lambda amount: f"${amount / 100:,.2f}"
    api = Api(stand_in)
    for register in RESOURCES:
        register(api)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(create_hosted_pages(stand_in))
    app.register_blueprint(create_control_pages(stand_in))
    app.register_blueprint(create_onboarding_pages(stand_in))
    app.register_blueprint(create_connect_switches(stand_in))
    app.register_blueprint(create_portal_pages(stand_in))
    app.register_blueprint(create_subscription_switches(stand_in))
    app.register_blueprint(create_payment_switches(stand_in))
    app.register_blueprint(create_refund_switches(stand_in))
    app.register_blueprint(create_balance_switches(stand_in))
    app.register_blueprint(create_dispute_switches(stand_in))

    @app.get("/")
    def front() -> Any:
        return redirect("/sandbox/")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Any:
        status = error.code or 500
        if request.path.startswith("/v1/"):
            return add_headers(_api_error(status))
        return render_template("sandbox/message.html", title=error.name, detail=error.description), status

    return app


def _api_error(status: int) -> Any:
    g.setdefault("request_id", new_id("req", 14))
    if status >= 500:
        error = ApiError("An unknown error occurred in the sandbox.", status=status, type="api_error")
    elif status in (404, 405):
        error = ApiError(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)
    else:
        error = ApiError("The request could not be read.", status=status)
    return json_response(json.dumps(error.document(g.request_id)), error.status)
