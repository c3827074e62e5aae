"""The whole code flow over HTTP: who is signed in, what the session holds, and every way it may go wrong."""

import threading
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt

from soulseer.blueprints.auth import local_path
from soulseer.domain.identity import HANDLE, Identity, handle_stem, handles_for
from soulseer.sandbox.keys import SigningKeys
from tests.identity.site import fresh_issuer_memory

TOKEN_NAME = "csrf_token"


def csrf_of(site, browser) -> str:
    """The CSRF token of a signed-in browser, as its pages carry it."""
    page = browser.get(f"{site.url}/docs", timeout=10).text
    return page.split('name="csrf-token" content="')[1].split('"')[0]


def sign_out(site, browser, **options) -> requests.Response:
    form = {TOKEN_NAME: csrf_of(site, browser)}
    return browser.post(f"{site.url}/logout", data=form, allow_redirects=False, timeout=10, **options)


def whoami(site, browser) -> requests.Response:
    return browser.get(f"{site.url}/api/me/", timeout=10)


def test_a_first_sign_in_makes_person_handle_role_wallet_and_audit_row(site, superuser) -> None:
    browser = site.sign_in("client@demo.test")
    assert whoami(site, browser).json() == {
        "handle": "client",
        "email": "client@demo.test",
        "roles": ["client"],
        "time_zone": "UTC",
        "wallet": {"balance": "0.00", "currency": "USD"},
    }
    assert superuser.execute("SELECT issuer, subject, email_verified FROM person").fetchall() == [
        (site.issuer.settings.issuer, "demo|client@demo.test", True)
    ]
    assert superuser.execute(
        "SELECT kind, balance FROM ledger_account WHERE owner_id IS NOT NULL"
    ).fetchall() == [("client_wallet", 0)]
    assert superuser.execute("SELECT action FROM audit_entry").fetchall() == [("person_created",)]
    row = superuser.execute("SELECT expires_at - created_at, ended_at, id_token <> '' FROM login").fetchone()
    assert (row[0].days, row[1], row[2]) == (14, None, True)


def test_the_request_carries_pkce_state_and_nonce_and_is_used_once(site) -> None:
    browser = site.browser()
    begun = browser.get(f"{site.url}/login", allow_redirects=False, timeout=10)
    query = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert len(query["state"][0]) >= 20
    assert len(query["nonce"][0]) >= 20
    assert query["redirect_uri"] == [f"{site.url}/callback"]
    assert "code_verifier" not in begun.headers["Location"]
    location = site.choose(browser, "client@demo.test")
    assert site.come_back(browser, location).status_code == 302
    again = site.come_back(browser, location)
    assert again.status_code == 400
    assert "begun here" in again.text


def test_a_state_that_was_not_begun_here_is_refused(site, superuser) -> None:
    location = site.choose(site.browser(), "client@demo.test")
    for browser, address in (
        (site.browser(), location),
        (site.browser(), f"{site.url}/callback"),
        (site.browser(), f"{site.url}/callback?code=x&state="),
    ):
        answer = site.come_back(browser, address)
        assert answer.status_code == 400
        assert "/login" in answer.text
    mine = site.browser()
    begun = site.choose(mine, "reader@demo.test")
    # Somebody else's code under my state: its PKCE verifier is not mine.
    stolen = parse_qs(urlsplit(location).query)["code"][0]
    state = parse_qs(urlsplit(begun).query)["state"][0]
    assert site.come_back(mine, f"{site.url}/callback?code={stolen}&state={state}").status_code == 400
    assert superuser.execute("SELECT count(*) FROM person").fetchone()[0] == 0


def test_a_token_of_another_sign_in_is_refused_by_its_nonce(site, monkeypatch) -> None:
    from soulseer.gateways import identity as gateway

    browser = site.browser()
    location = site.choose(browser, "client@demo.test")
    fetch = gateway.OAuth2Session.fetch_token

    def with_other_nonce(self, *arguments, **options):
        token = fetch(self, *arguments, **options)
        key = SigningKeys(site.issuer.settings.directory).signing_key()
        claims = jwt.decode(token["id_token"], key, algorithms=["RS256"]).claims
        header = {"alg": "RS256", "kid": key.kid}
        return {**token, "id_token": jwt.encode(header, {**claims, "nonce": "other"}, key, ["RS256"])}

    monkeypatch.setattr(gateway.OAuth2Session, "fetch_token", with_other_nonce)
    assert site.come_back(browser, location).status_code == 400


def test_cancelling_at_the_issuer_says_so_and_offers_another_try(site) -> None:
    browser = site.browser()
    begun = browser.get(f"{site.url}/login", allow_redirects=False, timeout=10)
    back = requests.post(
        begun.headers["Location"], data={"decision": "cancel"}, allow_redirects=False, timeout=10
    )
    answer = site.come_back(browser, back.headers["Location"])
    assert answer.status_code == 400
    assert "cancelled" in answer.text


def test_the_issuer_away_is_a_page_in_words(site) -> None:
    with fresh_issuer_memory(site):
        site.issuer.away = True
        answer = site.get("/login")
        assert answer.status_code == 503
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "does not answer" in answer.text
    browser = site.browser()
    location = site.choose(browser, "client@demo.test")
    site.issuer.away = True
    try:
        assert site.come_back(browser, location).status_code == 503
    finally:
        site.issuer.away = False


def test_an_issuer_that_is_another_is_not_trusted(site, monkeypatch) -> None:
    from soulseer.sandbox.oidc import app as provider

    true_document = provider.discovery_document
    monkeypatch.setattr(
        provider, "discovery_document", lambda issuer: {**true_document(issuer), "issuer": "http://evil.test"}
    )
    with fresh_issuer_memory(site):
        assert site.get("/login").status_code == 503


def test_email_is_looked_up_where_the_id_token_lacks_it(site, monkeypatch) -> None:
    from soulseer.sandbox.oidc import server

    def bare_id_token(person, scope):
        return {"sub": person.subject}

    # The ID token is made by server.profile_claims, /userinfo answers by app's own name for it.
    monkeypatch.setattr(server, "profile_claims", bare_id_token)
    browser = site.sign_in("client@demo.test")
    assert whoami(site, browser).json()["email"] == "client@demo.test"


def test_sign_out_ends_it_on_the_server_and_at_the_issuer(site, superuser) -> None:
    browser = site.sign_in("client@demo.test")
    old_cookies = dict(browser.cookies)
    answer = sign_out(site, browser)
    assert answer.status_code == 302
    leave = urlsplit(answer.headers["Location"])
    assert answer.headers["Location"].startswith(f"{site.issuer.settings.issuer}/logout?")
    query = parse_qs(leave.query)
    assert query["post_logout_redirect_uri"] == [f"{site.url}/"]
    assert len(query["id_token_hint"][0]) > 100
    home = requests.get(answer.headers["Location"], allow_redirects=False, timeout=10)
    assert home.headers["Location"].startswith(f"{site.url}/")
    # The old cookie, kept by a thief or a back button, is dead.
    assert requests.get(f"{site.url}/api/me/", cookies=old_cookies, timeout=10).status_code == 401
    assert superuser.execute("SELECT ended_at IS NOT NULL, id_token FROM login").fetchall() == [(True, None)]


def test_sign_out_while_the_issuer_is_away_still_signs_out(site) -> None:
    browser = site.sign_in("client@demo.test")
    with fresh_issuer_memory(site):
        site.issuer.away = True
        answer = sign_out(site, browser)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{site.url}/")
    assert whoami(site, browser).status_code == 401


def test_sign_out_needs_the_csrf_token(site) -> None:
    browser = site.sign_in("client@demo.test")
    assert browser.post(f"{site.url}/logout", allow_redirects=False, timeout=10).status_code == 400
    assert whoami(site, browser).status_code == 200


def test_a_planted_session_does_not_become_a_signed_in_one(site) -> None:
    browser = site.browser()
    location = site.choose(browser, "client@demo.test")
    planted = browser.cookies["soulseer"]
    assert site.come_back(browser, location).status_code == 302
    assert browser.cookies["soulseer"] != planted
    assert requests.get(f"{site.url}/api/me/", cookies={"soulseer": planted}, timeout=10).status_code == 401


@pytest.mark.parametrize(
    "change",
    ["ended_at = now()", "expires_at = now() - interval '1 second'"],
)
def test_the_row_decides_not_the_cookie(site, superuser, change) -> None:
    browser = site.sign_in("client@demo.test")
    assert whoami(site, browser).status_code == 200
    superuser.execute(f"UPDATE login SET {change}")
    assert whoami(site, browser).status_code == 401


def test_a_suspended_person_meets_a_clear_page(site, superuser) -> None:
    browser = site.sign_in("client@demo.test")
    superuser.execute("UPDATE person SET suspended_at = now()")
    answer = whoami(site, browser)
    assert (answer.status_code, answer.json()["code"]) == (403, "suspended")
    other = site.browser()
    refused = site.come_back(other, site.choose(other, "client@demo.test"))
    assert refused.status_code == 403
    assert "suspended" in refused.text
    assert superuser.execute("SELECT count(*) FROM login").fetchone()[0] == 1


def test_a_changed_email_is_taken_over_and_the_handle_stays(site, superuser) -> None:
    site.sign_in("client@demo.test")
    superuser.execute("UPDATE person SET email = 'old@demo.test', email_verified = false")
    browser = site.sign_in("client@demo.test")
    assert whoami(site, browser).json()["email"] == "client@demo.test"
    assert superuser.execute("SELECT handle, email_verified FROM person").fetchall() == [("client", True)]


def test_two_first_sign_ins_at_once_make_one_person(site, superuser) -> None:
    browsers = [site.browser() for _ in range(6)]
    locations = [site.choose(browser, "client@demo.test") for browser in browsers]
    statuses: list[int] = []

    def come_back(browser, location) -> None:
        statuses.append(site.come_back(browser, location).status_code)

    threads = [
        threading.Thread(target=come_back, args=pair) for pair in zip(browsers, locations, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [302] * 6
    assert superuser.execute("SELECT count(*) FROM person").fetchone()[0] == 1
    assert superuser.execute("SELECT count(*) FROM login").fetchone()[0] == 6


def test_a_login_id_that_is_none_signs_nobody_in(site) -> None:
    for login_id in ("x", "1", str(uuid.uuid4()), "\0", ""):
        with site.app.test_client() as client:
            with client.session_transaction() as session:
                session["_user_id"] = login_id
            assert client.get("/api/me/").status_code == 401


def test_the_cookie_is_closed_to_scripts_and_other_sites(site) -> None:
    browser = site.browser()
    answer = site.come_back(browser, site.choose(browser, "client@demo.test"))
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires=" in cookie
    assert len(cookie) < 1000


def test_many_begun_sign_ins_keep_the_cookie_small_and_the_latest_works(site) -> None:
    browser = site.browser()
    for _ in range(12):
        location = site.choose(browser, "client@demo.test", "/api/me/?" + "x" * 400)
    assert len(browser.cookies["soulseer"]) < 3500
    assert site.come_back(browser, location).status_code == 302


@pytest.mark.parametrize(
    "target",
    ["//evil.test", "/\\evil.test", "https://evil.test/", "javascript:alert(1)", "/\t/evil.test", "\\\\evil.test",
     "/a\\b", "evil.test", "", "/x\r\nSet-Cookie: a=b", "/login", "/logout?x=1", "/callback", "/" + "x" * 600],
)  # fmt: skip
def test_next_never_leads_elsewhere(site, target) -> None:
    assert local_path(target) is None
    browser = site.browser()
    begun = browser.get(f"{site.url}/login", params={"next": target}, allow_redirects=False, timeout=10)
    back = requests.post(
        begun.headers["Location"], data={"email": "c1@demo.test"}, allow_redirects=False, timeout=10
    )
    assert site.come_back(browser, back.headers["Location"]).headers["Location"] == "/dashboard/"


def test_next_leads_on_and_the_signed_in_go_there_at_once(site) -> None:
    browser = site.sign_in("client@demo.test", follow="/api/me/")
    answer = browser.get(f"{site.url}/login?next=/wallet/%3Fpage%3D2", allow_redirects=False, timeout=10)
    assert answer.headers["Location"] == "/wallet/?page=2"


@pytest.mark.parametrize(
    ("email", "name", "handle"),
    [
        ("client@demo.test", None, "client"),
        ("Ana.Lu+x@demo.test", None, "Ana-Lu"),
        ("é@demo.test", "Zoë Moon", "Zo-Moon"),
        ("a@demo.test", None, "guest"),
        (None, None, "guest"),
        ("___@x.test", "**", "guest"),
        ("x" * 64 + "@demo.test", None, "x" * 30),
    ],
)
def test_handles_fit_the_database(email, name, handle) -> None:
    identity = Identity("i", "s", email, name=name)
    assert handle_stem(identity) == handle
    found = [candidate for candidate, _ in zip(handles_for(identity), range(40), strict=False)]
    assert all(HANDLE.fullmatch(candidate) for candidate in found)
    assert len(set(found)) > 30
