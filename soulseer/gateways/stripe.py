"""Stripe, by its own SDK. The only module that knows it."""

from stripe import StripeClient


class StripeGateway:
    """Calls Stripe with ``secret_key``; ``api_base`` may name another address (the sandbox's)."""

    def __init__(self, *, secret_key: str, api_base: str, signing_secrets: tuple[str, ...]) -> None:
        self.signing_secrets = signing_secrets
        self.configured = bool(secret_key)
        self._client = (
            StripeClient(secret_key, base_addresses={"api": api_base} if api_base else {}) if secret_key else None
        )
