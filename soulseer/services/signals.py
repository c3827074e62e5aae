"""What two browsers tell each other to set up a call: who may, when, and which of one's pages has the call."""

from typing import Any

from soulseer import gateways
from soulseer.domain.errors import Conflict, IllegalMove
from soulseer.domain.readings import Action, Modality, Role, State
from soulseer.gateways.signals import Waiting
from soulseer.models.readings import ReadingSession
from soulseer.services.reading_tokens import Paused
from soulseer.services.readings import Caller
from soulseer.services.settling import refuse_if_over

_OTHER = {Role.CLIENT: Role.READER, Role.READER: Role.CLIENT}


class CallElsewhere(Conflict):
    code, title = "call_elsewhere", "The call goes on in another window of yours"


def refuse_if_no_call(session: ReadingSession) -> None:
    """Raises GraceOver, RingOver (410), Paused, IllegalMove (409) where no call may be set up now."""
    refuse_if_over(session, Action.JOIN)
    if session.state == State.PAUSED:
        raise Paused
    if session.state not in (State.ACTIVE, State.RECONNECTING):
        raise IllegalMove("The call begins when you are both here.")
    if session.modality == Modality.TEXT:
        raise IllegalMove("This reading is by text: there is no call.")


def send(session: ReadingSession, caller: Caller, seat: str, signal: dict[str, Any]) -> tuple[int, Waiting]:
    """Keep a signal for the other side; its number, and who sits where. ``seat`` names the page that sends; a signal
    of kind ``hello`` takes the caller's side of the call.

    Raises CallElsewhere where a later page took it, PresenceUnavailable, and as ``refuse_if_no_call``.
    """
    refuse_if_no_call(session)
    number, waiting = gateways.current().signals.send(
        session.id,
        caller.role.value,
        _OTHER[caller.role].value,
        seat,
        signal,
        take_seat=signal["kind"] == "hello",
    )
    if waiting.held != seat:
        raise CallElsewhere
    return number, waiting


def after(session: ReadingSession, caller: Caller, seat: str, number: int) -> Waiting:
    """The other side's signals after ``number``, oldest first. Raises as ``send``."""
    refuse_if_no_call(session)
    waiting = gateways.current().signals.after(session.id, caller.role.value, seat, number)
    if waiting.held != seat:
        raise CallElsewhere
    return waiting
