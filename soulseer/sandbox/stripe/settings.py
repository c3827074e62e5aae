"""What the Stripe stand-in is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True)
class StripeSettings:
    """Addresses without a trailing slash; durations in seconds."""

    base_url: str
    secret_key: str
    webhook_secret: str
    webhook_url: str
    product_url: str
    directory: Path
    # Stripe's own rule is half an hour; tests shorten it.
    shortest_checkout_seconds: int = 1800
    first_retry_seconds: float = 1.0
    longest_retry_seconds: float = 60.0
    give_up_after_seconds: float = 3 * 24 * 3600
    delivery_timeout_seconds: float = 10.0
    # Types that the webhook endpoint is not subscribed to: they are in the events list, and nobody is told.
    unsubscribed: tuple[str, ...] = ()


def settings_from(environ: Mapping[str, str], port: int, directory: Path) -> StripeSettings:
    """Read the stand-in's settings. Raises ValueError with one line per fault."""
    faults = [
        f"{name} is not set"
        for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SIGNING_SECRET", "APP_BASE_URL")
        if not environ.get(name)
    ]
    secret_key = environ.get("STRIPE_SECRET_KEY", "")
    if secret_key and not secret_key.startswith("sk_test_"):
        faults.append("STRIPE_SECRET_KEY has to begin with sk_test_: this is the sandbox")
    if faults:
        raise ValueError("\n".join(faults))
    product_url = environ["APP_BASE_URL"].rstrip("/")
    return StripeSettings(
        base_url=environ.get("STRIPE_API_BASE", f"http://127.0.0.1:{port}").rstrip("/"),
        secret_key=secret_key,
        webhook_secret=environ["STRIPE_WEBHOOK_SIGNING_SECRET"].split(",")[0].strip(),
        webhook_url=environ.get("STRIPE_WEBHOOK_URL") or f"{product_url}/stripe/webhook/",
        product_url=product_url,
        directory=directory,
    )
