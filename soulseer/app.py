"""create_app: the only reader of config/. Hands policies and gateways to the rooms below."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_admin
from flask import Flask
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

import soulseer.models  # noqa: F401 (fills the metadata)
from config.logging import configure_logging
from config.settings import REPOSITORY, Settings, load_settings
from soulseer import cli, gateways
from soulseer.admin import init_admin
from soulseer.blueprints import register_blueprints
from soulseer.blueprints.rendering import TemplateEnvironment
from soulseer.db import (
    READ_ONLY_STATEMENTS,
    back_to_transactions,
    check_connection,
    db,
    write_in_transactions,
)
from soulseer.domain import policies
from soulseer.gateways.agora import AgoraGateway
from soulseer.gateways.agora_channels import ChannelGateway
from soulseer.gateways.identity import IdentityGateway
from soulseer.gateways.mail import MailGateway
from soulseer.gateways.presence import PresenceGateway
from soulseer.gateways.queue import QueueGateway
from soulseer.gateways.signals import SignalGateway
from soulseer.gateways.signing import SigningGateway
from soulseer.gateways.storage import StorageGateway
from soulseer.gateways.stripe import StripeGateway
from soulseer.gateways.talk import TalkGateway

migrate = Migrate(directory=str(REPOSITORY / "migrations"), compare_type=True)
csrf = CSRFProtect()


def create_app(settings: Settings | None = None, **overrides: Any) -> Flask:
    """Build the application. ``overrides`` are settings by field name. Raises SettingsError, a line per fault."""
    settings = settings or load_settings(**overrides)
    configure_logging(settings.log_level, as_json=settings.production)
    app = Flask(
        "soulseer",
        root_path=str(REPOSITORY / "soulseer"),
        template_folder=str(REPOSITORY / "templates"),
        static_folder="static",
        static_url_path=static_path(production=settings.production),
    )
    app.jinja_environment = TemplateEnvironment
    app.config.update(flask_config(settings))
    app.extensions["settings"] = settings
    policies.configure(policies_of(settings))
    gateways.configure(gateways_of(settings))
    db.init_app(app)
    migrate.init_app(app, db)
    csrf.init_app(app)
    register_blueprints(app, csrf)
    init_admin(app, environment="Sandbox" if settings.sandbox else settings.app_env.capitalize())
    cli.register(app)
    start_sentry(settings)
    wrap_wsgi(app, settings)
    return app


def flask_config(settings: Settings) -> dict[str, Any]:
    """What Flask and its extensions read."""
    engine_options: dict[str, Any] = {
        "pool_events": [
            (write_in_transactions, "connect"),
            (check_connection, "checkout"),
            (back_to_transactions, "checkin"),
        ],
        "pool_size": 10,
        "max_overflow": 10,
        "connect_args": {
            "options": f"-c timezone=UTC -c lock_timeout=10s {READ_ONLY_STATEMENTS}",
            "application_name": "soulseer",
        },
    }
    return {
        "SECRET_KEY": settings.secret_key,
        "DEBUG": settings.debug,
        "TESTING": settings.app_env == "test",
        "SQLALCHEMY_DATABASE_URI": settings.sqlalchemy_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options,
        "SESSION_COOKIE_NAME": "soulseer",
        "SESSION_COOKIE_SECURE": settings.app_base_url.startswith("https://"),
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(days=14),
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_HEADERS": ["X-CSRFToken"],
        "WTF_CSRF_SSL_STRICT": settings.production,
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 256 * 1024,
        "SEND_FILE_MAX_AGE_DEFAULT": 3600,
        "TRUSTED_HOSTS": list(settings.allowed_hosts) or None,
        "RATELIMIT_ENABLED": settings.rate_limits,
        "RATELIMIT_STORAGE_URI": settings.redis_url,
    }


def policies_of(settings: Settings) -> policies.Policies:
    """The business rules that settings decide, as plain values."""
    return policies.Policies(
        reading=policies.ReadingPolicy(
            grace=timedelta(seconds=settings.grace_seconds),
            ring=timedelta(seconds=settings.ring_seconds),
            presence_timeout=timedelta(seconds=settings.presence_timeout_seconds),
            token_ttl=timedelta(seconds=settings.token_ttl_seconds),
            minimum_minutes=settings.minimum_minutes,
            max_reconnects=settings.max_reconnects,
            reader_share=settings.reader_share,
            charge_on_heartbeat=settings.charge_on_heartbeat,
        ),
        waiting=policies.WaitingPolicy(
            missed_rings=settings.missed_rings,
            hold=timedelta(seconds=settings.queue_hold_seconds),
            most_free_minutes=settings.most_free_minutes,
        ),
        payout=policies.PayoutPolicy(
            hold=timedelta(days=settings.earnings_hold_days), minimum=settings.payout_minimum
        ),
        promotion=policies.PromotionPolicy(
            maximum=settings.promotion_limit, support_limit=settings.promotion_support_limit
        ),
        reconciliation=policies.ReconciliationPolicy(approval_limit=settings.reconciliation_approval_limit),
        tip=policies.TipPolicy(
            minimum=settings.tip_minimum, maximum=settings.tip_maximum, reader_share=settings.tip_reader_share
        ),
        refund=policies.RefundPolicy(approval_limit=settings.refund_approval_limit),
        files=policies.FilePolicy(
            most_bytes=settings.image_megabytes * 1_000_000,
            most_pixels=settings.image_megapixels * 1_000_000,
        ),
        media=policies.MediaPolicy(
            transport=settings.transport, ice_servers=settings.ice_servers, turn_secret=settings.turn_secret
        ),
        staff=policies.StaffPolicy(
            second_factor=settings.second_factor, idle=timedelta(minutes=settings.staff_idle_minutes)
        ),
        moderation=policies.ModerationPolicy(
            hide_weight=int(settings.flag_hide_weight * 1000),
            claim=timedelta(minutes=settings.case_claim_minutes),
            strike_period=timedelta(days=settings.strike_days),
        ),
        doors=policies.DoorPolicy(
            issuer=settings.issuer,
            stripe_api_base=settings.stripe_api_base,
            sandbox=settings.sandbox,
            metrics_token=settings.metrics_token,
        ),
        subscription_grace=timedelta(days=settings.subscription_grace_days),
        billing_tick_seconds=settings.billing_tick_seconds,
        app_base_url=settings.app_base_url.rstrip("/"),
        production=settings.production,
    )


def gateways_of(settings: Settings) -> gateways.Gateways:
    """One object per outside system."""
    return gateways.Gateways(
        identity=IdentityGateway(
            settings.issuer, settings.auth0_client_id, settings.auth0_client_secret, settings.auth0_audience
        ),
        presence=PresenceGateway(settings.redis_url),
        queue=QueueGateway(settings.redis_url),
        stripe=StripeGateway(
            secret_key=settings.stripe_secret_key,
            api_base=settings.stripe_api_base,
            signing_secrets=settings.stripe_webhook_signing_secret,
        ),
        agora=AgoraGateway(
            settings.agora_app_id,
            settings.agora_security_certificate,
            version=settings.agora_token_version,
            notification_secret=settings.agora_notification_secret,
        ),
        channels=ChannelGateway(
            settings.agora_app_id,
            settings.agora_customer_id,
            settings.agora_customer_secret,
            settings.agora_api_base,
        ),
        signals=SignalGateway(settings.redis_url),
        mail=MailGateway(settings.mail_url, settings.mail_from),
        talk=TalkGateway(settings.redis_url),
        storage=StorageGateway(
            settings.r2_endpoint_url,
            settings.r2_access_key_id,
            settings.r2_secret_access_key,
            settings.r2_bucket,
        ),
        signing=SigningGateway(settings.receipt_signing_keys, settings.secret_key),
    )


def start_sentry(settings: Settings) -> None:
    """Report errors to Sentry where a DSN is set; never personal data."""
    if settings.sentry_dsn:
        import sentry_sdk

        sentry_sdk.init(dsn=settings.sentry_dsn, environment=settings.app_env, send_default_pii=False)


def static_path(*, production: bool) -> str:
    """Where static files are served. In production the address names their contents (assets/build.mjs): browsers keep
    them for good, and ask for the new ones after a deployment."""
    if not production:
        return "/static"
    return f"/static/{(REPOSITORY / 'soulseer/static/build/version.txt').read_text()}"


def wrap_wsgi(app: Flask, settings: Settings) -> None:
    """Static files by whitenoise; the proxy's headers where proxies are trusted."""
    here = f"{app.static_url_path}/"
    white = WhiteNoise(
        app.wsgi_app,
        autorefresh=not settings.production,
        max_age=3600 if settings.production else 0,
        immutable_file_test=lambda _path, url: settings.production and url.startswith(here),
    )
    white.add_files(str(app.static_folder), prefix=here)
    # Flask-Admin's Bootstrap: public files, not to be asked of Flask (and a signed-in person's row) on every page.
    white.add_files(str(Path(flask_admin.__file__).parent / "static"), prefix="admin/static/")
    app.wsgi_app = white  # type: ignore[method-assign]
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
