"""A production start stops on every missing or weak setting, one line each, naming the variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import REPOSITORY, SettingsError, load_settings

SOUND = {
    "APP_ENV": "production",
    "SECRET_KEY": "s" * 50,
    "APP_BASE_URL": "https://soulseer.example",
    "ALLOWED_HOSTS": "soulseer.example",
    "DATABASE_URL": "postgresql://soulseer:x@db.example/soulseer?sslmode=verify-full",
    "REDIS_URL": "rediss://redis.example/0",
    "AUTH0_DOMAIN": "soulseer.eu.auth0.example",
    "AUTH0_CLIENT_ID": "id",
    "AUTH0_CLIENT_SECRET": "secret",
    "AUTH0_AUDIENCE": "https://api.soulseer.example",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_x",
    "STRIPE_WEBHOOK_SIGNING_SECRET": "whsec_a,whsec_b",
    "AGORA_APP_ID": "0" * 32,
    "AGORA_SECURITY_CERTIFICATE": "f" * 32,
    "RECEIPT_SIGNING_KEYS": f"new:{'k' * 43},old:{'o' * 43}",
}


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A complete production environment and nothing of ours."""
    for name in list(os.environ):
        if name in SOUND or name in (
            "SANDBOX",
            "OIDC_ISSUER",
            "STRIPE_API_BASE",
            "DEBUG",
            "REPORTING_DATABASE_URL",
        ):
            monkeypatch.delenv(name)
    for name, value in SOUND.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SANDBOX_DIR", str(tmp_path))
    return monkeypatch


def test_a_sound_production_environment_is_taken(sound: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.production
    assert settings.issuer == "https://soulseer.eu.auth0.example/"
    assert settings.stripe_webhook_signing_secret == ("whsec_a", "whsec_b")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", "s" * 49),
        ("SECRET_KEY", ""),
        ("DEBUG", "true"),
        ("SANDBOX", "1"),
        ("APP_BASE_URL", "http://soulseer.example"),
        ("DATABASE_URL", "postgresql://soulseer:x@db.example/soulseer"),
        ("DATABASE_URL", "postgresql://soulseer:x@db.example/soulseer?sslmode=prefer"),
        ("DATABASE_URL", ""),
        ("REDIS_URL", ""),
        ("AUTH0_CLIENT_SECRET", ""),
        ("AUTH0_AUDIENCE", ""),
        ("AUTH0_DOMAIN", ""),
        ("STRIPE_WEBHOOK_SIGNING_SECRET", ""),
        ("AGORA_SECURITY_CERTIFICATE", "not hexadecimal"),
        ("AGORA_API_BASE", "http://api.agora.example"),
        ("ALLOWED_HOSTS", ""),
        ("GRACE_SECONDS", "soon"),
        ("READER_SHARE", "1.2"),
        ("RECEIPT_SIGNING_KEYS", ""),
        ("RECEIPT_SIGNING_KEYS", "k" * 43),
        ("RECEIPT_SIGNING_KEYS", f"new:{'k' * 42}"),
        ("RECEIPT_SIGNING_KEYS", f"new:{'k' * 43},new:{'o' * 43}"),
        ("TIP_MINIMUM", "500"),
        ("TIP_READER_SHARE", "1.01"),
        ("PORT", "70000"),
    ],
)
def test_a_missing_or_weak_setting_stops_the_start(
    sound: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    sound.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(refused.value.faults) == 1, refused.value.faults
    assert refused.value.faults[0].startswith(f"{variable}:")


@pytest.mark.parametrize(("given", "missing"), [("ID", "SECRET"), ("SECRET", "ID")])
def test_agoras_customer_comes_whole_or_not_at_all(
    sound: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    assert load_settings().agora_api_base == "https://api.agora.io"
    sound.setenv(f"AGORA_CUSTOMER_{given}", "x")
    with pytest.raises(SettingsError, match=f"^AGORA_CUSTOMER_{missing}: missing"):
        load_settings()
    sound.setenv(f"AGORA_CUSTOMER_{missing}", "y")
    load_settings()


def test_plain_http_to_an_issuer_is_for_loopback_only(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("APP_ENV", "development")
    sound.setenv("OIDC_ISSUER", "http://issuer.example")
    with pytest.raises(SettingsError, match="OIDC_ISSUER"):
        load_settings()
    sound.setenv("OIDC_ISSUER", "http://127.0.0.1:9")
    load_settings()


def test_production_does_not_read_the_sandboxs_file(sound: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sandbox.env").write_text("SANDBOX=1\nSECRET_KEY=short\n")
    assert not load_settings().sandbox


def test_the_process_itself_stops_with_a_line_for_each_fault(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("SECRET_KEY", "short")
    sound.setenv("SANDBOX", "1")
    done = subprocess.run(
        [sys.executable, "-m", "flask", "jobs", "list"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    told = done.stderr + done.stdout
    assert [line for line in told.splitlines() if line.strip().startswith("SECRET_KEY:")]
    assert [line for line in told.splitlines() if line.strip().startswith("SANDBOX:")]
    assert "Traceback" not in told
