"""How the inbox hands a Stripe event to the capability that it is about: examine, ask Stripe, apply.

An event is a hint to look, never a proof. ``examine`` runs in a transaction and compares what the event says with what
we recorded; ``ask`` runs outside any and gets Stripe's own word; ``apply`` runs in a transaction and acts on that word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class EventInHand:
    """A stored event: ``said`` is its ``data.object``, ``created`` Stripe's instant of it (UTC)."""

    row_id: int
    event_id: str
    type: str
    said: Mapping[str, Any]
    created: datetime


@dataclass(frozen=True)
class Verdict:
    """What became of an event.

    ``processed``; ``ignored`` (nothing to do, ``words`` say why); ``quarantined`` (does not fit; a person must look;
    ``alert`` where it is about money); ``later`` (what it speaks of has not come yet: it is tried again).
    """

    status: str
    words: str = ""
    alert: bool = False


PROCESSED = Verdict("processed")


def ignored(words: str) -> Verdict:
    return Verdict("ignored", words)


def quarantined(words: str, *, alert: bool = True) -> Verdict:
    return Verdict("quarantined", words, alert)


def later(words: str) -> Verdict:
    return Verdict("later", words)


@dataclass(frozen=True)
class Question:
    """What ``examine`` wants to know of Stripe: the id of an object there, and of our row, where one is known."""

    stripe_id: str
    row_id: int | None = None


@dataclass(frozen=True)
class Handler:
    """Acts on events of ``types``. ``ask`` returns None where Stripe knows no such object; it may raise
    StripeUnavailable and StripeRefused, and is called from a thread of its own: it reads nothing of the database. All
    three may run more than once for one event."""

    types: tuple[str, ...]
    examine: Callable[[EventInHand, datetime], Verdict | Question]
    ask: Callable[[Question], Any]
    apply: Callable[[EventInHand, Question, Any, datetime], Verdict]
