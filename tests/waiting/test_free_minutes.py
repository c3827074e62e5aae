"""First minutes free: paid by the platform, once per client, and to the cent in the books."""

from decimal import Decimal

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import IntegrityError

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import InvalidInput
from soulseer.models.people import Person
from soulseer.models.promotions import PromotionalCredit
from soulseer.models.readings import LiveParticipant
from soulseer.models.waiting import FreeMinutesUse
from soulseer.services import free_minutes, ledger, ledger_check, promotion_spending, readings
from tests import factories
from tests.conftest import empty_tables
from tests.readings.room import Room, at
from tests.readings.test_races import at_once, outcomes

pytestmark = pytest.mark.usefixtures("app")


class Offered(Room):
    """A reading asked for of a reader who offers ``free`` minutes; ``client`` may be one who has been here before."""

    def __init__(
        self, free: int, wallet: str = "50.00", rate: str = "2.00", client=None, second: float = 0
    ) -> None:
        self.client = client or factories.person(wallet=wallet)
        self.reader = factories.reader(rate)
        with transaction():
            free_minutes.offer(self.reader.person_id, str(free), at(0))
        self._people = {"client": self.client.id, "reader": self.reader.person_id}
        with transaction():
            self.id = readings.request(self.client.id, self.reader.slug, "text", at(second)).id

    def credit(self) -> Decimal:
        db.session.rollback()
        return ledger.balance(AccountKind.CLIENT_PROMOTIONAL_CREDIT, self.client.id)


def uses() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(FreeMinutesUse)) or 0


def test_the_platform_pays_the_first_minutes_and_the_reader_earns_as_ever() -> None:
    room = Offered(3)
    room.start(0)
    assert (room.wallet, room.credit()) == (Decimal("50.00"), Decimal("4.00"))
    room.beats(10, 230)
    room.tick(230)
    assert (room.wallet, room.credit()) == (
        Decimal("48.00"),
        Decimal("0.00"),
    )  # the fourth minute is the client's
    room.do("end", "client", 231)
    assert room.finalize(232)["finalized"] == 1
    assert room.session.minutes_billed == 4
    assert room.earnings == Decimal("5.60")
    assert ledger_check.check() == []


def test_what_is_unused_at_the_end_is_booked_off_and_pays_for_nothing_else() -> None:
    room = Offered(5)
    room.start(0)
    with transaction():
        paid = promotion_spending.cover(room.client.id, Decimal("1.00"), "gift:1", "gift:1", at(5))
    assert paid == 0  # it is for this reading alone
    room.do("end", "client", 20)
    assert room.credit() == Decimal("8.00")
    room.finalize(21)
    assert (room.credit(), room.wallet) == (Decimal("0.00"), Decimal("50.00"))
    grant = db.session.scalars(select(PromotionalCredit)).one()
    assert (grant.state, grant.expired) == ("expired", Decimal("8.00"))
    assert ledger_check.check() == []


def test_once_per_client_at_all() -> None:
    first = Offered(2)
    client = first.client
    first.start(0)
    first.do("end", "client", 10)
    first.finalize(11)
    second = Offered(5, client=client, second=20)
    assert second.session.free_minutes == 0
    second.start(21)
    assert second.wallet == Decimal("48.00")
    assert uses() == 1


def test_a_reading_that_never_began_leaves_the_offer_whole() -> None:
    first = Offered(2)
    client = first.client
    first.do("join", "client", 1)
    first.do("end", "client", 2)
    first.finalize(3)
    assert uses() == 0
    second = Offered(3, client=client, second=10).start(11)
    assert (second.wallet, uses()) == (Decimal("50.00"), 1)


def test_an_offer_is_kept_as_of_the_request_and_needs_the_least_in_the_wallet() -> None:
    room = Offered(3)
    with transaction():
        free_minutes.offer(room.reader.person_id, "0", at(1))
    room.start(2)
    assert room.credit() == Decimal("4.00")
    for typed in ("6", "-1", "x", "", "2.5", "²"):
        with pytest.raises(InvalidInput), transaction():
            free_minutes.offer(room.reader.person_id, typed, at(3))
    with pytest.raises(Exception, match="more is needed"):
        Offered(5, wallet="1.99")


def test_two_readings_that_begin_at_once_give_it_once(app: Flask) -> None:
    first = Offered(3)
    client = first.client
    with transaction():  # the rule of one live reading is lifted, so that both can begin
        db.session.execute(delete(LiveParticipant))
    second = Offered(3, client=client)
    for room in (first, second):
        room.do("join", "client", 1)
    results = at_once(
        app, [lambda: first.do("join", "reader", 2), lambda: second.do("join", "reader", 2)] * 2
    )
    assert outcomes(results) == {"ok": 4}
    assert uses() == 1
    assert first.wallet == Decimal("48.00")  # one of the two first minutes
    assert first.credit() == Decimal("4.00")
    for room in (first, second):
        room.do("end", "client", 3)
        room.finalize(4)
    assert ledger_check.check() == []


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    free=st.integers(0, 5),
    cents=st.integers(50, 1_000),
    wallet=st.integers(1_000, 4_000),
    seconds=st.integers(1, 420),
    ended_by=st.sampled_from(["client", "reader"]),
)
def test_the_books_are_exact_whatever_happens(superuser, free, cents, wallet, seconds, ended_by) -> None:
    db.session.rollback()
    empty_tables(superuser)
    room = Offered(free, wallet=f"{wallet / 100:.2f}", rate=f"{cents / 100:.2f}").start(0)
    room.beats(10, seconds)
    room.tick(seconds)
    if room.session.is_live:
        room.do("end", ended_by, seconds)
    room.finalize(seconds + 400)
    session = room.session
    assert session.state == "finalized"
    paid_by_credit = min(free, session.minutes_billed) * cents
    charged = session.minutes_billed * cents
    back = session.credit_cents
    held = int((room.wallet + room.credit()) * 100)
    assert held == wallet - (charged - paid_by_credit) + back
    assert uses() == (free > 0)
    assert ledger_check.check() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE free_minutes_use SET minutes = 1",
        "DELETE FROM free_minutes_use",
        "INSERT INTO free_minutes_use SELECT client_id, reading_session_id, promotional_credit_id, used_at, 1 FROM free_minutes_use",
        "UPDATE promotional_credit SET only_session_id = NULL",
        "UPDATE reading_session SET free_minutes = 5",
        "UPDATE reader_profile SET free_minutes = 6",
    ],
)
def test_the_database_refuses(statement: str) -> None:
    Offered(3).start(0)
    with pytest.raises((IntegrityError, psycopg.Error)), transaction():
        db.session.execute(text(statement))


def test_cards_and_pages_tell_of_it_and_the_reader_sets_it(browser, visitor) -> None:
    reader = factories.reader(slug="luna")
    reads = browser(db.session.get_one(Person, reader.person_id))
    assert reads.post("/dashboard/reader/free-minutes/", {"free_minutes": "9"}).status_code == 422
    assert reads.post("/dashboard/reader/free-minutes/", {"free_minutes": "3"}).status_code == 303
    assert '<option value="3" selected>3 minutes</option>' in reads.get("/dashboard/reader/").text
    assert "3 min free for new clients" in visitor.get("/readers/browse/").text
    client = factories.person(wallet="50.00")
    pays = browser(client)
    assert "The first 3 minutes are free" in pays.get("/readers/luna/").text
    Offered(2, client=client).start(1).do("end", "client", 5)
    assert "are free" not in pays.get("/readers/luna/").text
