"""``sandbox.env``: where everything of this sandbox is, for the parts and for ``flask`` in another shell.

What the environment or ``.env`` gives is used instead of our own: an own database or Redis, or a vendor's test account.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from soulseer.sandbox import places

DATABASE = "soulseer"
STAND_INS = ("oidc", "stripe", "mailbox", "storage")
# The mailbox has two: one for its pages, one to take mail at.
PORTS = (*STAND_INS, "smtp")
KEYS = (
    "SANDBOX",
    "SANDBOX_DIR",
    "SECRET_KEY",
    "APP_BASE_URL",
    "PORT",
    "DATABASE_URL",
    "REPORTING_DATABASE_URL",
    "REDIS_URL",
    "OIDC_ISSUER",
    "AUTH0_DOMAIN",
    "AUTH0_CLIENT_ID",
    "AUTH0_CLIENT_SECRET",
    "AUTH0_AUDIENCE",
    "STRIPE_API_BASE",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SIGNING_SECRET",
    "AGORA_APP_ID",
    "AGORA_SECURITY_CERTIFICATE",
    "AGORA_NOTIFICATION_SECRET",
    "MEDIA_TRANSPORT",
    "MAIL_URL",
    "MAIL_FROM",
    "MAILBOX_URL",
    "R2_ENDPOINT_URL",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "R2_BUCKET",
)


def given(repository: Path) -> dict[str, str]:
    """What ``.env`` and, before it, the environment set of KEYS; an empty value is none."""
    values: dict[str, str] = {}
    file = repository / ".env"
    if file.exists():
        for line in file.read_text().splitlines():
            name, separator, value = line.removeprefix("export ").partition("=")
            if separator and not line.lstrip().startswith("#"):
                values[name.strip()] = value.strip().strip("'\"")
    values |= os.environ
    return {name: values[name] for name in KEYS if values.get(name)}


def kept_facts(directory: Path) -> dict[str, str]:
    """The stand-ins' ports and the secrets of this sandbox: made once, then kept in ``sandbox.json``."""
    file = directory / "sandbox.json"
    facts: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    fresh = {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "AUTH0_CLIENT_ID": f"sandbox-{secrets.token_hex(8)}",
        "AUTH0_CLIENT_SECRET": secrets.token_urlsafe(32),
        "AUTH0_AUDIENCE": "https://api.soulseer.test",
        "STRIPE_SECRET_KEY": f"sk_test_sandbox{secrets.token_hex(16)}",
        "STRIPE_PUBLISHABLE_KEY": f"pk_test_sandbox{secrets.token_hex(16)}",
        "STRIPE_WEBHOOK_SIGNING_SECRET": f"whsec_{secrets.token_hex(24)}",
        "AGORA_APP_ID": secrets.token_hex(16),
        "AGORA_SECURITY_CERTIFICATE": secrets.token_hex(16),
        "AGORA_NOTIFICATION_SECRET": secrets.token_hex(16),
        "R2_ACCESS_KEY_ID": f"sandbox{secrets.token_hex(8)}",
        "R2_SECRET_ACCESS_KEY": secrets.token_hex(32),
        "R2_BUCKET": "soulseer",
    }
    for name in PORTS:
        taken = {facts.get(f"{other}_port") for other in PORTS}
        while (port := str(places.free_port())) in taken:
            pass
        facts.setdefault(f"{name}_port", port)
    complete = {**fresh, **facts}
    if complete.keys() != facts.keys() or not file.exists():
        write_private(file, json.dumps(complete, indent=1))
    return complete


def compose(
    facts: Mapping[str, str], outside: Mapping[str, str], directory: Path, port: int
) -> dict[str, str]:
    """The values of ``sandbox.env`` without the servers' addresses; ``outside`` (see ``given``) goes first.

    A vendor that is given from outside is taken whole: none of our values are mixed into it.
    """
    values = {
        "SANDBOX": "1",
        "SANDBOX_DIR": str(directory),
        "SECRET_KEY": facts["SECRET_KEY"],
        "APP_BASE_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
    }
    if uses_stand_in("oidc", outside):
        values["OIDC_ISSUER"] = f"http://127.0.0.1:{facts['oidc_port']}"
        values |= {name: value for name, value in facts.items() if name.startswith("AUTH0_")}
    if uses_stand_in("stripe", outside):
        values["STRIPE_API_BASE"] = f"http://127.0.0.1:{facts['stripe_port']}"
        values |= {name: value for name, value in facts.items() if name.startswith("STRIPE_")}
    if uses_stand_in("mailbox", outside):
        values["MAIL_URL"] = f"smtp://127.0.0.1:{facts['smtp_port']}"
        values["MAIL_FROM"] = "SoulSeer <hello@soulseer.test>"
        values["MAILBOX_URL"] = f"http://127.0.0.1:{facts['mailbox_port']}"
    if uses_stand_in("storage", outside):
        values["R2_ENDPOINT_URL"] = f"http://127.0.0.1:{facts['storage_port']}"
        values |= {name: value for name, value in facts.items() if name.startswith("R2_")}
    if "AGORA_APP_ID" not in outside:
        # Ids to make tokens with, but nobody behind them: calls go between the two browsers.
        values["MEDIA_TRANSPORT"] = "webrtc"
        values |= {name: value for name, value in facts.items() if name.startswith("AGORA_")}
    kept = {name: value for name, value in outside.items() if name not in ("SANDBOX", "SANDBOX_DIR", "PORT")}
    return values | kept


def uses_stand_in(name: str, outside: Mapping[str, str]) -> bool:
    """Whether our own stand-in for sign-in (``oidc``), payments (``stripe``), mail (``mailbox``) or files
    (``storage``) is to run."""
    theirs = {
        "oidc": ("OIDC_ISSUER", "AUTH0_DOMAIN"),
        "stripe": ("STRIPE_SECRET_KEY", "STRIPE_API_BASE"),
        "mailbox": ("MAIL_URL",),
        "storage": ("R2_ENDPOINT_URL",),
    }
    return not any(variable in outside for variable in theirs[name])


def write(directory: Path, values: Mapping[str, str]) -> Path:
    """Write ``sandbox.env``, readable by its owner only; its path."""
    file = directory / "sandbox.env"
    write_private(file, "".join(f"{name}={values[name]}\n" for name in KEYS if name in values))
    return file


def kept_value(directory: Path, name: str) -> str:
    """One value of ``sandbox.env``; empty where it is not there."""
    file = directory / "sandbox.env"
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{name}=")), "")


def write_private(file: Path, text: str) -> None:
    """Replace a file in one move; only its owner may read it."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(file)
