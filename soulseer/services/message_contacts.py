"""Recognises contact details in a message: mail, phone and handles elsewhere, in the spellings that people use to get past
such a check. Pure. Readings are full of birth dates, hours, prices and numbers of angels: those are no phone numbers.
"""

import re
import unicodedata
from itertools import pairwise

import phonenumbers

from soulseer.domain.invisible import without_invisible
from soulseer.services.contact_words import (
    BEFORE_A_STORY,
    HANDLE_ASKED,
    HANDLE_GIVEN,
    HANDLE_INVITED,
    HANDLE_LINK,
    MAIL_HOSTS,
    NOT_A_NAME,
    NUMBER_WORDS,
    PHONE_WORDS,
    TLDS,
)

EMAIL, PHONE, HANDLE = "email", "phone", "handle"
KINDS = (EMAIL, PHONE, HANDLE)
# National numbers are tried as those of our clients' countries.
REGIONS = ("US", "GB", "AU", "IE", "NZ", "DE", "FR", "ES", "IT", "IN", "ZA")

_AT = r"(?:\s*@\s*|\s*[\[({<]\s*(?:at|@)\s*[\])}>]\s*|\s+at\s+)"
_DOT = r"(?:\s*[\[({<]\s*(?:dot|\.)\s*[\])}>]\s*|\s+dot\s+|\s+punkt\s+|\s*\.\s*)"
_MAIL = re.compile(r"(?<![\w.+-])[a-z0-9][\w.+-]{0,63}\s?@\s?[\w-]{1,63}(?:\s?\.\s?[a-z]{2,})+\b")
_SPELLED_MAIL = re.compile(
    rf"(?<![\w.+-])(?P<name>[\w.+-]{{0,63}}\w)(?P<at>{_AT})(?P<host>[\w-]{{1,63}})(?P<dot>{_DOT})(?P<tld>{TLDS})\b(?!-)"
)

_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?|"
    r"(?:january|february|march|april|june|july|august|september|october|november|december)"
)
_DAY, _MONTH_NUMBER, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[89]|20)\d\d"
_HARMLESS = re.compile(
    "|".join(
        (
            # Dates: 12.04.1985, 4/12/85, 1985-04-12, 12 04 1985, 12th of April 1985, April 12, 1985, 19850412, 1985–1990.
            rf"\b{_DAY}\s?[./\-]\s?{_DAY}\s?[./\-]\s?(?:{_YEAR}|\d\d)\b",
            rf"\b{_YEAR}\s?[./\- ]\s?{_MONTH_NUMBER}\s?[./\- ]\s?{_DAY}(?!\d)",
            rf"\b(?:{_DAY}\s+{_MONTH_NUMBER}|{_MONTH_NUMBER}\s+{_DAY})\s+{_YEAR}\b",
            rf"\b{_DAY}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH}),?\s*(?:(?:{_YEAR}|'?\d\d)\b)?",
            rf"\b(?:{_MONTH})\s+{_DAY}(?:st|nd|rd|th)?\b,?(?:\s*{_YEAR}\b)?",
            r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d\d\b",
            r"\b(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:19|20)\d\d\b",
            r"\b(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\b",
            rf"\b{_YEAR}\s*(?:-|–|to|until|and|,|/)\s*(?:{_YEAR}|\d\d)\b",
            # Hours, with or without seconds, spans of them.
            r"\b(?:[01]?\d|2[0-4])\s?[:.h]\s?[0-5]\d(?:\s?[:.]\s?[0-5]\d)?\s?(?:[ap]\.?m\.?|uhr)?\b",
            r"\b\d{1,2}\s?[ap]\.?m\b\.?",
            # Money, amounts, degrees and coordinates.
            r"[$€£¥]\s?\d[\d,.]{0,15}|\b\d[\d,.]{0,15}\s?(?:[$€£¥%°]|(?:usd|eur|gbp|dollars?|bucks|euros?|pounds?|cents?|k)\b)",
            r"\b\d[\d,.]{0,15}\s?(?:years?|yrs?|months?|weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|degrees?|cards?|times?"
            r"|people|cm|km|kg|miles?|feet|ft|lbs?)\b",
            r"(?<![\d.])-?\d{1,3}\.\d{3,}\b(?!\.\d)",
            r"\b\d{1,3}(?:,\d{3})+\b",
            r"\b\d{1,2}(?:\s*[+×x*=]\s*\d{1,3})+\b",
        )
    )
)
_DIGITS = re.compile(r"(?<![\w@#])\+?\(?\d(?:[\s().\-–_/*~|]{0,3}\d){6,40}(?!\w)")
_NUMBER_RUN = re.compile(
    rf"\b(?:(?:double|triple)\s+)?(?:{'|'.join(NUMBER_WORDS)}|\d)"
    rf"(?:[\s,.\-]+(?:(?:double|triple)\s+)?(?:{'|'.join(NUMBER_WORDS)}|\d)\b){{6,}}"
)
_LEFT_OF_NUMBER = 40


def find(text: str) -> tuple[str, ...]:
    """The kinds of contact details in ``text``: of KINDS, each once, in their order; empty for none."""
    plain = _plain(text)
    found = {
        EMAIL: _has_mail(plain),
        PHONE: _has_phone(plain),
        HANDLE: _has_handle(plain),
    }
    return tuple(kind for kind in KINDS if found[kind])


def _plain(text: str) -> str:
    """Small letters and plain digits, whatever they were dressed up as."""
    folded = without_invisible(unicodedata.normalize("NFKC", text)).casefold()
    digits = (str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in folded)
    return "".join(digits).replace("’", "'").replace("‘", "'")


def _has_mail(text: str) -> bool:
    if _MAIL.search(text):
        return True
    for found in _SPELLED_MAIL.finditer(text):
        dressed = found["at"].strip() != "at" or found["dot"].strip() != "."
        known = found["host"] in MAIL_HOSTS
        # “looked at etsy.com” is no address; “luna at gmail.com” and “luna (at) etsy dot com” are.
        if (dressed or known) and found["name"] not in NOT_A_NAME:
            return True
    return False


def _has_phone(text: str) -> bool:
    masked = _HARMLESS.sub(lambda found: " ; ", text)
    candidates = [(found.group(), found.start(), masked) for found in _DIGITS.finditer(masked)]
    candidates += [(_spoken(found.group()), found.start(), text) for found in _NUMBER_RUN.finditer(text)]
    return any(_is_phone(number, whole[:start]) for number, start, whole in candidates)


def _spoken(words: str) -> str:
    """“five double two” → “5 2 2”."""
    digits, times = [], 1
    for word in re.findall(r"[a-z]+|\d", words):
        if word in ("double", "triple"):
            times = 2 if word == "double" else 3
            continue
        digits += [NUMBER_WORDS.get(word, word)] * times
        times = 1
    return " ".join(digits)


def _is_phone(written: str, before: str) -> bool:
    digits = re.sub(r"\D", "", written)
    if not 7 <= len(digits) <= 15 or _is_a_series(written, digits):
        return False
    if written.startswith("+") and _is_valid("+" + digits, None):
        return True
    asked = PHONE_WORDS.search(before[-_LEFT_OF_NUMBER:])
    if asked:
        return True
    sizes = {len(group) for group in re.findall(r"\d+", written)}
    # Cards, days and lots (“4 8 15 16 23 42”) come in ones and twos; numbers to call one by one, or in even groups.
    if sizes == {1, 2} or (sizes == {1} and len(digits) < 10):
        return False
    return len(digits) >= 9 and any(_is_valid(digits, region) for region in REGIONS)


def _is_a_series(written: str, digits: str) -> bool:
    """Counting up or down, one sign over and over, or groups of it as people see on clocks: 111 222 333."""
    if len(set(digits)) <= 2:
        return True
    steps = {int(after) - int(before) for before, after in pairwise(digits)}
    if steps in ({1}, {-1}):
        return True
    groups = re.findall(r"\d+", written)
    return len(groups) > 1 and all(len(group) > 1 and len(set(group)) == 1 for group in groups)


def _is_valid(digits: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, region))
    except phonenumbers.NumberParseException:
        return False


def _has_handle(text: str) -> bool:
    if HANDLE_LINK.search(text) or HANDLE_GIVEN.search(text) or HANDLE_ASKED.search(text):
        return True
    return any(not BEFORE_A_STORY.search(text[: found.start()]) for found in HANDLE_INVITED.finditer(text))
