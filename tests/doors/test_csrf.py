"""The CSRF token: asked of every cookie, never of a bearer token, and refused in the caller's form."""

from tests.doors.test_errors import bearer

ORDER = {"amount": "25.00"}
PATH = "/api/probe/orders/"


def token_of(client) -> str:
    return client.get("/docs").text.split('name="csrf-token" content="')[1].split('"')[0]


def test_our_own_pages_call_the_api_with_cookie_and_header(signed_in) -> None:
    client = signed_in()
    assert client.get("/api/me/").status_code == 200
    bare = client.post(PATH, json=ORDER)
    assert (bare.status_code, bare.get_json()["code"], bare.mimetype) == (
        400,
        "csrf_failed",
        "application/problem+json",
    )
    for wrong in ("x", token_of(signed_in()), ""):
        assert (
            client.post(PATH, json=ORDER, headers={"X-CSRFToken": wrong}).get_json()["code"] == "csrf_failed"
        )
    assert client.post(PATH, json=ORDER, headers={"X-CSRFToken": token_of(client)}).status_code == 201


def test_a_bearer_token_needs_none_and_speaks_before_the_cookie(site, signed_in) -> None:
    client = signed_in()
    mine = client.get("/api/me/").get_json()["handle"]
    theirs = client.get("/api/me/", headers=bearer(site)).get_json()["handle"]
    assert mine != theirs == "client"
    assert client.post(PATH, json=ORDER, headers=bearer(site)).status_code == 201
    # A broken token is not mended by the cookie.
    broken = client.post(PATH, json=ORDER, headers={"Authorization": "Bearer x"})
    assert (broken.status_code, broken.get_json()["code"]) == (401, "invalid_token")


def test_nobody_is_asked_to_sign_in_first(visitor) -> None:
    assert visitor.post(PATH, json=ORDER).status_code == 401


def test_forms_need_it_too_and_the_refusal_is_a_page(signed_in, site) -> None:
    client = signed_in()
    refused = client.post("/dashboard/time-zone/", data={"time_zone": "UTC"})
    assert refused.status_code == 400
    assert "Reload it" in refused.text
    # A bearer token on a page is no way round it.
    assert client.post("/dashboard/time-zone/", data={}, headers=bearer(site)).status_code == 400


def test_webhooks_are_open_to_vendors_and_refuse_the_unsigned(visitor) -> None:
    answer = visitor.post("/stripe/webhook/", data=b"{}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "webhook_rejected")
