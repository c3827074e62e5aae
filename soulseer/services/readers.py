"""Readers as clients find them: browsing with filters, and one reader's profile."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, text

from soulseer.db import Read
from soulseer.domain.errors import NotFound
from soulseer.domain.money import from_cents, to_cents
from soulseer.domain.readings import Modality

PAGE = 20
SEARCH_LONGEST = 100
SEARCH_WORDS = 6
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MODALITIES = tuple((modality.value, modality) for modality in Modality)
_CURSOR = re.compile(r"([01])-([0-9]{1,5})-([0-9]{1,18})")


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
    """A reader as shown in lists. ``busy``: in a live reading, in whichever role; ``rates`` those offered; ``free_minutes``:
    so many first ones of a new client the platform pays; ``favourite``: whether the viewer keeps the reader, None where
    nobody is signed in, or they are the reader."""

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
    free_minutes: int
    favourite: bool | None

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
    """A reader's page. ``status`` as in READER_STATUSES; not listed, it is for the reader's own eyes. ``queued``:
    somebody waits for the reader. ``free_used``: the viewer has had the free minutes of a client already."""

    biography: str
    stars: tuple[int, ...]  # How many reviews gave one star, two, … five.
    status: str
    listed: bool
    queued: bool
    free_used: bool


_COLUMNS = """person_id, slug, display_name, headline, specialties, online, rating_sum, rating_count, rating_thousandths, free_minutes"""
# What each row shown needs from elsewhere, looked up by primary key after the page is cut.
_SHOWN = """
SELECT page.*,
       (SELECT jsonb_object_agg(r.modality, r.rate) FROM reader_rate r
        WHERE r.reader_id = page.person_id AND r.offered) AS rates,
       coalesce((SELECT true FROM live_participant l WHERE l.person_id = page.person_id), false) AS busy,
       CASE WHEN CAST(:viewer AS bigint) <> page.person_id THEN EXISTS (
           SELECT FROM favourite f WHERE f.person_id = CAST(:viewer AS bigint) AND f.reader_id = page.person_id) END AS favourite
FROM ({page}) AS page
ORDER BY online DESC, rating_thousandths DESC, person_id
"""
# The order is that of the index ix_reader_profile_browse_order, read backwards; so is the row comparison.
_PAGE = f"""
SELECT {_COLUMNS} FROM reader_profile WHERE {{conditions}}
ORDER BY online DESC, rating_thousandths DESC, - person_id DESC LIMIT :limit
"""  # noqa: S608 - all of it is written in this file; what people type are bound values
_AFTER = (
    "(online, rating_thousandths, - person_id) < (:last_online, :last_rating, - CAST(:last_id AS bigint))"
)
_QUEUED = """EXISTS (SELECT FROM queue_place q WHERE q.reader_id = reader_profile.person_id
                  AND q.state IN ('waiting', 'held'))"""
_USED = "EXISTS (SELECT FROM free_minutes_use u WHERE u.client_id = :viewer)"
_STARS = ("stars_1", "stars_2", "stars_3", "stars_4", "stars_5")
_PROFILE = f"SELECT {_COLUMNS}, {', '.join(_STARS)}, biography, status, listed, {_QUEUED} AS queued, {_USED} AS free_used FROM reader_profile WHERE slug = :slug"  # noqa: S608
_ONE = Read(text(_SHOWN.format(page=_PROFILE)))
_KEPT = Read(
    text(
        _SHOWN.replace(
            "ORDER BY online DESC, rating_thousandths DESC, person_id", "ORDER BY kept_id DESC"
        ).format(
            page=f"SELECT {_COLUMNS}, kept_id FROM reader_profile JOIN (SELECT id AS kept_id, reader_id FROM favourite "  # noqa: S608
            "WHERE person_id = :viewer AND id < :before) k ON person_id = reader_id "
            "WHERE listed ORDER BY kept_id DESC LIMIT :limit"
        )
    )
)
# Word for word the expression of the index ix_reader_profile_search.
SEARCHED = "(display_name || ' ' || headline || ' ' || specialties)"


def browse(
    filters: Filters, cursor: str | None = None, limit: int = PAGE, *, viewer_id: int | None = None
) -> Page:
    """Listed readers that fit, in one statement: online first, then the better rated, then the earlier.

    ``cursor`` is an earlier page's ``next``; one that cannot be read gives the first page.
    """
    conditions, values = _conditions(filters)
    place = _CURSOR.fullmatch(cursor or "")
    if place:
        conditions.append(_AFTER)
        values |= {"last_online": place[1] == "1", "last_rating": int(place[2]), "last_id": int(place[3])}
    rows = _page(" AND ".join(conditions)).rows({**values, "limit": limit + 1, "viewer": viewer_id})
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        last = shown[-1]
        following = f"{int(last.online)}-{last.rating_thousandths}-{last.person_id}"
    return Page(tuple(Card(**_card(row)) for row in shown), following)


@lru_cache(maxsize=256)
def _page(conditions: str) -> Read:
    """The statement for conditions of ``_conditions``: fixed words, so there are few, and each is read once."""
    return Read(text(_SHOWN.format(page=_PAGE.format(conditions=conditions))))


def profile(slug: str, viewer_id: int | None = None) -> Profile:
    """The reader's page, in one statement. Raises NotFound; an unlisted one is found by the reader alone."""
    if not SLUG.fullmatch(slug):
        raise NotFound("There is no reader of this name.")
    row = _ONE.first({"slug": slug, "viewer": viewer_id})
    if row is None or not (row.listed or row.person_id == viewer_id):
        raise NotFound("There is no reader of this name.")
    return Profile(
        **_card(row),
        biography=row.biography,
        stars=tuple(getattr(row, name) for name in _STARS),
        status=row.status,
        listed=row.listed,
        queued=row.queued,
        free_used=row.free_used,
    )


def kept_by(
    viewer_id: int, before: int | None = None, limit: int = PAGE
) -> tuple[tuple[Card, ...], int | None]:
    """(the listed readers whom somebody keeps as favourites, the last kept first; where the next page begins), in one
    statement."""
    values = {"viewer": viewer_id, "before": 2**63 - 1 if before is None else before, "limit": limit + 1}
    rows = _KEPT.rows(values)
    following = rows[limit - 1].kept_id if len(rows) > limit else None
    return tuple(Card(**_card(row)) for row in rows[:limit]), following


def _conditions(filters: Filters) -> tuple[list[str], dict[str, Any]]:
    """SQL conditions of fixed words, and the values they name."""
    conditions = ["listed"]
    values: dict[str, Any] = {}
    if filters.online:
        conditions.append("online")
    if filters.rating is not None:
        conditions.append("rating_thousandths >= :rating")
        values["rating"] = int(filters.rating * 1000)
    offer = []
    if filters.modality:
        offer.append("r.modality = :modality")
        values["modality"] = filters.modality.value
    if filters.price_min is not None:
        offer.append("r.rate >= :price_min")
        values["price_min"] = to_cents(filters.price_min)
    if filters.price_max is not None:
        offer.append("r.rate <= :price_max")
        values["price_max"] = to_cents(filters.price_max)
    if offer:
        rates = "SELECT FROM reader_rate r WHERE r.reader_id = reader_profile.person_id AND r.offered AND "
        conditions.append(f"EXISTS ({rates}{' AND '.join(offer)})")
    for number, word in enumerate(_words(filters.search)):
        conditions.append(f"{SEARCHED} ILIKE :word_{number}")
        values[f"word_{number}"] = f"%{escaped(word)}%"
    return conditions, values


def _words(search: str) -> list[str]:
    """Each must occur somewhere. Control characters (PostgreSQL refuses NUL) part words."""
    normal = unicodedata.normalize("NFC", search[:SEARCH_LONGEST])
    printable = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in normal)
    return printable.split()[:SEARCH_WORDS]


def escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@lru_cache(maxsize=1024)
def _rate(modality: Modality, cents: int) -> Rate:
    # Prices are few, cards many: the same price is the same object.
    return Rate(modality, from_cents(cents))


@lru_cache(maxsize=1024)
def _average(rating_sum: int, rating_count: int) -> Decimal | None:
    return (Decimal(rating_sum) / rating_count).quantize(Decimal("0.1")) if rating_count else None


def _card(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    cents = row.rates or {}
    return {
        "reader_id": row.person_id,
        "slug": row.slug,
        "display_name": row.display_name,
        "headline": row.headline,
        "specialties": row.specialties,
        "online": row.online,
        "busy": row.busy,
        "rating_average": _average(row.rating_sum, row.rating_count),
        "rating_count": row.rating_count,
        "free_minutes": row.free_minutes,
        "rates": tuple([_rate(modality, cents[name]) for name, modality in _MODALITIES if name in cents]),
        "favourite": row.favourite,
    }
