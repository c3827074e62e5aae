"""/api/sessions/{id}/messages/ and …/images/: the conversation in the room; …/help/: the clock stands while help is offered."""

from dataclasses import asdict
from typing import Annotated, Any

from flask import Blueprint, request
from pydantic import Field

from soulseer import gateways
from soulseer.blueprints import limits, room_calls
from soulseer.blueprints.access import require_person
from soulseer.blueprints.api_sessions import MOVE_ERRORS, MeterAnswer, meter_answer
from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import ApiModel, Instant
from soulseer.db import transaction
from soulseer.domain import clock, errors, policies
from soulseer.domain.help_lines import country_of, help_for
from soulseer.gateways.storage import StorageUnavailable
from soulseer.models.readings import ReadingMessage
from soulseer.services import crisis_pauses, files, message_marks, reading_texts, readings
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_texts", __name__, url_prefix="/api/sessions")

MESSAGE_ERRORS = (*MOVE_ERRORS, errors.InvalidInput, reading_texts.ContactDetails)
HIDDEN = "This message was taken away by SoulSeer."
# What a form of several parts needs beside the picture.
_FORM_BYTES = 64 * 1024


class MessageRequest(ApiModel):
    client_key: str = Field(
        max_length=64, description="A UUID that the sender makes; sent again, it is one message"
    )
    body: str = Field(max_length=20_000)
    confirm: bool = Field(
        False, description="Send it although it holds contact details (after an answer `contact_details`)"
    )


class PictureAnswer(ApiModel):
    """`url` is for the two participants only; `alt` is the sender's description."""

    url: str
    width: int
    height: int
    alt: str


class MessageAnswer(ApiModel):
    number: int
    mine: bool
    body: str
    client_key: str
    created_at: Instant
    picture: PictureAnswer | None = None
    hidden: bool = False


class MessagesQuery(ApiModel):
    """`read` is the number up to which one has seen them, `typing` whether one writes just now."""

    after: int = Field(0, ge=0, le=2**31 - 1)
    limit: Annotated[int, Field(ge=1, le=100)] = 100
    read: int = Field(0, ge=0, le=2**31 - 1)
    typing: bool | None = None


class MessagesAnswer(ApiModel):
    """`items` oldest first; ask again with `after` = the last `number`. `other_typing`, `delivered`, `read`: the other
    one writes, has got, has seen messages up to these numbers. `meter` saves a second call."""

    items: list[MessageAnswer]
    other_typing: bool
    delivered: int
    read: int
    meter: MeterAnswer


@blueprint.url_value_preprocessor
def take_pictures(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Before anything reads the body: one route takes more than the others."""
    if endpoint == f"{blueprint.name}.send_image":
        request.max_content_length = policies.current().files.most_bytes + _FORM_BYTES


@blueprint.get("/<int:session_id>/messages/")
@api_route(
    "Messages after a number, with the meter",
    query=MessagesQuery,
    answer=MessagesAnswer,
    errors=MOVE_ERRORS[:2],
    limit=limits.POLL,
)
def list_messages(person: SignedIn, session_id: int, query: MessagesQuery) -> MessagesAnswer:
    """Oldest first; ask again with the last number, which says that one has got them up to it. With nothing new no
    message is read from the database and nothing is written."""
    now = clock.now()
    meter = room_calls.poll(person, session_id, now)
    news = message_marks.exchange(
        meter.session, meter.role, now, delivered=query.after, read=query.read, typing=query.typing
    )
    rows = reading_texts.after(session_id, query.after, query.limit) if news.last > query.after else []
    return MessagesAnswer(
        items=[_message(row, person.id) for row in rows],
        other_typing=news.typing,
        delivered=news.delivered,
        read=news.read,
        meter=meter_answer(meter),
    )


@blueprint.post("/<int:session_id>/messages/")
@api_route(
    "Send a message",
    body=MessageRequest,
    answer=MessageAnswer,
    status=201,
    errors=MESSAGE_ERRORS,
    limit=limits.POLL,
)
def send_message(person: SignedIn, session_id: int, body: MessageRequest) -> MessageAnswer:
    """While the reading is active only. The same `client_key` again is the same message. With contact details in it the
    answer is 422 `contact_details` until it is sent with `confirm`; moderators are told then."""
    return _send(person, session_id, reading_texts.Draft(body.client_key, body.body, body.confirm))


@blueprint.post("/<int:session_id>/images/")
@api_route(
    "Send a picture",
    answer=MessageAnswer,
    status=201,
    errors=(*MESSAGE_ERRORS, StorageUnavailable),
    limit=limits.PICTURE,
)
def send_image(person: SignedIn, session_id: int) -> MessageAnswer:
    """multipart/form-data: `image` (JPEG, PNG, WebP or GIF), `client_key` as of a message, `alt` (what is to be seen on it),
    `body` (words beside it), `confirm` ("true", as of a message). It is written anew, without its metadata and at most
    1600 pixels wide or high."""
    now = clock.now()
    form = request.form
    draft = reading_texts.Draft(
        form.get("client_key", ""), form.get("body", ""), form.get("confirm") == "true"
    )
    meter = room_calls.look(session_id, person.id, now)
    if reading_texts.known(session_id, person.id, draft.client_key) is not None:
        return _send(person, session_id, draft)
    reading_texts.refuse_if_still(meter.session)
    upload = request.files.get("image")
    if upload is None:
        raise errors.InvalidInput("image", "Choose a picture.", reason="empty")
    if not gateways.current().storage.configured:
        raise StorageUnavailable("Pictures cannot be sent here.")
    prepared = files.picture(upload.stream)
    with transaction():
        intent = files.intend(person.id, "message", prepared, now, description=form.get("alt", ""))
        # Refused words are refused before anything is uploaded.
        draft = reading_texts.Draft(draft.client_key, draft.body, draft.confirm, intent, form.get("alt", ""))
        reading_texts.checked(draft)
    files.upload(intent, prepared)
    return _send(person, session_id, draft)


def _send(person: SignedIn, session_id: int, draft: reading_texts.Draft) -> MessageAnswer:
    now = clock.now()
    room_calls.look(session_id, person.id, now)
    with transaction():
        sent = reading_texts.send(readings.find(session_id), person.id, draft, now)
        answer = _message(sent.message, person.id)
    if sent.crisis:
        room_calls.move(crisis_pauses.by_words, session_id, person.id, now)
    return answer


def _message(row: ReadingMessage, person_id: int) -> MessageAnswer:
    words = reading_texts.words(row)
    return MessageAnswer(
        number=row.number,
        mine=row.sender_id == person_id,
        body=HIDDEN if words is None else words,
        client_key=str(row.client_key),
        created_at=row.created_at,
        picture=None if words is None else picture_of(row),
        hidden=words is None,
    )


def spoken(session_id: int, person_id: int, most: int) -> list[MessageAnswer]:
    """The first messages of a reading as the person sees them."""
    return [_message(row, person_id) for row in reading_texts.after(session_id, 0, most)]


def text_facts() -> dict[str, Any]:
    """What the room's page needs for its conversation: whether pictures can be sent, and the help lines of the visitor's
    own country."""
    help_found = help_for(country_of(require_person().time_zone, list(request.accept_languages.values())))
    return {
        "images": gateways.current().storage.configured,
        "mostBytes": policies.current().files.most_bytes,
        "help": asdict(help_found),
        # Agora's messaging tells the other page to look at once.
        "nudge": policies.current().media.transport == "agora",
    }


def picture_of(row: ReadingMessage) -> PictureAnswer | None:
    """The picture of a message that is shown."""
    if row.file is None:
        return None
    return PictureAnswer(
        url=f"/files/{row.file.id}/",
        width=row.file.width or 0,
        height=row.file.height or 0,
        alt=row.file.description,
    )


@blueprint.post("/<int:session_id>/help/")
@api_route("Ask for help: the clock stands", answer=MeterAnswer, errors=MOVE_ERRORS)
def ask_for_help(person: SignedIn, session_id: int) -> MeterAnswer:
    """Nothing is charged until both want to go on; moderators are told."""
    return meter_answer(room_calls.move(crisis_pauses.by_hand, session_id, person.id, clock.now()))
