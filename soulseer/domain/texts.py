"""Words that people type: trimmed, without control characters, of a bounded length."""

import re
import unicodedata

from soulseer.domain.errors import InvalidInput

_LINE_ENDS = re.compile(r"\r\n?")
_BLANK_LINES = re.compile(r"\n{3,}")


def clean_line(field: str, text: str, maximum: int, *, minimum: int = 0) -> str:
    """One line in normal form (NFC), white space folded. Raises InvalidInput on control characters and lengths."""
    return _checked(field, " ".join(text.split()), maximum, minimum)


def clean_text(field: str, text: str, maximum: int, *, minimum: int = 0) -> str:
    """Several lines in normal form (NFC), at most one blank line in a row. Raises InvalidInput as ``clean_line``."""
    lines = _LINE_ENDS.sub("\n", text).replace("\t", " ").split("\n")
    joined = "\n".join(line.rstrip() for line in lines)
    return _checked(field, _BLANK_LINES.sub("\n\n", joined).strip(), maximum, minimum)


def _checked(field: str, text: str, maximum: int, minimum: int) -> str:
    text = unicodedata.normalize("NFC", text)
    # Cc: control characters (NUL among them, which PostgreSQL refuses); Cs: lone surrogates, which UTF-8 refuses.
    if any(character != "\n" and unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidInput(field, "This holds characters that cannot be shown.")
    if len(text) > maximum:
        raise InvalidInput(field, f"At most {maximum} characters; these are {len(text)}.")
    if len(text) < minimum:
        raise InvalidInput(field, "Please fill this in." if not text else f"At least {minimum} characters.")
    return text
