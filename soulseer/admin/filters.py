"""What a list can be narrowed by. Each is one field above the list and one plain name in the address (``?state=active``);
a value that does not fit is told and left out."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from flask_admin.model.filters import BaseFilter

from soulseer.domain.errors import InvalidInput
from soulseer.domain.texts import clean_line

LONGEST = 200


class ListFilter(BaseFilter):
    """``field`` is both the name in the address and the keyword that the list's query takes."""

    kind = "text"

    def __init__(self, field: str, label: str, options: Iterable[str] = (), hint: str = "") -> None:
        super().__init__(label, options=[(option, option.replace("_", " ")) for option in options] or None)
        self.field = field
        self.hint = hint

    def operation(self) -> str:
        return "is"

    def apply(self, query: Any, value: Any) -> Any:
        raise NotImplementedError("the services of the console filter by keyword")

    def clean(self, value: str) -> Any:
        """The value as the query takes it. Raises ValueError."""
        try:
            return clean_line(self.field, value, LONGEST)
        except InvalidInput as error:
            raise ValueError(error.detail) from None


class Words(ListFilter):
    """A word, whole: a handle, an email address, a key."""


class Choice(ListFilter):
    """One of a few values."""

    kind = "choice"

    def clean(self, value: str) -> str:
        if value not in dict(self.options or ()):
            raise ValueError(value)
        return value


class Number(ListFilter):
    """A positive whole number that fits an id."""

    kind = "number"

    def clean(self, value: str) -> int:
        value = value.strip()
        if not (value.isascii() and value.isdigit() and 0 < int(value[:20]) < 2**63):
            raise ValueError(value)
        return int(value)


class Day(ListFilter):
    """A day, UTC."""

    kind = "date"

    def clean(self, value: str) -> date:
        return date.fromisoformat(value.strip())


def days() -> tuple[Day, Day]:
    """From one day to another, both included."""
    return Day("since", "From day"), Day("until", "To day")
