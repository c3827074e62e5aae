"""Who somebody is, as the OpenID issuer says, and the handle that others see."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,38}")
# Room for a suffix that makes a taken handle unique.
_LONGEST_STEM = 30


@dataclass(frozen=True)
class Identity:
    """A person is an issuer and a subject; all else may change. ``email`` is None where the issuer does not tell it."""

    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    # Whether the issuer asked for a second factor at this sign-in.
    second_factor: bool = False


def handle_stem(identity: Identity) -> str:
    """A handle made of the email's local part, else of the name; ``guest`` where neither gives one."""
    local_part = (identity.email or "").partition("@")[0].partition("+")[0]
    for source in (local_part, identity.name or ""):
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", source).strip("-_")[:_LONGEST_STEM]
        if HANDLE.fullmatch(stem):
            return stem
    return "guest"


def handles_for(identity: Identity) -> Iterator[str]:
    """Handles to try, the plainest first, without end."""
    stem = handle_stem(identity)
    if stem != "guest":
        yield stem
    for digits in range(4, 1000):
        for _ in range(3):
            yield f"{stem}-{secrets.randbelow(10 ** min(digits, 8)):0{min(digits, 8)}d}"
