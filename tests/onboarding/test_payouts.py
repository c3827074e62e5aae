"""An applicant tells Stripe who they are before they are a reader."""

import re
from urllib.parse import urlsplit

import requests

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.services import applications
from tests import factories
from tests.money_in.browser import signed_in
from tests.money_in.conftest import product, sandbox, stripe_server

__all__ = ["product", "sandbox", "stripe_server"]


def test_an_applicant_sets_payouts_up_and_comes_back_to_the_application(app, sandbox) -> None:
    person = factories.person()
    browser = signed_in(app, sandbox, person.id)
    assert browser.get("/payouts/returned/").status_code == 403
    with transaction():
        applications.begin(person.id, clock.now())
    page = browser.get("/apply/payout/").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    asked = browser.post("/apply/payout/set-up/", {"csrf_token": token[1]})
    assert asked.status_code == 303
    done = requests.post(f"{asked.headers['Location']}/finish", timeout=5, allow_redirects=False)
    back = browser.get(urlsplit(done.headers["Location"]).path)
    assert (back.status_code, urlsplit(back.headers["Location"]).path) == (303, "/apply/")
    assert "Stripe knows you" in browser.get("/apply/payout/").text
    assert browser.get("/payouts/").status_code == 403
