"""A client's own limit: never charged beyond it, in whichever way a minute is charged."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier, Thread

import psycopg
import pytest
from sqlalchemy import select, text

from soulseer.blueprints import room_calls
from soulseer.db import db, transaction
from soulseer.domain.errors import CeilingReached, Forbidden, InvalidInput
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext
from soulseer.models.readings import ReadingSessionEvent
from soulseer.services import billing, ceilings, ledger_check, reading_tokens, readings
from tests import factories
from tests.promotions import credit
from tests.readings.room import Room, at

pytestmark = pytest.mark.usefixtures("app")


def limit(
    room: Room, second: float, minutes: int | None = None, amount: str | None = None, who: str = "client"
):
    """Set, change or (neither) lift the limit, as the room does."""
    ceiling = ceilings.wanted(minutes, None if amount is None else Decimal(amount))
    return room_calls.move(partial(ceilings.change, ceiling=ceiling), room.id, room.person(who), at(second))


def asked(rate: str, **wanted: object) -> Room:
    """A reading requested under a limit."""
    room = Room.__new__(Room)
    room.client, room.reader = factories.person(wallet="50.00"), factories.reader(rate)
    room._people = {"client": room.client.id, "reader": room.reader.person_id}
    ceiling = ceilings.wanted(wanted.get("minutes"), wanted.get("amount"))  # type: ignore[arg-type]
    with transaction():
        room.id = readings.request(room.client.id, room.reader.slug, "text", at(0), ceiling).id
    return room


def state(room: Room) -> tuple[object, ...]:
    session = room.session
    return session.state, session.pause_cause, session.minutes_billed, session.max_minutes


@pytest.mark.parametrize("way", ["heartbeat", "tick", "simulation"])
def test_no_minute_beyond_it(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    room = asked("1.99", minutes=2).start()
    if way == "heartbeat":
        room.beats(10, 130)
    elif way == "tick":
        # Beats that find nothing due: the tick alone charges.
        monkeypatch.setattr("soulseer.services.settling.is_due", lambda *_: False)
        monkeypatch.setattr("soulseer.blueprints.room_calls.is_due", lambda *_: False)
        for second in (95, 155):
            room.beats(second - 85, second)
            room.tick(second)
    else:
        room.tick(600, assume_present=True)
    session = room.session
    assert state(room) == ("paused", "ceiling", 2, 2)
    assert (session.paused_at, session.kept_microseconds) == (at(120), 0)
    assert session.grace_until is not None
    assert session.grace_until > at(420)
    assert room.wallet == Decimal("46.02")
    event = db.session.scalars(select(ReadingSessionEvent).order_by(ReadingSessionEvent.id.desc())).first()
    assert event is not None
    assert (event.action, event.cause, event.effective_at) == ("ceiling", "ceiling", at(120))
    with pytest.raises(CeilingReached):
        room.do("reconnect", "client", {"heartbeat": 131, "tick": 160, "simulation": 610}[way])


def test_money_becomes_minutes_by_the_rate_and_what_was_asked_is_kept() -> None:
    room = asked("1.99", amount=Decimal("10.00"))
    session = room.session
    assert (session.max_minutes, session.ceiling_kind, session.ceiling_asked) == (5, "money", 1000)
    for below in ({"amount": Decimal("1.98")}, {"minutes": 0}, {"amount": Decimal("0.00")}):
        with pytest.raises(InvalidInput):
            asked("1.99", **below)
    with pytest.raises(InvalidInput, match="not both"):
        ceilings.wanted(3, Decimal("3.00"))


def test_raised_before_it_is_reached_there_is_no_drop_and_after_it_one_goes_on() -> None:
    room = asked("1.99", minutes=1).start()
    room.beats(10, 50)
    assert limit(room, 55, amount="4.00").session.max_minutes == 2
    room.beats(60, 120)
    assert state(room) == ("active", None, 2, 2)
    room.beats(125, 130, every=5)
    assert state(room) == ("paused", "ceiling", 2, 2)
    assert limit(room, 140, minutes=3).session.state == "paused"
    room.do("reconnect", "client", 150)
    room.do("join", "reader", 151)
    room.do("join", "client", 152)
    room.beats(160, 210)
    assert state(room) == ("active", None, 3, 3)
    limit(room, 211)
    room.beats(212, 232)
    assert state(room) == ("active", None, 4, None)
    told = [e.details for e in db.session.scalars(select(ReadingSessionEvent)) if e.action == "set_ceiling"]
    assert told == [{"kind": "money", "asked": 400}, {"kind": "minutes", "asked": 3}, {}]


def test_lowered_below_what_is_paid_it_ends_with_the_paid_minute() -> None:
    room = asked("1.99").start()
    room.beats(10, 130)
    meter = limit(room, 131, minutes=1)
    assert (meter.session.max_minutes, meter.session.ceiling_asked) == (3, 1)
    room.beats(140, 179, every=13)
    assert room.session.state == "active"
    room.beats(180, 190)
    assert state(room) == ("paused", "ceiling", 3, 3)
    assert room.session.paused_at == at(180)
    # Asked for again it changes nothing, and tells nothing.
    limit(room, 191, minutes=1)
    events = db.session.scalars(select(ReadingSessionEvent.action)).all()
    assert list(events).count("set_ceiling") == 1


def test_only_the_client_sets_it() -> None:
    room = asked("1.99").start()
    with pytest.raises(Forbidden):
        limit(room, 5, minutes=1, who="reader")


def test_credit_is_not_moved_for_a_minute_that_the_limit_refuses() -> None:
    room = asked("1.99", minutes=2)
    credit.give(room.client.id, "20.00")
    room.start()
    room.beats(10, 130)
    assert state(room)[:3] == ("paused", "ceiling", 2)
    assert credit.credit(room.client.id) == Decimal("16.02")
    assert (room.wallet, ledger_check.check()) == (Decimal("50.00"), [])


def test_the_tick_with_credit_stops_at_it_and_charges_the_others() -> None:
    rooms = [asked("1.99", minutes=minutes) for minutes in (1, 3, None)]
    for room in rooms:
        credit.give(room.client.id, "20.00")
        room.start()
    billing_tick.run(JobContext(now=at(270), assume_present=True))
    assert [state(room)[:3] for room in rooms] == [
        ("paused", "ceiling", 1),
        ("paused", "ceiling", 3),
        ("active", None, 5),
    ]
    assert ledger_check.check() == []


def test_what_a_tick_would_do_knows_the_limit() -> None:
    room = asked("1.99", minutes=2).start()
    planned = billing.planned(at(600), at(600), [])
    assert [charge["minutes"] for charge in planned] == [[2, 2]]
    assert room.session.minutes_billed == 1


def test_the_clients_token_ends_with_the_limit_and_the_readers_does_not_tell() -> None:
    room = asked("1.99", minutes=3).start()
    for who, seconds in (("client", 170), ("reader", 1200)):
        caller = readings.caller_of(room.session, room.person(who))
        tokens = reading_tokens.issue(room.session, caller, at(10))
        assert tokens.expires_at == at(10) + timedelta(seconds=seconds)


def test_the_row_itself_refuses_a_minute_beyond_it(environment: dict[str, str]) -> None:
    room = asked("1.99", minutes=1).start()
    with (
        psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="within_ceiling"),
    ):
        connection.execute("UPDATE reading_session SET minutes_billed = 2 WHERE id = %s", [room.id])


def test_a_limit_and_a_tick_at_the_same_moment(migrated_app) -> None:
    """Whichever comes first holds: never a minute beyond the limit that stands."""
    rooms = [asked("1.99").start() for _ in range(6)]
    together = Barrier(7)

    def set_limit(room_id: int, client_id: int) -> None:
        with migrated_app.app_context():
            together.wait()
            ceiling = ceilings.wanted(1, None)
            room_calls.move(partial(ceilings.change, ceiling=ceiling), room_id, client_id, at(20))

    def tick() -> None:
        with migrated_app.app_context():
            together.wait()
            billing_tick.run(JobContext(now=at(70), assume_present=True))

    threads = [Thread(target=set_limit, args=(room.id, room.client.id)) for room in rooms] + [
        Thread(target=tick)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for room in rooms:
        session = room.session
        assert session.max_minutes is not None
        assert session.minutes_billed <= session.max_minutes <= 2
    assert db.session.execute(text("SELECT count(*) FROM reading_minute")).scalar_one() == sum(
        room.session.minutes_billed for room in rooms
    )
    assert ledger_check.check() == []
