"""What a run of a job is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from soulseer import gateways
from soulseer.domain import clock
from soulseer.gateways.queue import WOKEN


@dataclass(frozen=True)
class JobContext:
    """``now`` is the business clock (UTC); ``arguments`` are strings by name; ``dry_run`` must change nothing."""

    now: datetime
    run_id: int | None = None
    dry_run: bool = False
    assume_present: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)


# What a job counts as ERROR failed in a way that nobody expected: the run goes on with the rest, and has failed. Ordinary
# outcomes (a declined card, a refused payout) have names of their own, whatever these are, and fail no run.
ERROR = "error"

Job = Callable[[JobContext], dict[str, Any]]


class JobArgumentError(ValueError):
    """An argument of a job is missing or does not fit."""


def whole_number(context: JobContext, name: str) -> int | None:
    """The argument ``name`` as a positive whole number; None where it is not given. Raises JobArgumentError."""
    value = context.arguments.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 2**63):
        raise JobArgumentError(f"{name} must be a positive whole number, not {value!r}")
    return int(value)


def awoken(context: JobContext, job: str) -> JobContext:
    """The context of a run of ``job`` that may have been woken (``QueueGateway.wake``): what was stored until this
    moment has woken nobody else, so it is due in this run. Call it first."""
    if not whole_number(context, WOKEN):
        return context
    gateways.current().queue.take_up(job)
    return replace(context, now=clock.now())
