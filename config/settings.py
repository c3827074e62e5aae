"""Settings: frozen, typed, from the environment. Read by ``soulseer.app`` only."""

import os
import re
from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
# The last of 43 characters carries four bits: 32 bytes have no fifth to set.
SIGNING_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class SettingsError(Exception):
    """One or more settings are missing or weak; ``faults`` holds a line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Settings(BaseSettings):
    """Everything that the environment decides. Durations are seconds, money is US dollars."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", case_sensitive=False, env_ignore_empty=True
    )

    app_env: Literal["development", "test", "production"] = "development"
    debug: bool = False
    secret_key: str = ""
    receipt_signing_keys: Annotated[tuple[str, ...], NoDecode] = ()
    app_base_url: str = "http://127.0.0.1:8000"
    port: int = Field(8000, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: int = Field(0, ge=0, le=5)

    database_url: str = ""
    reporting_database_url: str = ""
    redis_url: str = ""

    auth0_domain: str = ""
    auth0_client_id: str = ""
    auth0_client_secret: str = ""
    auth0_audience: str = ""
    oidc_issuer: str = ""

    stripe_secret_key: str = ""
    stripe_publishable_key: str = ""
    stripe_webhook_signing_secret: Annotated[tuple[str, ...], NoDecode] = ()
    stripe_api_base: str = ""

    agora_app_id: str = ""
    agora_security_certificate: str = ""
    agora_notification_secret: str = ""
    agora_token_version: Literal["007", "006"] = "007"  # noqa: S105
    agora_customer_id: str = ""
    agora_customer_secret: str = ""
    agora_api_base: str = "https://api.agora.io"

    media_transport: Literal["", "agora", "webrtc"] = ""
    ice_servers: Annotated[tuple[str, ...], NoDecode] = ()
    turn_secret: str = ""

    r2_endpoint_url: str = ""
    r2_access_key_id: str = ""
    r2_secret_access_key: str = ""
    r2_bucket: str = ""
    image_megabytes: int = Field(8, ge=1, le=50)
    image_megapixels: int = Field(40, ge=1, le=150)
    mail_url: str = ""
    mail_from: str = ""
    sentry_dsn: str = ""
    metrics_token: str = ""

    billing_tick_seconds: int = Field(60, ge=1, le=3600)
    charge_on_heartbeat: bool = True
    grace_seconds: int = Field(300, ge=1, le=86400)
    ring_seconds: int = Field(120, ge=5, le=3600)
    token_ttl_seconds: int = Field(1200, ge=60, le=86400)
    presence_timeout_seconds: int = Field(30, ge=5, le=600)
    minimum_minutes: int = Field(1, ge=1, le=60)
    max_reconnects: int = Field(5, ge=0, le=1000)
    reader_share: Decimal = Field(Decimal("0.70"), ge=0, le=1, decimal_places=4)
    missed_rings: int = Field(2, ge=1, le=100)
    queue_hold_seconds: int = Field(120, ge=10, le=3600)
    most_free_minutes: int = Field(5, ge=0, le=5)
    earnings_hold_days: int = Field(7, ge=0, le=365)
    tip_minimum: Decimal = Field(Decimal("1.00"), ge=1, le=10_000, decimal_places=2)
    tip_maximum: Decimal = Field(Decimal("200.00"), ge=1, le=10_000, decimal_places=2)
    tip_reader_share: Decimal = Field(Decimal("0.70"), ge=0, le=1, decimal_places=4)
    refund_approval_limit: Decimal = Field(Decimal("50.00"), ge=0, le=100_000, decimal_places=2)
    payout_minimum: Decimal = Field(Decimal("25.00"), ge=1, le=100_000, decimal_places=2)
    promotion_limit: Decimal = Field(Decimal("500.00"), gt=0, le=100_000, decimal_places=2)
    promotion_support_limit: Decimal = Field(Decimal("25.00"), ge=0, le=100_000, decimal_places=2)
    reconciliation_approval_limit: Decimal = Field(Decimal("100.00"), ge=0, le=1_000_000, decimal_places=2)
    flag_hide_weight: Decimal = Field(Decimal("2.00"), gt=0, le=1000, decimal_places=2)
    case_claim_minutes: int = Field(15, ge=1, le=1440)
    strike_days: int = Field(180, ge=1, le=3650)
    # Unset: in production only.
    staff_require_mfa: bool | None = None
    staff_idle_minutes: int = Field(30, ge=1, le=1440)
    subscription_grace_days: int = Field(7, ge=0, le=90)
    rate_limits: bool = True

    sandbox: bool = False
    sandbox_dir: Path = REPOSITORY / "var"

    @field_validator(
        "ice_servers", "allowed_hosts", "stripe_webhook_signing_secret", "receipt_signing_keys", mode="before"
    )
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings

    @property
    def issuer(self) -> str:
        """The OpenID issuer's address, as it stands in ``iss``."""
        if self.oidc_issuer:
            return self.oidc_issuer
        return f"https://{self.auth0_domain}/" if self.auth0_domain else ""

    @property
    def transport(self) -> str:
        """How voice and video travel: by Agora where its keys are set, unless MEDIA_TRANSPORT says otherwise."""
        keys = self.agora_app_id and self.agora_security_certificate
        return self.media_transport or ("agora" if keys else "webrtc")

    @property
    def production(self) -> bool:
        return self.app_env == "production"

    @property
    def second_factor(self) -> bool:
        """Whether staff must have signed in with a second factor."""
        return self.production if self.staff_require_mfa is None else self.staff_require_mfa

    @property
    def sqlalchemy_url(self) -> str:
        """The database address with psycopg 3 named as the driver."""
        url = self.database_url
        for prefix in ("postgresql://", "postgres://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url[len(prefix) :]
        return url


def load_settings(**overrides: object) -> Settings:
    """Read the environment (and, outside production, ``.env`` and the running sandbox's ``sandbox.env``).

    Raises SettingsError with one line per fault, each naming its variable.
    """
    files: tuple[Path, ...] = ()
    if os.environ.get("APP_ENV", "development") != "production":
        sandbox_dir = Path(os.environ.get("SANDBOX_DIR") or REPOSITORY / "var")
        files = (sandbox_dir / "sandbox.env", REPOSITORY / ".env")
    try:
        settings = Settings(_env_file=files, **overrides)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        raise SettingsError(
            [f"{'.'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        ) from None
    faults = production_faults(settings) if settings.production else common_faults(settings)
    if faults:
        raise SettingsError(faults)
    return settings


def common_faults(settings: Settings) -> list[str]:
    """What stops every start, one line each."""
    faults = []
    required = ("database_url", "redis_url", "secret_key")
    faults += [
        f"{name.upper()}: missing (`make run` starts everything)"
        for name in required
        if not getattr(settings, name)
    ]
    issuer = urlsplit(settings.issuer)
    if issuer.scheme == "http" and issuer.hostname not in ("127.0.0.1", "localhost", "::1"):
        faults.append("OIDC_ISSUER: plain http is for loopback only")
    if settings.mail_url:
        faults += mail_faults(settings)
    faults += [
        f"ICE_SERVERS: {address!r} does not begin with stun:, turn: or turns:"
        for address in settings.ice_servers
        if not address.startswith(("stun:", "turn:", "turns:"))
    ]
    if settings.agora_customer_id and not settings.agora_customer_secret:
        faults.append("AGORA_CUSTOMER_SECRET: missing, and AGORA_CUSTOMER_ID is set")
    if settings.agora_customer_secret and not settings.agora_customer_id:
        faults.append("AGORA_CUSTOMER_ID: missing, and AGORA_CUSTOMER_SECRET is set")
    faults += signing_faults(settings.receipt_signing_keys)
    if settings.tip_minimum > settings.tip_maximum:
        faults.append("TIP_MINIMUM: is more than TIP_MAXIMUM")
    return faults


def signing_faults(keys: tuple[str, ...]) -> list[str]:
    """What is wrong with the keys that sign receipts, one line each; never the key itself."""
    faults = []
    for place, key in enumerate(keys, 1):
        if not SIGNING_KEY.fullmatch(key):
            faults.append(
                f"RECEIPT_SIGNING_KEYS: number {place} is not name:key, the key 32 bytes in base64url (43 characters)"
            )
    names = [key.partition(":")[0] for key in keys]
    if len(set(names)) < len(names):
        faults.append("RECEIPT_SIGNING_KEYS: two keys have the same name")
    return faults


def mail_faults(settings: Settings) -> list[str]:
    """What is wrong with a mail server that is set, one line each."""
    faults = []
    server = urlsplit(settings.mail_url)
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        faults.append("MAIL_URL: must be smtp://… or smtps://…")
    name, address = parseaddr(settings.mail_from)
    if not settings.mail_from:
        faults.append("MAIL_FROM: missing, and MAIL_URL is set")
    elif not all(part.strip() for part in address.partition("@")) or not f"{name}{address}".isprintable():
        faults.append(
            "MAIL_FROM: must be an address, with or without a name: SoulSeer <hello@soulseer.example>"
        )
    return faults


def production_faults(settings: Settings) -> list[str]:
    """What stops a production start, one line each, naming the variable."""
    faults = common_faults(settings)
    required = (
        "auth0_client_id auth0_client_secret auth0_audience stripe_secret_key stripe_publishable_key "
        "stripe_webhook_signing_secret agora_app_id agora_security_certificate allowed_hosts receipt_signing_keys"
    )
    faults += [f"{name.upper()}: missing" for name in required.split() if not getattr(settings, name)]
    if not settings.issuer:
        faults.append("AUTH0_DOMAIN: missing (or OIDC_ISSUER for another provider)")
    elif not settings.issuer.startswith("https://"):
        faults.append("OIDC_ISSUER: must be https in production")
    if settings.secret_key and len(settings.secret_key) < 50:
        faults.append("SECRET_KEY: shorter than 50 characters")
    if settings.debug:
        faults.append("DEBUG: must be off in production")
    if settings.sandbox:
        faults.append("SANDBOX: the sandbox must be off in production")
    if not settings.app_base_url.startswith("https://"):
        faults.append("APP_BASE_URL: must be https in production")
    if settings.stripe_api_base and not settings.stripe_api_base.startswith("https://"):
        faults.append("STRIPE_API_BASE: must be https in production")
    if not settings.agora_api_base.startswith("https://"):
        faults.append("AGORA_API_BASE: must be https in production")
    if settings.stripe_secret_key.startswith(("sk_test_sandbox", "sk_test_demo")):
        faults.append("STRIPE_SECRET_KEY: is the sandbox's")
    query = parse_qs(urlsplit(settings.database_url).query)
    if settings.database_url and query.get("sslmode", [""])[0] not in ("require", "verify-ca", "verify-full"):
        faults.append("DATABASE_URL: needs sslmode=require or stricter")
    for name in ("agora_app_id", "agora_security_certificate"):
        value = getattr(settings, name)
        if value and not (len(value) == 32 and all(c in "0123456789abcdefABCDEF" for c in value)):
            faults.append(f"{name.upper()}: must be 32 hexadecimal digits")
    return faults
