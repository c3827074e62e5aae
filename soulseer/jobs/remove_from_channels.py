"""Removes who stays in a call's channel: take one (a transaction), ask Agora (outside any), record (a transaction)."""

from collections import Counter
from typing import Any

from soulseer import gateways
from soulseer.db import transaction
from soulseer.gateways.agora_channels import ChannelsRefused, ChannelsUnavailable
from soulseer.jobs import sweeping
from soulseer.jobs.context import JobContext, awoken
from soulseer.services import channel_removals

LATER = "later"


def run(context: JobContext) -> dict[str, Any]:
    """All that are due: counts of done, given_up, and later (asked again). Where Agora's customer id is not set, nothing."""
    context = awoken(context, "remove_from_channels")
    if context.dry_run:
        return {"dry_run": True, "removals": channel_removals.due(context.now)}
    if not gateways.current().channels.configured:
        return {"off": 1}
    counts: Counter[str] = Counter()

    def step() -> str | None:
        # While Agora does not answer, the rest waits for the next run: this queue rings readers as well.
        return None if counts[LATER] else remove_one(context)

    if not sweeping.each(step, counts):
        channel_removals.wake(f"{context.run_id}-rest")
    return {outcome: count for outcome, count in counts.items() if count}


def remove_one(context: JobContext) -> str | None:
    """Remove one; what became of it, None where none is due."""
    with transaction():
        claimed = channel_removals.claim(context.now)
    if claimed is None or claimed.given_up:
        return None if claimed is None else "given_up"
    try:
        rule_id = gateways.current().channels.remove(claimed.channel, claimed.uid, claimed.seconds)
    except (ChannelsUnavailable, ChannelsRefused) as error:
        with transaction():
            state = channel_removals.note_failure(
                claimed.removal_id, error.detail, context.now, for_good=isinstance(error, ChannelsRefused)
            )
        return LATER if state == "wanted" else state
    with transaction():
        return channel_removals.note_done(claimed.removal_id, rule_id, context.now)
