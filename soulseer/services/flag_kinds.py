"""Kinds of content that can be flagged. A kind declares itself here once (services/flag_contents.py has those of the
house); queue, case pages, hiding, undo and appeals then work for it without another line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from soulseer.domain.errors import NotFound

# What a decision did to a content: what stood there before, as JSON.
Before = dict[str, Any]


@dataclass(frozen=True)
class Thing:
    """A content as it is now. ``snapshot``: label → text (or number), what is kept with each flag and shown beside it.

    ``author_id`` None: it has no single author; then the flag says whom it is about. ``page`` is a path on the site
    that shows it, None where there is none for anybody but its participants. ``can_hide``: False where a kind that can
    be hidden has nothing to hide here.
    """

    object_id: str
    author_id: int | None
    snapshot: dict[str, Any]
    hidden: bool = False
    page: str | None = None
    can_hide: bool = True


@dataclass(frozen=True)
class Line:
    """Something before or after a content."""

    at: datetime
    who: str
    text: str


@dataclass(frozen=True)
class Context:
    before: Sequence[Line] = ()
    after: Sequence[Line] = ()


def no_context(object_id: str) -> Context:
    """For a content that stands alone."""
    return Context()


@dataclass(frozen=True)
class ContentKind:
    """How the queue deals with one kind of content.

    ``find(object_id, reporter_id)`` gives the thing, to a reporter (None: staff or the house) who can see it; raises
    NotFound. ``hide(object_id, now)`` takes it off the site and gives what ``unhide(object_id, before)`` restores
    exactly; both do nothing twice. ``edit(object_id, field, text)`` puts other words in place of ``field``, one of
    ``fields``, and gives what ``restore(object_id, before)`` needs. A kind without these is only looked at.
    """

    code: str
    label: str
    find: Callable[[str, int | None], Thing]
    context: Callable[[str], Context] = no_context
    hide: Callable[[str, datetime], Before] | None = None
    unhide: Callable[[str, Before], None] | None = None
    fields: tuple[str, ...] = ()
    edit: Callable[[str, str, str], Before] | None = None
    restore: Callable[[str, Before], None] | None = None


_kinds: dict[str, ContentKind] = {}


def declare(kind: ContentKind) -> None:
    """Add a kind, at import. Raises ValueError where its code is taken or a deed cannot be undone."""
    if kind.code in _kinds:
        raise ValueError(f"the kind {kind.code} is declared twice")
    if (kind.hide is None) != (kind.unhide is None) or (kind.edit is None) != (kind.restore is None):
        raise ValueError(f"the kind {kind.code} cannot undo what it does")
    _kinds[kind.code] = kind


def kind_of(code: str) -> ContentKind:
    """The declared kind. Raises NotFound."""
    try:
        return _kinds[code]
    except KeyError:
        raise NotFound("There is nothing of this kind that can be reported.") from None


def declared() -> Sequence[ContentKind]:
    """All kinds, in the order of their declaration."""
    return tuple(_kinds.values())
