"""Kept keys, rotation, and tokens minted without asking the provider."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from soulseer.sandbox.keys import SigningKeys
from soulseer.sandbox.tokens import mint_access_token
from tests.sandbox.ports import free_port, wait_until_healthy

REPOSITORY = Path(__file__).resolve().parents[2]


def mint(provider, email: str = "ops@demo.test", **claims) -> str:
    return mint_access_token(
        email, issuer=provider.issuer, audience=provider.audience, directory=provider.directory, **claims
    )


def published(provider) -> KeySet:
    return KeySet.import_key_set(requests.get(f"{provider.issuer}/jwks.json", timeout=5).json())


def userinfo(provider, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{provider.issuer}/userinfo", headers=headers, timeout=5).status_code


def test_a_minted_token_verifies_by_jwks_and_opens_userinfo(provider) -> None:
    token = mint(provider)
    claims = jwt.decode(token, published(provider), algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (
        provider.issuer,
        provider.audience,
        "demo|ops@demo.test",
    )
    assert userinfo(provider, token) == 200


def test_overridden_claims_and_their_refusal(provider) -> None:
    now = int(time.time())
    for changes in (
        {"exp": now - 10},
        {"exp": None},
        {"aud": "other"},
        {"iss": "http://other"},
        {"sub": "x|y"},
    ):
        assert userinfo(provider, mint(provider, **changes)) == 401, changes
    assert userinfo(provider, "x" * 1_000) == 401
    with pytest.raises(ValueError, match="not an email"):
        mint(provider, "nobody")


def test_no_private_part_is_published_and_the_file_is_the_owners_alone(provider) -> None:
    document = requests.get(f"{provider.issuer}/jwks.json", timeout=5).json()
    assert all(set(key) == {"kty", "n", "e", "kid", "alg", "use"} for key in document["keys"])
    assert stat.S_IMODE((provider.directory / "oidc-keys.json").stat().st_mode) == 0o600


def test_rotation_signs_with_the_new_key_and_keeps_the_old_one_published(provider) -> None:
    before = mint(provider)
    answer = requests.post(f"{provider.issuer}/sandbox/rotate-key", timeout=5).json()
    after = mint(provider)
    assert jwt.decode(after, published(provider), algorithms=["RS256"]).header["kid"] == answer["signing"]
    assert jwt.decode(before, published(provider), algorithms=["RS256"]).header["kid"] != answer["signing"]
    assert userinfo(provider, before) == 200
    foreign = SigningKeys(provider.directory / "elsewhere").published()
    foreign_token = mint_access_token(
        "ops@demo.test", issuer="x", audience="y", directory=provider.directory / "elsewhere"
    )
    assert foreign.keys[0].kid not in answer["published"]
    with pytest.raises(InvalidKeyIdError):
        jwt.decode(foreign_token, published(provider), algorithms=["RS256"])


def test_many_at_once_agree_on_the_first_key(tmp_path) -> None:
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(SigningKeys(tmp_path).signing_key().kid))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_process_says_what_is_missing_and_keeps_its_keys_over_a_restart(tmp_path) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "soulseer.sandbox.oidc",
        "--port",
        str(port),
        "--directory",
        str(tmp_path),
    ]
    bare = {"PATH": os.environ["PATH"]}
    refused = subprocess.run(command, cwd=REPOSITORY, env=bare, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 1
    assert "AUTH0_CLIENT_ID is not set" in refused.stderr
    base = f"http://127.0.0.1:{port}"
    environment = bare | {
        "OIDC_ISSUER": base, "AUTH0_CLIENT_ID": "a", "AUTH0_CLIENT_SECRET": "b", "AUTH0_AUDIENCE": "c",
        "APP_BASE_URL": "http://127.0.0.1:8000",
    }  # fmt: skip
    seen = []
    for _ in range(2):
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_until_healthy(base)
            seen.append(requests.get(f"{base}/jwks.json", timeout=5).json())
        finally:
            process.terminate()
            assert process.wait(10) == 0
    assert seen[0] == seen[1]
