"""A signed-in browser over real HTTP: cookie, CSRF token, forms."""

import re
from dataclasses import dataclass, field
from typing import Any

import requests
from flask import Flask

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.services import logins
from tests.money_in.conftest import Sandbox


@dataclass
class Browser:
    """``cookie`` is what signing in leaves in the browser."""

    address: str
    cookie: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.cookies.set("soulseer", self.cookie, domain="127.0.0.1", path="/")

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.address + path, allow_redirects=False, timeout=30, **options)

    def fields(self, path: str = "/wallet/") -> dict[str, str]:
        """The hidden fields of the first top-up form of a page."""
        page = self.get(path).text
        form = page[page.index('action="/wallet/top-up/"') :]
        return {
            name: re.search(rf'name="{name}" value="([^"]*)"', form)[1]  # type: ignore[index]
            for name in ("csrf_token", "request_key", "return_path")
        }

    def post(self, path: str, fields: dict[str, str], **headers: str) -> requests.Response:
        return self.session.post(
            self.address + path, data=fields, headers=headers, allow_redirects=False, timeout=30
        )

    def top_up(self, amount: str, **changes: str) -> requests.Response:
        """Fill in the form of the wallet and send it."""
        return self.post("/wallet/top-up/", {**self.fields(), "amount": amount, **changes})

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Call the API as our own pages do."""
        headers["X-CSRFToken"] = self.fields()["csrf_token"]
        return self.session.request(method, self.address + path, json=body, headers=headers, timeout=30)


def signed_in(app: Flask, sandbox: Sandbox, person_id: int) -> Browser:
    """A browser in which the person is signed in."""
    with transaction():
        login_id = logins.start(person_id, clock.now(), id_token=None, address=None, user_agent=None)
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return Browser(sandbox.product, serializer.dumps({"_user_id": str(login_id), "_fresh": True}))
