"""HTTP for clients, readers and programs. One module per capability."""

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from soulseer.blueprints import (
    access,
    agora_webhook,
    api_afterwards,
    api_calls,
    api_membership,
    api_ringing,
    api_safety,
    api_sessions,
    api_texts,
    api_waiting,
    api_wallet,
    api_withdrawals,
    applications,
    auth,
    auto_reload,
    dashboard,
    doors,
    favourites,
    files,
    front,
    health,
    identity,
    leaving,
    limits,
    me,
    membership,
    metrics,
    openapi,
    payouts,
    promotions,
    reader_settings,
    readers,
    reading_list,
    readings,
    receipts,
    refunds,
    rendering,
    reviews,
    ringing,
    safety,
    security,
    stripe_webhook,
    tips,
    viewing,
    waiting,
    wallet,
)
from soulseer.domain import policies

# Every capability's blueprint; those of one's own go here, one a line.
BLUEPRINTS = (
    health.blueprint,
    metrics.blueprint,
    auth.blueprint,
    openapi.blueprint,
    me.blueprint,
    api_sessions.blueprint,
    api_texts.blueprint,
    api_safety.blueprint,
    safety.blueprint,
    api_ringing.blueprint,
    ringing.blueprint,
    waiting.blueprint,
    api_waiting.blueprint,
    api_calls.blueprint,
    wallet.blueprint,
    auto_reload.blueprint,
    promotions.blueprint,
    api_wallet.blueprint,
    refunds.blueprint,
    api_withdrawals.blueprint,
    membership.blueprint,
    api_membership.blueprint,
    stripe_webhook.blueprint,
    agora_webhook.blueprint,
    front.blueprint,
    favourites.blueprint,
    readers.blueprint,
    reviews.blueprint,
    dashboard.blueprint,
    reader_settings.blueprint,
    payouts.blueprint,
    reading_list.blueprint,
    readings.blueprint,
    files.blueprint,
    leaving.blueprint,
    receipts.blueprint,
    tips.blueprint,
    api_afterwards.blueprint,
    applications.blueprint,
)


def register_blueprints(app: Flask, csrf: CSRFProtect) -> None:
    """Mount every blueprint and the doors' shared habits. The order of the checks before a request counts."""
    current = policies.current()
    # Ours decides when a request needs the token (access.protect_from_forgery); the login's row, how long one lasts.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, SESSION_REFRESH_EACH_REQUEST=False)
    doors.init_errors(app)
    security.init_security(
        app,
        base_url=current.app_base_url,
        issuer=current.doors.issuer,
        stripe_api_base=current.doors.stripe_api_base,
        production=current.production,
        transport=current.media.transport,
    )
    identity.init_identity(app)
    limits.init_limits(app)
    app.before_request(viewing.refuse)
    app.before_request(access.protect_from_forgery)
    app.before_request(access.require_sign_in)
    rendering.init_rendering(app, sandbox=current.doors.sandbox)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
