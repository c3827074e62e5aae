"""Bearer tokens: whom they speak for, and every refusal a 401 that writes nothing."""

import base64
import hmac
import json
import threading
import time

import psycopg
import pytest
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

from soulseer.gateways import issuer as issuer_module
from soulseer.sandbox.keys import SigningKeys
from tests.identity.site import AUDIENCE, Site, fresh_issuer_memory


def people_count(superuser: psycopg.Connection) -> int:
    return superuser.execute("SELECT count(*) FROM person").fetchone()[0]


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims(site: Site, **changes: object) -> dict:
    now = int(time.time())
    named = {
        "iss": site.issuer.settings.issuer,
        "aud": AUDIENCE,
        "sub": "demo|x@demo.test",
        "exp": now + 60,
        "iat": now,
    }
    return {name: value for name, value in (named | changes).items() if value is not None}


def test_the_first_valid_token_makes_the_person_with_handle_role_and_wallet(site, superuser) -> None:
    token = site.issuer.token("client@demo.test")
    answers = [site.get("/api/me/", token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert answers[0].json() == {
        "handle": "client",
        "email": "client@demo.test",
        "roles": ["client"],
        "time_zone": "UTC",
        "wallet": {"balance": "0.00", "currency": "USD"},
    }
    assert people_count(superuser) == 1
    audit = superuser.execute(
        "SELECT action, object_type, request_id IS NOT NULL FROM audit_entry"
    ).fetchall()
    assert audit == [("person_created", "person", True)]


def test_a_token_without_email_is_enough(site) -> None:
    answer = site.get("/api/me/", site.issuer.token("client@demo.test", email=None))
    assert answer.status_code == 200
    assert answer.json()["email"] is None
    assert answer.json()["handle"].startswith("guest-")


@pytest.mark.parametrize(
    "email",
    [
        "no-address",
        "a\u0000@demo.test",
        "a\u202e@demo.test",
        7,
        ["a@demo.test"],
        "a" * 300 + "@demo.test",
        {},
    ],
)
def test_an_odd_email_claim_counts_as_none(site, email) -> None:
    answer = site.get("/api/me/", site.issuer.token("client@demo.test", email=email))
    assert (answer.status_code, answer.json()["email"]) == (200, None)


def test_the_same_email_under_another_subject_is_somebody_else(site, superuser) -> None:
    first = site.get("/api/me/", site.issuer.token("client@demo.test")).json()
    second = site.get("/api/me/", site.issuer.token("client@demo.test", sub="demo|other@demo.test")).json()
    assert first["email"] == second["email"]
    assert first["handle"] == "client"
    assert second["handle"].startswith("client-")
    assert people_count(superuser) == 2


def test_twenty_first_tokens_at_once_make_one_person(site, superuser) -> None:
    token, statuses = site.issuer.token("client@demo.test"), []
    threads = [
        threading.Thread(target=lambda: statuses.append(site.get("/api/me/", token).status_code))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 20
    assert people_count(superuser) == 1
    assert (
        superuser.execute("SELECT count(*) FROM ledger_account WHERE owner_id IS NOT NULL").fetchone()[0] == 1
    )


WRONG_CLAIMS = [
    {"iss": "http://127.0.0.1:1/"},
    {"iss": None},
    {"iss": 7},
    {"aud": "https://elsewhere.test"},
    {"aud": None},
    {"aud": ["a", "b"]},
    {"aud": [[AUDIENCE]]},
    {"aud": {"x": AUDIENCE}},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "a\u0000b"},
    {"sub": "\ud800"},
    {"sub": "x" * 256},
    {"exp": None},
    {"exp": 0},
    {"exp": int(time.time()) - 1},
    {"exp": "tomorrow"},
    {"exp": True},
    {"exp": float("nan")},
    {"exp": float("inf")},
    {"exp": -(10**400)},
    {"nbf": int(time.time()) + 3600},
    {"iat": int(time.time()) + 3600},
    {"nbf": "x"},
    {"iat": [1]},
]


@pytest.mark.parametrize("changes", WRONG_CLAIMS, ids=lambda changes: "-".join(map(str, changes)))
def test_a_wrong_claim_is_401(site, superuser, changes) -> None:
    key = SigningKeys(site.issuer.settings.directory).signing_key()
    # Signed as it stands: the library would refuse to encode a lone surrogate.
    payload = json.dumps(claims(site, **changes)).encode()
    refused(site, superuser, jws.serialize_compact({"alg": "RS256", "kid": key.kid}, payload, key, ["RS256"]))


def refused(site: Site, superuser: psycopg.Connection, token: str) -> None:
    answer = site.get("/api/me/", token)
    assert answer.status_code == 401, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_token"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "invalid_token" in answer.headers["WWW-Authenticate"]
    assert people_count(superuser) == 0


def test_leeway_of_a_minute_holds_for_iat_and_nbf_only(site) -> None:
    soon = int(time.time()) + 40
    assert site.get("/api/me/", site.issuer.token(iat=soon, nbf=soon)).status_code == 200
    assert site.get("/api/me/", site.issuer.token(exp=int(time.time()) - 2)).status_code == 401


def test_other_algorithms_are_refused(site, superuser) -> None:
    key = SigningKeys(site.issuer.settings.directory).signing_key()
    public = key.as_pem(private=False)
    body = claims(site)
    none = f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(body)}."
    # The old trick: the public key as the secret of a symmetric signature.
    signed = f"{segment({'alg': 'HS256', 'kid': key.kid})}.{segment(body)}"
    mac = hmac.new(public, signed.encode(), "sha256").digest()
    symmetric = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    stronger = jwt.encode(
        {"alg": "RS512", "kid": key.kid},
        body,
        RSAKey.import_key(key.as_dict(private=True) | {"alg": "RS512"}),
        ["RS512"],
    )
    stripped = site.issuer.token().rsplit(".", 1)[0] + "."
    renamed = f"{segment({'alg': 'RS256', 'kid': key.kid})}.{segment(body)}.{symmetric.rsplit('.', 1)[1]}"
    for token in (none, symmetric, stronger, stripped, renamed):
        refused(site, superuser, token)


def test_a_key_that_is_not_the_issuers_is_refused(site, superuser) -> None:
    real = SigningKeys(site.issuer.settings.directory).signing_key()
    foreign = RSAKey.generate_key(2048, {"kid": real.kid})
    refused(site, superuser, jwt.encode({"alg": "RS256", "kid": real.kid}, claims(site), foreign, ["RS256"]))
    embedded = {"alg": "RS256", "jwk": foreign.as_dict(private=False)}
    refused(site, superuser, jwt.encode(embedded, claims(site), foreign, ["RS256"]))


@pytest.mark.parametrize(
    "token",
    ["x", "...", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "=.=.=", f"{segment([])}.{segment({})}.x", f"{segment({'alg': ['RS256']})}.{segment({})}.x",
     f"{segment({'alg': 'RS256', 'kid': {}})}.{segment([1])}.x", "[" * 5000, "x" * 8193, "x" * 60_000],
    ids=lambda token: token[:12],
)  # fmt: skip
def test_a_malformed_token_is_401(site, superuser, token) -> None:
    refused(site, superuser, token.encode().decode("latin-1"))


def test_deep_json_in_a_token_is_401(site, superuser) -> None:
    deep = base64.urlsafe_b64encode(b'{"a":' + b"[" * 2500).decode().rstrip("=")
    refused(site, superuser, f"{segment({'alg': 'RS256'})}.{deep}.x")


def test_a_megabyte_of_token_never_breaks_anything(site, superuser) -> None:
    with site.app.test_client() as client:
        answer = client.get("/api/me/", headers={"Authorization": "Bearer " + "x" * 1_000_000})
    assert answer.status_code == 401
    assert people_count(superuser) == 0


def test_no_token_is_401_that_names_the_scheme(site) -> None:
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        answer = site.get("/api/me/", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_suspended_person_is_told_so(site, superuser) -> None:
    token = site.issuer.token()
    assert site.get("/api/me/", token).status_code == 200
    superuser.execute("UPDATE person SET suspended_at = now()")
    answer = site.get("/api/me/", token)
    assert (answer.status_code, answer.json()["code"]) == (403, "suspended")


def test_rotation_is_seen_at_first_sight_and_again(site) -> None:
    with fresh_issuer_memory(site):
        assert site.get("/api/me/", site.issuer.token()).status_code == 200
        for _ in range(3):
            old = site.issuer.token()
            site.issuer.rotate()
            assert site.get("/api/me/", site.issuer.token()).status_code == 200
            assert site.get("/api/me/", old).status_code == 200
        assert site.issuer.requests["/jwks.json"] == 4


def test_unknown_key_ids_do_not_hammer_the_issuer(site, monkeypatch) -> None:
    foreign = RSAKey.generate_key(2048)

    def unknown(number: int) -> str:
        return jwt.encode({"alg": "RS256", "kid": f"k{number}"}, claims(site), foreign, ["RS256"])

    with fresh_issuer_memory(site):
        assert site.get("/api/me/", site.issuer.token()).status_code == 200
        threads = [
            threading.Thread(target=site.get, args=("/api/me/", unknown(number))) for number in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert site.issuer.requests["/jwks.json"] == 2
        assert site.issuer.requests["/.well-known/openid-configuration"] == 1
        # Tokens that could not hold anyway cost the issuer nothing at all.
        before = site.issuer.requests.total()
        monkeypatch.setattr(issuer_module, "FRUITLESS_PAUSE_SECONDS", 0.0)
        for changes in ({"exp": 1}, {"iss": "http://x"}, {"aud": "x"}):
            token = jwt.encode({"alg": "RS256", "kid": "new"}, claims(site, **changes), foreign, ["RS256"])
            assert site.get("/api/me/", token).status_code == 401
        assert site.issuer.requests.total() == before
        # And after the pause it is asked again, once for each unknown token.
        assert site.get("/api/me/", unknown(99)).status_code == 401
        assert site.issuer.requests["/jwks.json"] == 3


def test_known_keys_serve_while_the_issuer_is_away(site, monkeypatch) -> None:
    with fresh_issuer_memory(site):
        assert site.get("/api/me/", site.issuer.token()).status_code == 200
        site.issuer.away = True
        monkeypatch.setattr(issuer_module, "FRESH_SECONDS", -1.0)
        site.issuer.requests.clear()
        assert [site.get("/api/me/", site.issuer.token()).status_code for _ in range(5)] == [200] * 5
        assert site.issuer.requests.total() <= 2


def test_without_any_key_the_answer_is_503_in_words(site, superuser) -> None:
    with fresh_issuer_memory(site):
        site.issuer.away = True
        answer = site.get("/api/me/", site.issuer.token())
        assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
        assert answer.headers["Retry-After"]
        assert people_count(superuser) == 0
