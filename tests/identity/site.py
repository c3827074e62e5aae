"""The product and its issuer, both over real HTTP, each on a port of its own."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from joserfc import jwt
from werkzeug.serving import make_server

from config.settings import load_settings
from soulseer import gateways
from soulseer.app import create_app
from soulseer.domain import policies
from soulseer.sandbox.keys import SigningKeys
from soulseer.sandbox.oidc.app import create_app as create_provider
from soulseer.sandbox.oidc.settings import ProviderSettings
from soulseer.sandbox.serving import StandInServer

AUDIENCE = "https://api.soulseer.test"


class StoppableIssuer:
    """The sandbox's provider; counts the requests to each address, and can be away (answers nothing but 503)."""

    def __init__(self, app_base_url: str, directory: Path) -> None:
        self.requests: Counter[str] = Counter()
        self.away = False
        self.changes: dict[str, Any] = {}
        self._server = StandInServer(self._answer, 0)
        self.settings = ProviderSettings(
            self._server.url, "soulseer-test", "soulseer-test-secret", AUDIENCE, app_base_url, directory
        )
        self._app = create_provider(self.settings)
        self._keys = SigningKeys(directory)
        self._server.start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.requests[environ["PATH_INFO"]] += 1
        if self.away:
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        return self._app(environ, start_response)

    def token(self, person: str = "client@demo.test", **changes: Any) -> str:
        """An access token that holds, but for ``changes`` to its claims (None leaves one out)."""
        now = int(time.time())
        claims = {
            "iss": self.settings.issuer,
            "sub": f"demo|{person}",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "email": person,
            **changes,
        }
        key = self._keys.signing_key()
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, kept, key, ["RS256"])

    def rotate(self) -> None:
        requests.post(f"{self.settings.issuer}/sandbox/rotate-key", timeout=5).raise_for_status()

    def stop(self) -> None:
        self._server.stop()


@dataclass
class Site:
    """The running product."""

    url: str
    app: Flask
    issuer: StoppableIssuer
    opened: list[requests.Session] = field(default_factory=list)

    def browser(self) -> requests.Session:
        browser = requests.Session()
        self.opened.append(browser)
        return browser

    def get(self, path: str, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        return requests.get(self.url + path, headers=headers, timeout=10, allow_redirects=False, **options)

    def sign_in(
        self,
        email: str = "client@demo.test",
        *,
        browser: requests.Session | None = None,
        follow: str = "/api/me/",
    ) -> requests.Session:
        """A browser that has walked through the whole code flow."""
        browser = browser or self.browser()
        answer = self.come_back(browser, self.choose(browser, email, follow))
        assert answer.status_code == 302, answer.text
        assert urlsplit(answer.headers["Location"]).path == follow
        return browser

    def choose(self, browser: requests.Session, email: str, follow: str = "/api/me/") -> str:
        """Begin a sign-in and choose a person at the issuer; the address that it sends the browser back to."""
        begun = browser.get(f"{self.url}/login", params={"next": follow}, allow_redirects=False, timeout=10)
        assert begun.status_code == 302, begun.text
        chosen = requests.post(
            begun.headers["Location"], data={"email": email}, allow_redirects=False, timeout=10
        )
        assert chosen.status_code == 302, chosen.text
        return chosen.headers["Location"]

    def come_back(self, browser: requests.Session, location: str) -> requests.Response:
        return browser.get(location, allow_redirects=False, timeout=10)


@contextmanager
def running_site(
    directory: Path, *, extend: Callable[[Flask], None] | None = None, **overrides: Any
) -> Iterator[Site]:
    """Serve the product and an issuer; what the test run had configured is put back afterwards."""
    before = gateways._current, policies._current
    server = make_server("127.0.0.1", 0, lambda e, s: app(e, s), threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    issuer = StoppableIssuer(url, directory)
    options = {"rate_limits": False, "app_base_url": url, "oidc_issuer": issuer.settings.issuer, **overrides}
    app = create_app(load_settings(**options))
    if extend is not None:
        extend(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    site = Site(url, app, issuer)
    try:
        yield site
    finally:
        for browser in site.opened:
            browser.close()
        server.shutdown()
        server.server_close()
        thread.join()
        issuer.stop()
        gateways._current, policies._current = before


@contextmanager
def fresh_issuer_memory(site: Site) -> Iterator[None]:
    """As if the product's process had just started: no metadata, no keys."""
    old = gateways.current()
    identity = type(old.identity)(
        site.issuer.settings.issuer, "soulseer-test", "soulseer-test-secret", AUDIENCE
    )
    gateways.configure(replace(old, identity=identity))
    site.issuer.requests.clear()
    try:
        yield
    finally:
        site.issuer.away = False
        gateways.configure(old)
