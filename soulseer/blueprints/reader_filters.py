"""The filters of GET /readers/browse/, as typed into an address or a form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from soulseer.domain.money import parse_amount
from soulseer.domain.readings import Modality
from soulseer.services.readers import SEARCH_LONGEST, Filters

FIELDS = ("search", "modality", "price_min", "price_max", "rating", "online")
_RATING = re.compile(r"[1-5](\.[0-9])?")
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass
class Typed:
    """``filters`` that could be read, ``values`` as typed (for the form and for links), ``errors`` by field."""

    filters: Filters
    values: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)


def read_filters(arguments: Mapping[str, str]) -> Typed:
    """What fits is a filter; what does not is an error beside its field and filters nothing.

    ``price`` is another name for ``price_max``.
    """
    values = {name: arguments.get(name, "").strip() for name in FIELDS}
    values["price_max"] = values["price_max"] or arguments.get("price", "").strip()
    values["search"] = values["search"][:SEARCH_LONGEST]
    errors: dict[str, str] = {}
    low, high = (_price(name, values[name], errors) for name in ("price_min", "price_max"))
    if low is not None and high is not None and low > high:
        errors["price_max"] = "The highest price is below the lowest."
        low = high = None
    filters = Filters(
        modality=_modality(values["modality"], errors),
        price_min=low,
        price_max=high,
        rating=_rating(values["rating"], errors),
        search=values["search"],
        online=_online(values["online"], errors),
    )
    return Typed(filters, {name: value for name, value in values.items() if value}, errors)


def _modality(text: str, errors: dict[str, str]) -> Modality | None:
    if text in ("", "any"):
        return None
    if text not in list(Modality):
        errors["modality"] = "Choose text, voice or video."
        return None
    return Modality(text)


def _price(name: str, text: str, errors: dict[str, str]) -> Decimal | None:
    if text == "":
        return None
    try:
        return parse_amount(text)
    except ValueError as fault:
        errors[name] = str(fault)
        return None


def _rating(text: str, errors: dict[str, str]) -> Decimal | None:
    if text in ("", "0"):
        return None
    if not _RATING.fullmatch(text) or Decimal(text) > 5:
        errors["rating"] = "A rating is 1 to 5 stars."
        return None
    return Decimal(text)


def _online(text: str, errors: dict[str, str]) -> bool:
    if text.lower() not in _YES + _NO:
        errors["online"] = "Say 1 for readers who are online, or nothing."
    return text.lower() in _YES
