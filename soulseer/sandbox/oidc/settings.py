"""What the OpenID provider is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProviderSettings:
    """One provider with one registered client, the product. ``second_factor``: every sign-in says that one was asked for;
    else only those do whose ``acr_values`` wanted one."""

    issuer: str
    client_id: str
    client_secret: str
    audience: str
    app_base_url: str
    directory: Path
    second_factor: bool = True


def settings_from(environ: Mapping[str, str], directory: Path) -> ProviderSettings:
    """Read the provider's settings. Raises ValueError with one line per missing variable."""
    names = ("OIDC_ISSUER", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "AUTH0_AUDIENCE", "APP_BASE_URL")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ValueError("\n".join(f"{name} is not set" for name in missing))
    issuer, client_id, client_secret, audience, app_base_url = (environ[name] for name in names)
    return ProviderSettings(
        issuer.rstrip("/"), client_id, client_secret, audience, app_base_url.rstrip("/"), directory,
        second_factor=environ.get("SANDBOX_SECOND_FACTOR", "1") != "0",
    )  # fmt: skip
