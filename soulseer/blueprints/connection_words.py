"""The call's connection in words, beside the moves of a reading: whose was lost, for how long, and what was seen of why."""

from collections.abc import Sequence

from soulseer.blueprints.reading_words import Told
from soulseer.domain.connections import REASONS, absences
from soulseer.domain.readings import Action, Role
from soulseer.models.readings import ReadingSession, ReadingSessionEvent
from soulseer.services import connections


def beside(
    timeline: Sequence[Told],
    session: ReadingSession,
    events: Sequence[ReadingSessionEvent],
    role: Role,
    other: str,
) -> list[Told]:
    """``timeline`` with the connections that were lost within active time and did not pause the reading. One statement
    for a reading with a call, none for a written one."""
    if not connections.has_call(session):
        return list(timeline)
    spans = connections.active_spans(events, session.covered_until)
    drops = {event.effective_at for event in events if event.action == Action.DROP}
    told = []
    for absence in absences(connections.notices_of(session.id)):
        if absence.since in drops or not any(span.since <= absence.since < span.until for span in spans):
            continue
        whose = "Your" if absence.role is role else f"{other}’s"
        seconds = None if absence.until is None else round((absence.until - absence.since).total_seconds())
        back = "It did not come back." if seconds is None else f"It was back after {seconds} seconds."
        why = REASONS.get(absence.reason or 0)
        told.append(
            Told(
                f"{whose} connection to the call was lost",
                absence.since,
                f"{back} Seen by the call’s network: {why}." if why else back,
                "warning",
            )
        )
    return sorted([*timeline, *told], key=lambda one: one.at)
