"""The OpenID issuer's metadata and signing keys: fetched by discovery, cached, never hammered."""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import requests
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from soulseer.domain.errors import IssuerUnavailable

Document = TypeVar("Document")
log = structlog.get_logger(__name__)

FRESH_SECONDS = 600.0
# An unknown key id asks the issuer again at once, unless that was in vain this short a time ago.
FRUITLESS_PAUSE_SECONDS = 30.0
# After the issuer failed to answer, the next attempt waits, and what is known is used.
AWAY_PAUSE_SECONDS = 10.0
TIMEOUT_SECONDS = (3, 5)
LARGEST_ANSWER_BYTES = 1_000_000


class _Cached(Generic[Document]):
    """One document of the issuer's, with the rules of when to fetch it again. Times are monotonic seconds."""

    def __init__(self, fetch: Callable[[], Document]) -> None:
        self._fetch = fetch
        self._guard = threading.Lock()
        self.value: Document | None = None
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")

    def get(self, *, newer_than: float = float("-inf")) -> Document:
        """The document, at most FRESH_SECONDS old, or stale while the issuer is away. Raises IssuerUnavailable."""
        with self._guard:
            now = time.monotonic()
            due = now - self._fetched_at > FRESH_SECONDS or self._fetched_at < newer_than
            if due and now - self._failed_at > AWAY_PAUSE_SECONDS:
                try:
                    self.value = self._fetch()
                    self._fetched_at = time.monotonic()
                    self._failed_at = float("-inf")
                except IssuerUnavailable as error:
                    self._failed_at = time.monotonic()
                    log.warning("issuer_unavailable", detail=error.detail, stale=self.value is not None)
            if self.value is None:
                raise IssuerUnavailable("The sign-in service does not answer. Please try again in a minute.")
            return self.value


class Issuer:
    """The issuer at address ``url``, as it stands in ``iss``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._metadata = _Cached(self._fetch_metadata)
        self._keys = _Cached(self._fetch_keys)
        self._guard = threading.Lock()
        self._fruitless_at = float("-inf")

    def metadata(self) -> dict[str, Any]:
        """The discovery document. Raises IssuerUnavailable."""
        return self._metadata.get()

    def is_named(self, name: object) -> bool:
        """Whether a token's ``iss`` names this issuer; a trailing slash makes no other one."""
        return isinstance(name, str) and name.rstrip("/") == self.url.rstrip("/")

    def key(self, key_id: str) -> RSAKey | None:
        """The key with this id, or None. A new one is found at first sight. Raises IssuerUnavailable."""
        found = self._keys.get().get(key_id)
        if found is not None:
            return found
        with self._guard:
            # Another thread may have fetched it while this one waited.
            found = self._keys.get().get(key_id)
            if found is not None:
                return found
            now = time.monotonic()
            if now - self._fruitless_at < FRUITLESS_PAUSE_SECONDS:
                return None
            found = self._keys.get(newer_than=now).get(key_id)
            if found is None:
                self._fruitless_at = time.monotonic()
            return found

    def only_key(self) -> RSAKey | None:
        """The issuer's key where it publishes a single one, for tokens that name none."""
        keys = self._keys.get()
        return next(iter(keys.values())) if len(keys) == 1 else None

    def count_keys(self) -> int:
        """How many usable keys the issuer publishes. Raises IssuerUnavailable."""
        return len(self._keys.get())

    def _fetch_metadata(self) -> dict[str, Any]:
        document = _get_json(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if not self.is_named(document.get("issuer")) or not all(
            isinstance(document.get(n), str) for n in needed
        ):
            raise IssuerUnavailable("The sign-in service's metadata is not that of the configured issuer.")
        return document

    def _fetch_keys(self) -> dict[str, RSAKey]:
        keys: dict[str, RSAKey] = {}
        for entry in _get_json(self.metadata()["jwks_uri"]).get("keys") or []:
            if not isinstance(entry, dict) or entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig":
                continue
            try:
                keys[str(entry.get("kid", ""))] = RSAKey.import_key(entry)
            except (JoseError, ValueError, TypeError, KeyError) as error:
                log.warning("issuer_key_unusable", kid=entry.get("kid"), error=type(error).__name__)
        if not keys:
            raise IssuerUnavailable("The sign-in service publishes no usable key.")
        return keys


def _get_json(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(url, timeout=TIMEOUT_SECONDS, headers={"Accept": "application/json"})
        answer.raise_for_status()
        document = answer.json() if len(answer.content) <= LARGEST_ANSWER_BYTES else None
    except (requests.RequestException, ValueError) as error:
        raise IssuerUnavailable(f"The sign-in service does not answer ({type(error).__name__}).") from error
    if not isinstance(document, dict):
        raise IssuerUnavailable("The sign-in service answers with something else than expected.")
    return document
