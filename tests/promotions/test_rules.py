"""Credit is spent before cash, oldest expiry first, never past its expiry, and comes back as credit."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict, IdempotencyMismatch, InsufficientFunds, InvalidInput, NotFound
from soulseer.domain.transfers import TransferKind
from soulseer.services import ledger, ledger_check, promotion_grants, promotion_spending, promotions, readings
from tests import factories
from tests.factories import START
from tests.promotions.credit import credit, give, grants
from tests.readings.room import Room, at


def conversions() -> list[tuple[str, str]]:
    db.session.rollback()
    rows = db.session.execute(
        text(
            "SELECT t.idempotency_key, e.amount FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id "
            "WHERE t.kind = 'promotion_spent' AND e.amount > 0 ORDER BY t.id"
        )
    )
    return [(row[0], str(Decimal(row[1]) / 100)) for row in rows]


def test_credit_goes_first_then_both_then_cash(app: Flask) -> None:
    room = Room(wallet="10.00", rate="2.00")
    give(room.client.id, "3.00")
    room.start()
    assert (room.wallet, credit(room.client.id)) == (Decimal("10.00"), Decimal("1.00"))
    room.beats(10, 70)
    assert (room.wallet, credit(room.client.id)) == (Decimal("9.00"), Decimal("0.00"))
    room.beats(80, 130)
    assert (room.wallet, room.session.minutes_billed) == (Decimal("7.00"), 3)
    key = f"reading:{room.id}:promotion:"
    assert conversions() == [(f"{key}1", "2"), (f"{key}2", "1")]
    assert room.earnings == Decimal("4.20")
    assert ledger_check.check() == []


def test_what_expires_first_goes_first_whenever_it_was_granted(app: Flask) -> None:
    room = Room(wallet="5.00", rate="2.50")
    for amount, seconds in (("5.00", 9_000), ("1.00", 500), ("2.00", 1_000)):
        give(room.client.id, amount, seconds)
    room.start()
    assert grants(room.client.id) == [
        ("5.00", "5.00", "0.00", "open"),
        ("1.00", "0.00", "0.00", "spent"),
        ("2.00", "0.50", "0.00", "open"),
    ]


def test_a_request_needs_credit_and_cash_together(app: Flask) -> None:
    client, reader = factories.person(wallet="1.00"), factories.reader("2.00")
    give(client.id, "0.99")
    with pytest.raises(InsufficientFunds) as refused, transaction():
        readings.request(client.id, reader.slug, "text", START)
    assert refused.value.missing == Decimal("0.01")
    give(client.id, "0.01")
    with transaction():
        readings.request(client.id, reader.slug, "text", START)


@pytest.mark.parametrize(("second", "good"), [(59.999999, True), (60, False), (60.000001, False)])
def test_past_its_expiry_it_is_not_spent_though_no_job_has_run(app: Flask, second: float, good: bool) -> None:
    client = factories.person(wallet="0.00")
    give(client.id, "5.00", 60)
    held = promotions.holding(client.id, at(second))
    assert held.spendable == (Decimal("5.00") if good else 0)
    assert (held.next_expiry is not None) == good
    with transaction():
        assert promotion_spending.cover(client.id, Decimal("1.00"), "k", "tip:1", at(second)) == (
            1 if good else 0
        )


def test_a_reading_stops_where_credit_expires_in_it(app: Flask) -> None:
    room = Room(wallet="1.00", rate="1.00")
    give(room.client.id, "5.00", 90)
    room.start()
    room.beats(10, 200)
    # The first two minutes by credit, the third by cash, the fourth by nothing.
    assert room.session.minutes_billed == 3
    assert (room.session.state, room.session.pause_cause) == ("paused", "low_balance")
    assert (room.wallet, credit(room.client.id)) == (Decimal("0.00"), Decimal("3.00"))
    assert ledger_check.check() == []


def test_nothing_is_moved_where_both_together_cannot_pay(app: Flask) -> None:
    """Else credit would lie in the wallet as cash."""
    room = Room(wallet="2.50", rate="2.00")
    give(room.client.id, "1.00", at=1)
    room.start()
    assert (room.wallet, credit(room.client.id)) == (Decimal("1.50"), Decimal("0.00"))
    give(room.client.id, "0.40")
    room.beats(10, 70)
    assert (room.session.state, room.wallet, credit(room.client.id)) == (
        "paused",
        Decimal("1.50"),
        Decimal("0.40"),
    )
    with pytest.raises(InsufficientFunds) as refused:
        room.do("reconnect", "client", 71)
    assert refused.value.missing == Decimal("0.10")
    give(room.client.id, "0.10")
    room.do("reconnect", "client", 72)
    room.do("join", "client", 72)
    room.do("join", "reader", 73)
    room.beats(74, 75)
    assert (room.session.state, room.session.minutes_billed) == ("active", 2)
    assert (room.wallet, credit(room.client.id)) == (Decimal("0.00"), Decimal("0.00"))
    assert ledger_check.check() == []


def test_a_late_catch_up_uses_each_grant_once(app: Flask) -> None:
    room = Room(wallet="4.00", rate="1.50")
    for amount in ("0.70", "1.10", "0.20"):
        give(room.client.id, amount)
    room.start()
    room.tick(301, assume_present=True)
    # Six dollars are four minutes.
    assert (room.session.minutes_billed, room.session.state) == (4, "paused")
    assert (room.wallet, credit(room.client.id)) == (Decimal("0.00"), Decimal("0.00"))
    assert sum(Decimal(amount) for _, amount in conversions()) == 2
    room.tick(302, assume_present=True)
    assert ledger_check.check() == []


def tip(client_id: int, amount: str) -> None:
    """Spend four dollars of credit on a tip of ``amount``, in one transaction."""
    with transaction():
        assert promotion_spending.cover(client_id, Decimal("4.00"), "tip:1", "tip:1", START) == 4
        wallet = ledger.Posting(ledger.account_id(AccountKind.CLIENT_WALLET, client_id), -Decimal(amount))
        revenue = ledger.Posting(ledger.account_id(AccountKind.PLATFORM_REVENUE), Decimal(amount))
        ledger.post(TransferKind.SHOP_ORDER, "order", [wallet, revenue], START)


def test_a_charge_that_fails_leaves_the_credit_where_it_was(app: Flask) -> None:
    client = factories.person(wallet="0.00")
    give(client.id, "5.00")
    with pytest.raises(InsufficientFunds):
        tip(client.id, "5.00")
    assert (grants(client.id), conversions()) == ([("5.00", "5.00", "0.00", "open")], [])
    tip(client.id, "4.00")
    assert (grants(client.id), conversions()) == ([("5.00", "1.00", "0.00", "open")], [("tip:1", "4")])
    assert ledger_check.check() == []


def test_credit_spent_on_a_minute_that_does_not_come_stops_the_transaction(app: Flask) -> None:
    room = Room(wallet="5.00", rate="1.00").start()
    paid, unpaid = (promotion_spending.MinuteWant(room.id, minute, 1, 100) for minute in (1, 2))
    promotion_spending.check_charged([paid])
    with pytest.raises(promotion_spending.SpentForNothing):
        promotion_spending.check_charged([paid, unpaid])


class TestFairCredit:
    def test_paid_by_credit_alone_it_is_credit_again(self, app: Flask) -> None:
        room = Room(wallet="3.00", rate="3.00")
        give(room.client.id, "3.00", 100_000)
        room.start()
        room.do("end", "reader", 20)
        assert (room.wallet, credit(room.client.id)) == (Decimal("3.00"), Decimal("2.00"))
        assert grants(room.client.id)[1:] == [("2.00", "2.00", "0.00", "open")]
        given = promotions.of_person(room.client.id)[0]
        # The grant would have lived for a day and some more: what comes back lives for a week at least.
        assert given.expires_at == at(20) + timedelta(days=7)
        room.finalize(21)
        assert room.session.state == "finalized"
        assert ledger_check.check() == []

    def test_a_grant_that_lives_longer_keeps_its_end(self, app: Flask) -> None:
        room = Room(wallet="3.00", rate="3.00")
        give(room.client.id, "3.00", 30 * 86_400)
        room.start()
        room.do("end", "reader", 20)
        assert promotions.of_person(room.client.id)[0].expires_at == START + timedelta(days=30)

    def test_cash_comes_back_first_and_never_more_than_was_paid(self, app: Flask) -> None:
        room = Room(wallet="3.00", rate="3.00")
        give(room.client.id, "2.50")
        room.start()
        assert room.wallet == Decimal("2.50")
        room.do("end", "reader", 20)
        # Two dollars come back; half a dollar was cash.
        assert (room.wallet, credit(room.client.id)) == (Decimal("3.00"), Decimal("1.50"))
        room.finalize(21)
        assert room.session.state == "finalized"
        assert ledger_check.check() == []

    def test_an_expired_grant_is_given_back_too(self, app: Flask) -> None:
        room = Room(wallet="3.00", rate="3.00")
        give(room.client.id, "3.00", 10)
        room.start(5)
        room.do("end", "reader", 25)
        assert (room.wallet, credit(room.client.id)) == (Decimal("3.00"), Decimal("2.00"))
        assert promotions.holding(room.client.id, at(26)).promotional == Decimal("2.00")

    def test_the_parts_of_several_grants_are_grants_again_the_longest_first(self, app: Flask) -> None:
        room = Room(wallet="3.00", rate="3.00")
        for amount, days in (("1.00", 10), ("1.50", 20), ("5.00", 30)):
            give(room.client.id, amount, days * 86_400)
        room.start()
        room.do("end", "reader", 20)
        assert grants(room.client.id)[3:] == [
            ("0.50", "0.50", "0.00", "open"),
            ("1.50", "1.50", "0.00", "open"),
        ]
        ends = [one.expires_at for one in promotions.of_person(room.client.id)[:2]]
        assert ends == [START + timedelta(days=20), START + timedelta(days=30)]


class TestGiveBack:
    """What refunds build on."""

    def test_in_parts_until_nothing_is_left(self, app: Flask) -> None:
        room = Room(wallet="10.00", rate="2.00")
        give(room.client.id, "3.00")
        room.start()
        room.beats(10, 130)
        charged, purpose = Decimal("6.00"), f"reading:{room.id}"

        def preview(amount: str, returned: str) -> list[tuple[str, Decimal]]:
            found = promotions.preview_give_back(
                purpose, Decimal(amount), charged=charged, returned=Decimal(returned)
            )
            return [(str(kind), part) for kind, part in found]

        wallet, promotional = "client_wallet", "client_promotional_credit"
        assert preview("2.00", "0.00") == [(wallet, Decimal("2.00"))]
        assert preview("4.00", "0.00") == [(wallet, Decimal("3.00")), (promotional, Decimal("1.00"))]
        with pytest.raises(Conflict):
            preview("6.01", "0.00")
        with pytest.raises(Conflict):
            preview("0.01", "6.00")
        with pytest.raises(Conflict), transaction():
            promotions.give_back(room.client.id, purpose, Decimal("3.01"), 1, at(131))

    def test_what_was_paid_in_cash_alone_comes_back_as_cash(self, app: Flask) -> None:
        found = promotions.preview_give_back(
            "reading:1", Decimal("2.00"), charged=Decimal("2.00"), returned=Decimal("0.00")
        )
        assert found == [(AccountKind.CLIENT_WALLET, Decimal("2.00"))]


class TestGrants:
    def grant(self, person_id: int, **more: object) -> tuple[int, bool]:
        values: dict[str, object] = {"amount": Decimal("5.00"), "expires_at": at(60), "key": "k", **more}
        with transaction():
            made, new = promotion_grants.grant(
                person_id,
                values.pop("amount"),
                values.pop("expires_at"),
                "a good reason",
                START,
                **values,  # type: ignore[arg-type]
            )
            return made.id, new

    def test_the_same_key_is_the_same_grant(self, app: Flask) -> None:
        client = factories.person()
        first, new = self.grant(client.id)
        assert new
        assert self.grant(client.id) == (first, False)
        assert credit(client.id) == Decimal("5.00")
        with pytest.raises(IdempotencyMismatch):
            self.grant(client.id, amount=Decimal("5.01"))
        with pytest.raises(IdempotencyMismatch):
            self.grant(factories.person().id)

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("amount", {"amount": Decimal("0.00")}),
            ("amount", {"amount": Decimal("-1.00")}),
            ("amount", {"amount": Decimal("500.01")}),
            ("expires_at", {"expires_at": START}),
            ("expires_at", {"expires_at": START + timedelta(days=731)}),
        ],
    )
    def test_what_does_not_fit_is_refused(self, app: Flask, field: str, values: dict[str, object]) -> None:
        client = factories.person()
        with pytest.raises(InvalidInput) as refused:
            self.grant(client.id, **values)
        assert refused.value.field == field
        assert grants(client.id) == []

    def test_nobody_unknown_nobody_without_a_wallet_and_not_oneself(self, app: Flask) -> None:
        client = factories.person()
        with pytest.raises(NotFound):
            self.grant(999)
        with pytest.raises(InvalidInput) as refused:
            self.grant(client.id, actor_id=client.id)
        assert refused.value.field == "person"

    def test_support_has_a_limit_for_each_person_and_day(self, app: Flask) -> None:
        support, client = factories.person("support"), factories.person()
        self.grant(client.id, amount=Decimal("20.00"), actor_id=support.id, limited=True)
        with pytest.raises(InvalidInput):
            self.grant(client.id, amount=Decimal("5.01"), actor_id=support.id, limited=True, key="b")
        self.grant(client.id, amount=Decimal("5.00"), actor_id=support.id, limited=True, key="c")
        self.grant(factories.person().id, amount=Decimal("25.00"), actor_id=support.id, limited=True, key="d")
        self.grant(client.id, amount=Decimal("500.00"), actor_id=support.id, key="e")
