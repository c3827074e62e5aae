"""Stamps: what a finished step was made from, so that it is done again only when that has changed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(files: Iterable[Path], *facts: str) -> str:
    """A hash over the names and contents of ``files`` (those that exist) and over ``facts``."""
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in sorted(set(files)):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def is_current(stamp: Path, mark: str) -> bool:
    """Whether the step that wrote ``stamp`` was done from the same."""
    return stamp.is_file() and stamp.read_text().strip() == mark


def write(stamp: Path, mark: str) -> None:
    """Note that the step is done."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(f"{mark}\n")


def pins(lock: Path) -> set[str]:
    """The ``name==version`` pins of a lock file, with their markers."""
    return {
        line.rstrip(" \\") for line in lock.read_text().splitlines() if line[:1].isalnum() and "==" in line
    }
