"""What applicants type, step by step, as it is kept; and what is missing before an application can be handed in."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from babel import Locale
from sqlalchemy import select

from soulseer.db import db
from soulseer.domain.errors import InvalidInput
from soulseer.domain.onboarding import (
    AGREEMENT_VERSION,
    LANGUAGES,
    OLDEST,
    STEPS,
    TAX_FORMS,
    YOUNGEST,
    age_on,
    tax_form_expires,
)
from soulseer.domain.texts import clean_line, clean_text
from soulseer.models.onboarding import ReaderApplication
from soulseer.models.readers import ReaderProfile
from soulseer.services.reader_settings import LONGEST
from soulseer.services.readers import SLUG

LONGEST_NAME, LONGEST_SLUG = 120, 40
SHORTEST_ABOUT = 40
SHORTEST_SAMPLE, LONGEST_SAMPLE = 200, 6000
SAMPLE_QUESTION = (
    "“I was offered a position in another town. My partner would stay here for the first year. "
    "Should I go, and what do I not see yet?”"
)
# Addresses that would look like the house's own.
RESERVED = frozenset({"browse", "admin", "support", "soulseer", "staff", "help", "api", "new", "all"})
# Filled in by an upload, not by typing.
FILES = {"identity_file_id": "application_identity", "photo_file_id": "application_photo"}
# What may stay empty.
_OPTIONAL = frozenset({"photo_file_id", "payout"})

Typed = Mapping[str, Sequence[str]]


@lru_cache
def countries() -> dict[str, str]:
    """ISO 3166 codes and English names, by name."""
    named = {
        code: name for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha()
    }
    none = ("EU", "EZ", "UN", "XA", "XB", "ZZ", "QO")
    return dict(sorted(((c, n) for c, n in named.items() if c not in none), key=lambda pair: pair[1]))


def parse(
    step: str, typed: Typed, application: ReaderApplication, now: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """(values by column, faults by field) of what was typed on ``step``. Files and Stripe's account come otherwise."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    today = now.date()

    def take(name: str, read: Callable[[str], Any]) -> None:
        try:
            values[name] = read((typed.get(name) or [""])[0])
        except InvalidInput as fault:
            faults[name] = fault.detail

    if step == "identity":
        take("legal_name", lambda text: clean_line("legal_name", text, LONGEST_NAME, minimum=2))
        take("country", _country)
        take("birth_date", lambda text: _born(text, today))
        take("identity_expires_on", lambda text: _later(text, today))
    elif step == "profile":
        take(
            "display_name", lambda text: clean_line("display_name", text, LONGEST["display_name"], minimum=2)
        )
        take("slug", lambda text: _slug(text, application.person_id))
        take("specialties", lambda text: clean_line("specialties", text, LONGEST["specialties"], minimum=3))
        take("about", lambda text: clean_text("about", text, LONGEST["biography"], minimum=SHORTEST_ABOUT))
        chosen = [code for code in LANGUAGES if code in typed.get("languages", ())]
        values["languages"] = chosen
        if not chosen:
            faults["languages"] = "Choose at least one language that you read in."
    elif step == "sample":
        take("sample", lambda text: clean_text("sample", text, LONGEST_SAMPLE, minimum=SHORTEST_SAMPLE))
    elif step == "agreement":
        take("agreement_version", _agreed)
    elif step == "tax":
        take("tax_form", lambda text: _tax_form(text, application.country))
        take("tax_signed_on", lambda text: _signed(text, today, values.get("tax_form")))
    return values, faults


def missing(application: ReaderApplication) -> dict[str, list[str]]:
    """Labels of the fields that must still be filled in, by step; empty: it can be handed in."""
    found = {}
    for step in STEPS:
        labels = [
            label for name, label in step.fields if name not in _OPTIONAL and not getattr(application, name)
        ]
        if labels:
            found[step.name] = labels
    if application.agreement_version not in (None, AGREEMENT_VERSION):
        found["agreement"] = ["The agreement as it is now"]
    return found


def slug_taken(slug: str, person_id: int) -> bool:
    """Whether somebody else has this address, or has handed in an application for it."""
    page = select(ReaderProfile.person_id).where(
        ReaderProfile.slug == slug, ReaderProfile.person_id != person_id
    )
    asked = select(ReaderApplication.person_id).where(
        ReaderApplication.slug == slug,
        ReaderApplication.person_id != person_id,
        ReaderApplication.state.in_(("submitted", "in_review", "more_wanted")),
    )
    return db.session.scalar(page.union_all(asked).limit(1)) is not None


def _date(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(field, "Please give a day, as year-month-day.") from None


def _country(text: str) -> str:
    if text not in countries():
        raise InvalidInput("country", "Choose your country.")
    return text


def _born(text: str, today: date) -> date:
    born = _date("birth_date", text)
    if born > today or age_on(born, today) > OLDEST:
        raise InvalidInput("birth_date", "Please check the year.")
    if age_on(born, today) < YOUNGEST:
        raise InvalidInput("birth_date", f"Readers are at least {YOUNGEST} years old.")
    return born


def _later(text: str, today: date) -> date:
    day = _date("identity_expires_on", text)
    if day <= today:
        raise InvalidInput("identity_expires_on", "The document must still be valid.")
    return day


def _slug(text: str, person_id: int) -> str:
    slug = text.strip().lower()
    if not SLUG.fullmatch(slug) or not 3 <= len(slug) <= LONGEST_SLUG or slug.endswith("-"):
        raise InvalidInput(
            "slug", f"3 to {LONGEST_SLUG} letters a–z, digits and hyphens, for example “luna-rose”."
        )
    if slug in RESERVED or slug_taken(slug, person_id):
        raise InvalidInput("slug", "This address is taken; please choose another.")
    return slug


def _agreed(text: str) -> str:
    if text != AGREEMENT_VERSION:
        raise InvalidInput("agreement_version", "Please read the agreement and accept it.")
    return text


def _tax_form(text: str, country: str | None) -> str:
    if text not in TAX_FORMS:
        raise InvalidInput("tax_form", "Choose the form that applies to you.")
    if text == "w8ben" and country == "US":
        raise InvalidInput("tax_form", "You live in the United States: the form for you is the W-9.")
    return text


def _signed(text: str, today: date, form: str | None) -> date:
    day = _date("tax_signed_on", text)
    if day > today:
        raise InvalidInput("tax_signed_on", "The day of the signature lies in the future.")
    ends = tax_form_expires(form, day) if form and day.year > 1900 else None
    if day.year <= 1900 or (ends is not None and ends <= today):
        raise InvalidInput("tax_signed_on", "This signature has run out; please sign the form again.")
    return day
