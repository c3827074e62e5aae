"""What a message says: templates/email/<template>.txt, and .html where there is one, filled with the row's values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, pass_context
from jinja2.runtime import Context

from soulseer.domain import months, policies

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ADDRESS = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")


@dataclass(frozen=True)
class Written:
    """A message as it is read."""

    subject: str
    text: str
    html: str


def write(template: str, values: Mapping[str, Any], *, handle: str, time_zone: str) -> Written:
    """Fill a template for a person. ``values`` are its variables; ``handle``, ``site`` (the site's address) and the
    filters ``money`` (dollars as a string) and ``instant`` (ISO 8601 UTC, shown in ``time_zone``) are there as well.

    Raises jinja2.TemplateError where the template or a value is missing, ValueError where its first line is no subject.
    """
    everything = {**values, "handle": handle, "site": policies.current().app_base_url, "zone": time_zone}
    plain, marked = _environments()
    first, _, body = plain.get_template(f"email/{template}.txt").render(everything).strip().partition("\n")
    name, _, subject = first.partition(":")
    if name != "Subject" or not subject.strip():
        raise ValueError(f"{template}.txt does not begin with its subject")
    body = body.strip()
    everything |= {"subject": subject.strip(), "body": body, "paragraphs": _paragraphs(body)}
    text = plain.get_template("email/base.txt").render(everything)
    try:
        own = marked.get_template(f"email/{template}.html")
    except TemplateNotFound:
        own = marked.get_template("email/base.html")
    return Written(subject.strip(), text.strip() + "\n", own.render(everything))


@cache
def _environments() -> tuple[Environment, Environment]:
    """For text, and for HTML, where what is filled in is escaped."""
    made = []
    for escape in (False, True):
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=escape,  # noqa: S701 (plain text has nothing to escape)
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["money"] = money
        environment.filters["instant"] = instant
        made.append(environment)
    return made[0], made[1]


def _paragraphs(body: str) -> list[list[list[tuple[str, bool]]]]:
    """The text as paragraphs of lines of pieces: (words, whether they are an address to follow)."""
    return [[_pieces(line) for line in block.splitlines()] for block in re.split(r"\n\s*\n", body) if block]


def _pieces(line: str) -> list[tuple[str, bool]]:
    pieces, end = [], 0
    for found in _ADDRESS.finditer(line):
        pieces += [(line[end : found.start()], False), (found[0], True)]
        end = found.end()
    return [piece for piece in [*pieces, (line[end:], False)] if piece[0]]


def money(amount: str | Decimal) -> str:
    """``$1,234.50``; a fall is ``−$1.99``."""
    value = Decimal(amount)
    return f"{'−' if value < 0 else ''}${abs(value):,.2f}"


@pass_context
def instant(context: Context, value: str | datetime) -> str:
    """``20 Nov 2026, 13:15 CET``: in the reader's own zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    local = moment.astimezone(months.zone(str(context.get("zone", "UTC"))))
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M} {local.tzname()}"
