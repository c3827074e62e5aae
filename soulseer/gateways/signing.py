"""Signatures on receipts: Ed25519 (RFC 8032) by keys that have names, so that they can be replaced.

The first key signs; all of them verify, so that what an older one signed stays genuine.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# Where no key is set, one is made of the application's own secret: for trying, never in production.
DERIVED = "development"
_LABEL = b"soulseer receipt signing key"


class UnknownKey(LookupError):
    """A key of this name is not held here."""


@dataclass(frozen=True)
class Seal:
    """``signature`` is base64url without padding; ``key_id`` names the key."""

    key_id: str
    signature: str


class SigningGateway:
    """``keys``: ``name:seed`` each, the seed 32 bytes in base64url without padding (checked by the settings)."""

    def __init__(self, keys: Sequence[str], secret_key: str) -> None:
        pairs = [key.partition(":") for key in keys]
        seeds = {name: _decoded(seed) for name, _, seed in pairs}
        if not seeds:
            seeds = {DERIVED: hmac.digest(secret_key.encode(), _LABEL, "sha256")}
        self._keys = {name: Ed25519PrivateKey.from_private_bytes(seed) for name, seed in seeds.items()}
        self._signing = next(iter(self._keys))

    def sign(self, text: str) -> Seal:
        """A signature over the UTF-8 bytes of ``text``."""
        return Seal(self._signing, _encoded(self._keys[self._signing].sign(text.encode())))

    def holds(self, text: str, seal: Seal) -> bool:
        """Whether ``seal`` was made over ``text`` by the key that it names. Raises UnknownKey."""
        key = self._keys.get(seal.key_id)
        if key is None:
            raise UnknownKey(seal.key_id)
        try:
            key.public_key().verify(_decoded(seal.signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    def public_keys(self) -> dict[str, str]:
        """By name, the 32 bytes of each public key in base64url: with them anybody can check a signature."""
        return {
            name: _encoded(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
            for name, key in self._keys.items()
        }


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
