"""A reading in words: pauses, ends and moves as its client and its reader read them."""

from dataclasses import dataclass
from datetime import datetime

from soulseer.domain.readings import Action, EndReason, PauseCause, Role, State
from soulseer.models.readings import ReadingSessionEvent
from soulseer.services.receipts import About

CLOCK_STANDS = "Nothing is charged until you go on."


@dataclass(frozen=True)
class Told:
    """An event as the timeline shows it; ``kind`` is its tone (components/data.html, timeline)."""

    title: str
    at: datetime
    detail: str | None = None
    kind: str = ""


def other_of(role: Role) -> Role:
    return Role.READER if role is Role.CLIENT else Role.CLIENT


def pause_words(role: Role, other: str) -> dict[str, dict[str, str]]:
    """What stands in the room while it is paused, by cause: a title, a text, and the short form for the receipt."""
    mine, theirs = (
        (PauseCause.CLIENT_LEFT, PauseCause.READER_LEFT)
        if role is Role.CLIENT
        else (PauseCause.READER_LEFT, PauseCause.CLIENT_LEFT)
    )
    my_drop, their_drop = (
        (PauseCause.CLIENT_DROPPED, PauseCause.READER_DROPPED)
        if role is Role.CLIENT
        else (PauseCause.READER_DROPPED, PauseCause.CLIENT_DROPPED)
    )
    waits = f"{other} can return until the time is over. Nothing is charged meanwhile."
    if role is Role.CLIENT:
        money = ("Your money has run out", "Top up to go on. Nothing is charged while the reading waits.")
    else:
        money = ("The client’s money has run out", f"{other} can top up and go on.")
    if role is Role.CLIENT:
        limit = ("Your limit is reached", "Raise it to go on. Nothing is charged while the reading waits.")
    else:
        limit = ("The client’s limit is reached", f"{other} can raise it and go on.")
    words = {
        mine: ("You stepped out", CLOCK_STANDS),
        theirs: (f"{other} stepped out", waits),
        my_drop: ("Your connection was lost", CLOCK_STANDS),
        their_drop: (f"{other} lost the connection", waits),
        PauseCause.LOW_BALANCE: money,
        PauseCause.CEILING: limit,
        PauseCause.PLATFORM: ("We lost touch with both of you", f"The fault was ours. {CLOCK_STANDS}"),
        # The same to both: whose words they were is nobody's business.
        PauseCause.CRISIS: (
            "SoulSeer paused the clock to offer help",
            "Nothing is charged until you both want to go on.",
        ),
        PauseCause.BILLING_STOPPED: (
            "SoulSeer has paused all readings",
            f"We stopped all charging, so the clock stands as well. {CLOCK_STANDS}",
        ),
    }
    return {cause.value: {"title": title, "text": text} for cause, (title, text) in words.items()}


def end_words(reason: str | None, role: Role, other: str) -> str:
    """Why it is over, in one sentence."""
    mine = EndReason.CLIENT_ENDED if role is Role.CLIENT else EndReason.READER_ENDED
    if reason == mine:
        return "You ended it."
    return {
        EndReason.CLIENT_ENDED.value: f"{other} ended it.",
        EndReason.READER_ENDED.value: f"{other} ended it.",
        EndReason.STAFF_ENDED.value: "SoulSeer’s staff ended it.",
        EndReason.SYSTEM_ENDED.value: "SoulSeer ended it.",
        EndReason.NO_ANSWER.value: "Nobody answered in time, so nothing was charged.",
        EndReason.DECLINED.value: "You declined, so nothing was charged."
        if role is Role.READER
        else f"{other} could not take the reading just now, so nothing was charged.",
        EndReason.GRACE_OVER.value: "The time to come back ran out.",
        EndReason.TOO_MANY_RECONNECTS.value: "It was reconnected too often.",
    }.get(reason or "", "It is over.")


def timeline(events: tuple[ReadingSessionEvent, ...], role: Role, about: About) -> list[Told]:
    """Every move that a participant would know of, in words."""
    told = (_tell(event, role, about) for event in events)
    return [one for one in told if one is not None]


def _tell(event: ReadingSessionEvent, role: Role, about: About) -> Told | None:
    other = about.name_of(other_of(role))
    actor = "You" if event.actor_role == role.value else other
    pauses = pause_words(role, other)
    at = event.effective_at
    match Action(event.action):
        case Action.REQUEST:
            return Told(f"{actor} asked for the reading", at)
        case Action.OPEN:
            return Told(f"{'You were' if role is Role.READER else other + ' was'} rung", at)
        case Action.JOIN | Action.ACTIVATE | Action.RESUME:
            if event.to_state != State.ACTIVE:
                return Told(f"{actor} came into the room", at)
            if event.from_state == State.WAITING:
                return Told("Both were there: the reading began", at, "The first minute was paid.", "good")
            return Told("The reading went on", at, None, "good")
        case Action.LEAVE | Action.DROP | Action.LOW_BALANCE | Action.CEILING:
            title = pauses.get(event.cause or "", {"title": "The reading was paused"})["title"]
            kind = "money" if event.action in (Action.LOW_BALANCE, Action.CEILING) else "warning"
            return Told(title, at, "The clock stood still from here.", kind)
        case Action.SET_CEILING:
            # How much somebody wants to spend is their own business.
            return Told("You changed your limit", at) if role is Role.CLIENT else None
        case Action.RECONNECT:
            return Told(f"{actor} came back", at)
        case Action.END | Action.NO_ANSWER | Action.DECLINE | Action.EXPIRE:
            return Told("The reading ended", at, end_words(event.cause, role, other))
        case Action.FINALIZE:
            return Told("Checked against the ledger", at, "Minutes and money agree.", "money")
    return None
