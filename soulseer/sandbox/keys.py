"""The signing keys of the sandbox's OpenID provider, kept in one file so that tokens outlive a restart."""

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joserfc.jwk import KeySet, RSAKey

KEY_BITS = 2048


class SigningKeys:
    """RSA keys in `<directory>/oidc-keys.json` (mode 0600), newest first.

    The newest signs; all are published, so that a token signed before a rotation still verifies. Several processes
    (the provider, `flask demo token`, tests) may share the directory: the file is written whole under a lock, and read
    again whenever it has changed.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._path = self._directory / "oidc-keys.json"
        self._guard = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: list[RSAKey] = []

    def signing_key(self) -> RSAKey:
        """The private key that signs now; makes and keeps one where there is none."""
        return self._current()[0]

    def published(self) -> KeySet:
        """All keys, for verifying."""
        return KeySet(list(self._current()))

    def public_document(self) -> dict[str, list[dict[str, object]]]:
        """The JWKS: the public halves only."""
        return {"keys": [{**key.as_dict(private=False), "use": "sig"} for key in self._current()]}

    def rotate(self) -> RSAKey:
        """Put a new signing key before the others and return it."""
        with self._guard, self._file_lock():
            self._write([_new_key(), *self._read()])
            return self._keys[0]

    def _current(self) -> list[RSAKey]:
        with self._guard:
            if self._stamp is None or self._stamp != self._file_stamp():
                with self._file_lock():
                    self._keys = self._read()
                    if not self._keys:
                        self._write([_new_key()])
                    self._stamp = self._file_stamp()
            return self._keys

    def _read(self) -> list[RSAKey]:
        if not self._path.exists():
            return []
        return [RSAKey.import_key(key) for key in json.loads(self._path.read_text())["keys"]]

    def _write(self, keys: list[RSAKey]) -> None:
        document = json.dumps({"keys": [key.as_dict(private=True) for key in keys]})
        temporary = self._path.with_suffix(f".{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(document)
        temporary.replace(self._path)
        self._keys = keys
        self._stamp = self._file_stamp()

    def _file_stamp(self) -> tuple[int, int] | None:
        # A replaced file has another inode, so two writes within one tick of the clock are told apart.
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._directory / "oidc-keys.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _new_key() -> RSAKey:
    return RSAKey.generate_key(KEY_BITS, {"kid": secrets.token_hex(8), "alg": "RS256"}, private=True)
