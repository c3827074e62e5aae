"""The provider's one registered client, and which addresses it may be sent back to."""

import secrets
from urllib.parse import SplitResult, urlsplit

from authlib.oauth2.rfc6749 import ClientMixin, list_to_scope, scope_to_list

from soulseer.sandbox.oidc.settings import ProviderSettings

SCOPES = ("openid", "profile", "email", "offline_access")
_LOOPBACK = {"localhost", "127.0.0.1"}


def is_below(base_url: str, url: str) -> bool:
    """Whether `url` is the base address or lies below it; `localhost` and `127.0.0.1` are one host."""
    if any(character in url for character in "\\\t\r\n "):
        return False
    try:
        base, candidate = urlsplit(base_url), urlsplit(url)
        same_place = _place(base) == _place(candidate)
    except ValueError:
        return False
    if not same_place or candidate.username is not None or candidate.fragment or "#" in url:
        return False
    if ".." in candidate.path or "%2e" in candidate.path.lower():
        return False
    base_path = base.path.rstrip("/")
    return candidate.path == base_path or candidate.path.startswith(f"{base_path}/")


def _place(url: SplitResult) -> tuple[str, str, int | None]:
    host = url.hostname or ""
    return (
        url.scheme,
        "loopback" if host in _LOOPBACK else host,
        url.port or {"http": 80, "https": 443}.get(url.scheme),
    )


class RegisteredClient(ClientMixin):  # type: ignore[misc]
    """The product as a confidential client: code flow only, any address of its own as redirect target."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.client_id = settings.client_id
        self._client_secret = settings.client_secret
        self._base_url = settings.app_base_url

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a request has to name its redirect_uri."""

    def get_allowed_scope(self, scope: str | None) -> str:
        requested = scope_to_list(scope) or []
        return str(list_to_scope([name for name in requested if name in SCOPES]))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return is_below(self._base_url, redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self._client_secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"
