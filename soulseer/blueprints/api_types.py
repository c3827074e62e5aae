"""What JSON holds at /api/: money as strings beside a currency, instants as ISO 8601 UTC, lists with ``next``."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from flask import request
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from soulseer.domain.errors import InvalidInput
from soulseer.domain.money import parse_amount

Item = TypeVar("Item")
LARGEST_PAGE = 100


class ApiModel(BaseModel):
    """Base of all request and response models; built from objects by attribute where asked."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


def instant_text(instant: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _exact_amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("Write the amount as a string with at most two decimals, such as “25.00”.")
    return (
        parse_amount(str(value) if abs(int(value)) < 10**12 else "")
        if isinstance(value, int)
        else parse_amount(value)
    )


# In answers: Decimal dollars become "1.99", an aware datetime "2026-11-20T12:00:00Z".
Money = Annotated[
    Decimal,
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d{2}$", "examples": ["1.99"]}),
]
Instant = Annotated[
    datetime,
    PlainSerializer(instant_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
# In requests: a positive amount of dollars, as a string (or a whole number).
Amount = Annotated[
    Decimal,
    BeforeValidator(_exact_amount),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,2})?$", "examples": ["25.00"]}),
]


class PageQuery(ApiModel):
    """``limit`` (20; more than 100 counts as 100) and ``cursor`` (from ``next``)."""

    limit: Annotated[int, BeforeValidator(lambda value: _limit(value))] = Field(
        20, ge=1, json_schema_extra={"maximum": LARGEST_PAGE}
    )
    cursor: str | None = Field(None, max_length=200)

    def after(self) -> int | None:
        """The id that the page starts after. Raises InvalidInput for a cursor that is none of ours."""
        if not self.cursor:
            return None
        try:
            number = int(base64.urlsafe_b64decode(self.cursor.encode("ascii")).decode("ascii"))
        except (ValueError, binascii.Error) as error:
            raise InvalidInput("cursor", "This cursor is none of ours.") from error
        if not 0 <= number < 2**63:
            raise InvalidInput("cursor", "This cursor is none of ours.")
        return number


def _limit(value: object) -> object:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise ValueError("Enter a whole number from 1 to 100.")
        value = int(value)
    return min(value, LARGEST_PAGE) if isinstance(value, int) else value


class Page(ApiModel, Generic[Item]):
    """A list: ``next`` is the address of the following page, null on the last."""

    items: list[Item]
    next: str | None = None


def page_of(
    rows: Sequence[Any], query: PageQuery, *, identifier: Callable[[Any], int], item: Callable[[Any], Item]
) -> Page[Item]:
    """A page out of up to ``limit`` + 1 rows, newest first; the one too many only says that there is more."""
    shown, more = rows[: query.limit], len(rows) > query.limit
    following = None
    if more:
        cursor = base64.urlsafe_b64encode(str(identifier(shown[-1])).encode()).decode()
        others = {k: v for k, v in request.args.items() if k not in ("cursor", "limit")}
        following = f"{request.path}?{urlencode({**others, 'limit': query.limit, 'cursor': cursor})}"
    return Page(items=[item(row) for row in shown], next=following)


class ApiJson(DefaultJSONProvider):
    """Decimal dollars as strings, instants with a Z."""

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, Decimal):
            return f"{value:.2f}"
        if isinstance(value, datetime):
            return instant_text(value)
        if isinstance(value, date):
            return value.isoformat()
        return DefaultJSONProvider.default(value)
