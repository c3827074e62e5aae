"""Readers as clients find them: browsing with filters, and one reader's profile."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal_column, select, tuple_

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.domain.money import from_cents
from soulseer.domain.readings import Modality
from soulseer.models.readers import ReaderProfile, ReaderRate
from soulseer.models.readings import LiveParticipant

PAGE = 20
SEARCH_LONGEST = 100
SEARCH_WORDS = 6
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CURSOR = re.compile(r"([01])-([0-9]{1,5})-([0-9]{1,18})")
# Word for word the expression of the index ix_reader_profile_search.
_SEARCHED: ColumnElement[str] = literal_column(
    "(reader_profile.display_name || ' ' || reader_profile.headline || ' ' || reader_profile.specialties)"
)


@dataclass(frozen=True)
class Rate:
    """Dollars a minute for a modality that the reader offers."""

    modality: Modality
    rate: Decimal


@dataclass(frozen=True)
class Filters:
    """What a client looks for. Prices in dollars a minute, inclusive, of ``modality`` or of any; rating in stars."""

    modality: Modality | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    rating: Decimal | None = None
    search: str = ""
    online: bool = False


@dataclass(frozen=True)
class Card:
    """A reader as shown in lists. ``busy``: in a live reading, in whichever role; ``rates`` those offered."""

    reader_id: int
    slug: str
    display_name: str
    headline: str
    specialties: str
    online: bool
    busy: bool
    rating_average: Decimal | None
    rating_count: int
    rates: tuple[Rate, ...]

    @property
    def state(self) -> str:
        """online, busy or offline."""
        return "busy" if self.busy else "online" if self.online else "offline"


@dataclass(frozen=True)
class Page:
    """One page of readers; ``next`` is the cursor of the following one, None at the end."""

    readers: tuple[Card, ...]
    next: str | None


@dataclass(frozen=True)
class Profile(Card):
    """A reader's page. ``status`` as in READER_STATUSES; not listed, it is for the reader's own eyes."""

    biography: str
    status: str
    listed: bool


_COLUMNS = (
    ReaderProfile.person_id,
    ReaderProfile.slug,
    ReaderProfile.display_name,
    ReaderProfile.headline,
    ReaderProfile.specialties,
    ReaderProfile.online,
    ReaderProfile.rating_sum,
    ReaderProfile.rating_count,
    ReaderProfile.rating_thousandths,
)


def browse(filters: Filters, cursor: str | None = None, limit: int = PAGE) -> Page:
    """Listed readers that fit, in one statement: online first, then the better rated, then the earlier.

    ``cursor`` is an earlier page's ``next``; one that cannot be read gives the first page.
    """
    order = (ReaderProfile.online, ReaderProfile.rating_thousandths, -ReaderProfile.person_id)
    page = select(*_COLUMNS).where(ReaderProfile.listed, *_conditions(filters))
    place = _CURSOR.fullmatch(cursor or "")
    if place:
        page = page.where(tuple_(*order) < tuple_(place[1] == "1", int(place[2]), -int(place[3])))
    page = page.order_by(*(column.desc() for column in order)).limit(limit + 1)
    rows = db.session.execute(_with_rates(page)).all()
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        last = shown[-1]
        following = f"{int(last.online)}-{last.rating_thousandths}-{last.person_id}"
    return Page(tuple(Card(**_card(row)) for row in shown), following)


def profile(slug: str, viewer_id: int | None = None) -> Profile:
    """The reader's page, in one statement. Raises NotFound; an unlisted one is found by the reader alone."""
    if not SLUG.fullmatch(slug):
        raise NotFound("There is no reader of this name.")
    columns = (*_COLUMNS, ReaderProfile.biography, ReaderProfile.status, ReaderProfile.listed)
    row = db.session.execute(_with_rates(select(*columns).where(ReaderProfile.slug == slug))).one_or_none()
    if row is None or not (row.listed or row.person_id == viewer_id):
        raise NotFound("There is no reader of this name.")
    return Profile(**_card(row), biography=row.biography, status=row.status, listed=row.listed)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.online:
        found.append(ReaderProfile.online.is_(True))
    if filters.rating is not None:
        found.append(ReaderProfile.rating_thousandths >= int(filters.rating * 1000))
    if filters.modality or filters.price_min is not None or filters.price_max is not None:
        offer = select(ReaderRate.reader_id).where(
            ReaderRate.reader_id == ReaderProfile.person_id, ReaderRate.offered
        )
        if filters.modality:
            offer = offer.where(ReaderRate.modality == filters.modality.value)
        if filters.price_min is not None:
            offer = offer.where(ReaderRate.rate >= filters.price_min)
        if filters.price_max is not None:
            offer = offer.where(ReaderRate.rate <= filters.price_max)
        found.append(offer.exists())
    found += [_SEARCHED.ilike(f"%{_escaped(word)}%", escape="\\") for word in _words(filters.search)]
    return found


def _words(search: str) -> list[str]:
    """Each must occur somewhere. Control characters (PostgreSQL refuses NUL) part words."""
    normal = unicodedata.normalize("NFC", search[:SEARCH_LONGEST])
    printable = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in normal)
    return printable.split()[:SEARCH_WORDS]


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _with_rates(readers: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Add what each row of the page needs from elsewhere, after the page is cut: rates in cents, and busy."""
    page = readers.subquery("page")
    rates = (
        select(func.jsonb_object_agg(ReaderRate.modality, literal_column("reader_rate.rate")))
        .where(ReaderRate.reader_id == page.c.person_id, ReaderRate.offered)
        .scalar_subquery()
    )
    busy = select(LiveParticipant.person_id).where(LiveParticipant.person_id == page.c.person_id).exists()
    return select(page, rates.label("rates"), busy.label("busy")).order_by(
        page.c.online.desc(), page.c.rating_thousandths.desc(), page.c.person_id
    )


def _card(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    cents = row.rates or {}
    average = (
        (Decimal(row.rating_sum) / row.rating_count).quantize(Decimal("0.1")) if row.rating_count else None
    )
    return {
        "reader_id": row.person_id,
        "slug": row.slug,
        "display_name": row.display_name,
        "headline": row.headline,
        "specialties": row.specialties,
        "online": row.online,
        "busy": row.busy,
        "rating_average": average,
        "rating_count": row.rating_count,
        "rates": tuple(Rate(m, from_cents(cents[m.value])) for m in Modality if m.value in cents),
    }
