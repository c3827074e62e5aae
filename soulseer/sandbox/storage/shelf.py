"""Objects on disk: two files each, named by the hash of their key, so that no key can lead out of the folder."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tag:
    """What is kept beside the bytes. ``etag`` is their MD5 in hexadecimal digits, as S3 has it."""

    key: str
    content_type: str
    size: int
    etag: str


class Shelf:
    """The objects of one bucket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, key: str, content: bytes, content_type: str) -> Tag:
        """Store an object in place of what was there."""
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        tag = Tag(key, content_type, len(content), etag)
        for suffix, data in (("bin", content), ("json", json.dumps(asdict(tag)).encode())):
            file = self._file(key, suffix)
            new = file.with_name(f".{file.name}.new")
            new.write_bytes(data)
            new.replace(file)
        return tag

    def tag(self, key: str) -> Tag | None:
        """What is known of an object; None where there is none."""
        try:
            return Tag(**json.loads(self._file(key, "json").read_text()))
        except FileNotFoundError:
            return None

    def content(self, key: str) -> bytes:
        """An object's bytes. Raises FileNotFoundError."""
        return self._file(key, "bin").read_bytes()

    def delete(self, key: str) -> None:
        """Have no such object."""
        for suffix in ("json", "bin"):
            self._file(key, suffix).unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """Of all objects, in order."""
        return sorted(json.loads(file.read_text())["key"] for file in self.directory.glob("[0-9a-f]*.json"))

    def _file(self, key: str, suffix: str) -> Path:
        return self.directory / f"{hashlib.sha256(key.encode()).hexdigest()}.{suffix}"
