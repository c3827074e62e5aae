"""Stripe's own list of its events: what a webhook did not bring can be read there for 30 days.

https://docs.stripe.com/api/events/list
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stripe import StripeClient

from soulseer.gateways.stripe import StripeEvent, StripeGateway, id_of, instant_of

LISTED_FOR = timedelta(days=30)
_PAGE = 100


@dataclass(frozen=True)
class ListedEvent:
    """An event as Stripe lists it; ``payload`` is its JSON."""

    event: StripeEvent
    payload: bytes


@dataclass(frozen=True)
class EventPage:
    """Events newest first. ``next_after`` is what to ask the next page with; None where this was the last."""

    events: tuple[ListedEvent, ...]
    next_after: str | None


def list_events(
    gateway: StripeGateway, since: datetime, until: datetime, after: str | None = None
) -> EventPage:
    """A page of the events created from ``since`` on and before ``until``, by whole seconds; the first without
    ``after``. Raises StripeUnavailable, StripeRefused."""
    params: Any = {
        "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        "limit": _PAGE,
    }
    if after is not None:
        params["starting_after"] = after
    answer = gateway.call(lambda client: _AsSent(client, params))
    events = tuple(_listed(item) for item in answer["data"])
    return EventPage(events, events[-1].event.id if answer["has_more"] and events else None)


class _AsSent:
    """The list as Stripe sent it: its SDK's objects would turn decimals into numbers."""

    def __init__(self, client: StripeClient, params: Any) -> None:
        self._response = client.v1.events.list(params).last_response

    def to_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self._response.body)  # type: ignore[union-attr]
        return body


def _listed(item: dict[str, Any]) -> ListedEvent:
    about = id_of(item["data"]["object"])
    event = StripeEvent(item["id"], item["type"], item["livemode"], instant_of(item["created"]), about)
    return ListedEvent(event, json.dumps(item, ensure_ascii=False).encode())
