"""Each planted difference is found, classed, and mended by an approved entry; nothing else moves."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from soulseer.db import db, transaction
from soulseer.domain import clock
from soulseer.domain.accounts import AccountKind
from soulseer.domain.errors import Conflict, Forbidden, NotFound
from soulseer.domain.transfers import TransferKind
from soulseer.models.ledger import LedgerTransaction
from soulseer.models.operations import AuditEntry
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.services import ledger, ledger_check, reconciliation_mending
from soulseer.services.ledger import Posting
from tests import factories
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import begun, wallet_of
from tests.reconciliation.conftest import HOURS, Stripe, differences, last_run, only_difference, reconciled
from tests.reconciliation.test_run import paid, platform

LATER = 2 * HOURS
REASON = "Looked at with both lists side by side."


def approve(found: ReconciliationDifference, actor: int | None = None) -> int | None:
    if actor is None:
        actor = factories.person("finance").id
    previewed = reconciliation_mending.fingerprint(found.proposal)
    with transaction():
        return reconciliation_mending.approve(found.id, previewed, actor, REASON, clock.now())


def mended(found: ReconciliationDifference) -> None:
    """Approve its entry; after it nothing differs and the books hold."""
    transaction_id = approve(found)
    assert transaction_id is not None
    assert reconciled(LATER)["differing"] == 0
    assert last_run().unexplained == 0
    assert last_run().gap == 0
    (row,) = [row for row in differences("mended") if row.id == found.id]
    assert (row.transaction_id, row.resolution) == (transaction_id, REASON)
    assert ledger_check.check() == []


def entries(found: ReconciliationDifference) -> list[tuple[str, str]]:
    assert found.proposal is not None
    return [(each["account"], each["amount"]) for each in found.proposal["entries"]]


def post(
    kind: TransferKind, key: str, parts: dict[Any, str], reference: str | None, reverses: int | None = None
) -> int:
    """Plant a movement in our books."""
    with transaction():
        postings = []
        for account, amount in parts.items():
            name, owner = account if isinstance(account, tuple) else (account, None)
            postings.append(Posting(ledger.account_id(name, owner), Decimal(amount)))
        made = ledger.post(kind, key, postings, clock.now(), stripe_reference=reference, reverses_id=reverses)
        return made[0]


def test_a_payment_that_no_event_told_of(sandbox: Sandbox, stripe: Stripe) -> None:
    stripe.move("charges", amount=1000)
    assert reconciled(LATER)["unexplained"] == "0.00"
    found = only_difference()
    assert (found.difference_class, found.gap) == ("missing_webhook", Decimal("10.00"))
    assert "no top-up of ours asked for it" in found.words
    assert entries(found) == [("stripe_clearing", "-10.00"), ("platform_revenue", "10.00")]
    mended(found)
    assert platform(AccountKind.PLATFORM_REVENUE) == Decimal("10.00")


def test_a_paid_top_up_whose_webhook_never_came_is_asked_for_and_credited_once(
    sandbox: Sandbox, stripe: Stripe, app: Flask
) -> None:
    person = factories.person()
    made = begun(person.id)
    sandbox.faults(drop_webhooks=1000)
    sandbox.pay(made.stripe_checkout_session_id or "")
    reconciled(LATER)
    found = only_difference()
    assert (found.difference_class, found.gap) == ("missing_webhook", Decimal("25.00"))
    assert found.proposal == {
        "action": "pull",
        "words": "Ask Stripe about this top-up; what it says is paid is credited as its webhook would have.",
        "top_up_id": made.id,
        "asked_at": None,
    }
    with pytest.raises(Conflict, match="no entry to approve"):
        approve(found)
    actor = factories.person("finance").id
    with transaction():
        reconciliation_mending.ask_again(found.id, actor, REASON, clock.now())
    assert reconciled(LATER, difference=str(found.id))["asked_again"] == 1
    assert wallet_of(person.id) == Decimal("25.00")
    (row,) = differences("closed")
    assert row.id == found.id
    assert last_run().gap == 0
    # The next run has nothing to ask.
    assert reconciled(LATER)["asked_again"] == 0
    assert wallet_of(person.id) == Decimal("25.00")
    assert ledger_check.check() == []


def test_a_transfer_that_no_payout_made(sandbox: Sandbox, stripe: Stripe) -> None:
    stripe.move("transfers", amount=4000, destination="acct_stranger")
    # It bears no name of ours: nothing of ours is on its way.
    reconciled()
    found = only_difference()
    assert (found.difference_class, found.gap) == ("orphan_transfer", Decimal("-40.00"))
    assert found.words == "Stripe sent $40.00 to acct_stranger; no payout of ours did."
    assert entries(found) == [("stripe_clearing", "40.00"), ("platform_revenue", "-40.00")]
    mended(found)


def test_a_transfer_to_one_of_our_readers_is_owed_by_the_reader(sandbox: Sandbox, stripe: Stripe) -> None:
    reader = factories.person("reader")
    with transaction():
        db.session.execute(
            text(
                "INSERT INTO payout_account (person_id, stripe_account_id, details_submitted, transfers_enabled, "
                "payouts_enabled, currently_due, past_due, pending_verification, created_at) "
                "VALUES (:person, 'acct_reader', true, true, true, '[]', '[]', '[]', now())"
            ),
            {"person": reader.id},
        )
    stripe.move("transfers", amount=4000, destination="acct_reader")
    reconciled(LATER)
    found = only_difference()
    assert entries(found) == [("stripe_clearing", "40.00"), ("reader_receivable", "-40.00")]
    mended(found)
    with transaction():
        assert ledger.balance(AccountKind.READER_RECEIVABLE, reader.id) == Decimal("-40.00")


@pytest.mark.parametrize(
    ("at_stripe", "spent", "account"),
    [(2400, "0.00", "client_wallet"), (2600, "0.00", "client_wallet"), (2400, "24.50", "client_receivable")],
)
def test_an_amount_that_is_off(
    sandbox: Sandbox, stripe: Stripe, at_stripe: int, spent: str, account: str
) -> None:
    person_id = paid(sandbox)
    if Decimal(spent):
        post(
            TransferKind.ADJUSTMENT,
            "test:spent",
            {(AccountKind.CLIENT_WALLET, person_id): f"-{spent}", AccountKind.PLATFORM_REVENUE: spent},
            None,
        )
    (line,) = stripe.lines()
    stripe.move(f"lines/{line['id']}", amount=at_stripe)
    reconciled(LATER)
    found = only_difference()
    off = Decimal(at_stripe - 2500) / 100
    assert (found.difference_class, found.gap) == ("amount", off)
    assert found.words == f"Stripe moved ${at_stripe / 100:.2f}, the books say $25.00."
    assert entries(found) == [("stripe_clearing", f"{-off:.2f}"), (account, f"{off:.2f}")]
    mended(found)


def test_a_movement_that_is_booked_twice(sandbox: Sandbox, stripe: Stripe) -> None:
    person_id = paid(sandbox)
    (line,) = stripe.lines()
    with transaction():
        reference = db.session.scalars(db.select(LedgerTransaction.stripe_reference)).one()
    twice = {AccountKind.STRIPE_CLEARING: "-25.00", (AccountKind.CLIENT_WALLET, person_id): "25.00"}
    second = post(TransferKind.TOP_UP, "planted:twice", twice, reference)
    reconciled(LATER)
    found = only_difference()
    assert (found.difference_class, found.gap) == ("duplicate", Decimal("-25.00"))
    assert found.words == f"The books have a top up of $25.00 (transaction {second}) 2 times, Stripe 1."
    assert found.proposal is not None
    assert found.proposal["reverses_id"] == second
    mended(found)
    assert wallet_of(person_id) == Decimal("25.00")
    assert line["amount"] == 2500


def test_a_double_top_up_counts_as_taken_back_to_the_cent_or_not_at_all(
    sandbox: Sandbox, stripe: Stripe
) -> None:
    person_id = paid(sandbox)
    wallet, clearing = (AccountKind.CLIENT_WALLET, person_id), AccountKind.STRIPE_CLEARING
    second = post(TransferKind.TOP_UP, "planted:twice", {clearing: "-25.00", wallet: "25.00"}, "pi_twice")
    unannounced = f"transaction {second}"
    # An entry that does not name it takes nothing of it back.
    post(TransferKind.ADJUSTMENT, "test:unnamed", {wallet: "-10.00", clearing: "10.00"}, "pi_twice")
    for number, part in enumerate(("24.99", "0.01", "0.01")):
        assert [one.subject for one in ledger_check.check()] == ([] if number == 2 else [unannounced])
        some = {wallet: f"-{part}", clearing: part}
        post(TransferKind.ADJUSTMENT, f"test:part:{number}", some, "pi_twice", second)
    assert [one.subject for one in ledger_check.check()] == [unannounced]


def test_a_top_up_that_is_paid_twice(sandbox: Sandbox, stripe: Stripe) -> None:
    person_id = paid(sandbox)
    with transaction():
        number = db.session.execute(text("SELECT id FROM top_up")).scalar_one()
    stripe.move("charges", amount=2500, metadata={"top_up_id": str(number), "person_id": str(person_id)})
    reconciled(LATER)
    found = only_difference()
    assert (found.difference_class, found.gap) == ("duplicate", Decimal("25.00"))
    assert entries(found) == [("stripe_clearing", "-25.00"), ("client_wallet", "25.00")]
    mended(found)
    assert wallet_of(person_id) == Decimal("50.00")


def test_a_fee_that_is_off(sandbox: Sandbox, stripe: Stripe) -> None:
    paid(sandbox)
    (line,) = stripe.lines()
    wrong = {AccountKind.STRIPE_CLEARING: "1.00", AccountKind.PROCESSOR_FEES: "-1.00"}
    post(TransferKind.PROCESSOR_FEE, f"fee:{line['id']}", wrong, line["id"])
    reconciled(LATER)
    found = only_difference()
    assert (found.difference_class, found.gap) == ("fee", Decimal("-0.03"))
    assert found.words == "Stripe took a fee of $1.03, the books say $1.00."
    assert found.proposal is not None
    assert found.proposal["kind"] == "processor_fee"
    mended(found)
    assert platform(AccountKind.PROCESSOR_FEES) == Decimal("-1.03")


def test_a_movement_that_stripe_knows_nothing_of(sandbox: Sandbox, stripe: Stripe) -> None:
    """At first Stripe may be late; an hour later nothing explains it, an alert stands, and it can be taken back."""
    person = factories.person()
    parts = {AccountKind.STRIPE_CLEARING: "-5.00", (AccountKind.CLIENT_WALLET, person.id): "5.00"}
    planted = post(TransferKind.TOP_UP, "planted:1", parts, "pi_nowhere")
    assert reconciled()["unexplained"] == "0.00"
    assert only_difference().difference_class == "timing"
    assert reconciled(LATER)["unexplained"] == "5.00"
    found = only_difference()
    assert (found.difference_class, found.gap) == ("unexplained", Decimal("-5.00"))
    assert found.proposal is not None
    assert found.proposal["reverses_id"] == planted
    mended(found)
    assert wallet_of(person.id) == 0


def test_a_movement_without_a_reference_is_found_as_well(sandbox: Sandbox, stripe: Stripe) -> None:
    parts = {AccountKind.STRIPE_CLEARING: "-5.00", AccountKind.PLATFORM_REVENUE: "5.00"}
    planted = post(TransferKind.ADJUSTMENT, "planted:1", parts, None)
    for later in (LATER, 2 * LATER):
        reconciled(later)
        found = only_difference()
        assert (found.reference, found.gap) == (f"transaction:{planted}", Decimal("-5.00"))
    mended(found)


def test_what_nothing_tells_of_can_be_explained_by_a_person(sandbox: Sandbox, stripe: Stripe) -> None:
    stripe.move("charges", amount=1000)
    reconciled(LATER)
    found = only_difference()
    finance = factories.person("finance").id
    with transaction():
        reconciliation_mending.explain(found.id, finance, REASON, clock.now())
    reconciled(LATER)
    row = only_difference()
    assert (row.id, row.state, row.resolution, row.settled_by) == (found.id, "explained", REASON, finance)
    assert last_run().open_by_class == {"explained": {"count": 1, "cents": 1000, "cents_without_sign": 1000}}
    assert last_run().unexplained == 0
    # Other figures are another matter: what was said does not hold for them.
    (line,) = stripe.lines()
    stripe.move(f"lines/{line['id']}", amount=1000, fee=99)
    parts = {AccountKind.STRIPE_CLEARING: "-1.00", AccountKind.PLATFORM_REVENUE: "1.00"}
    post(TransferKind.ADJUSTMENT, "planted:1", parts, row.reference)
    reconciled(LATER)
    again = only_difference()
    assert (again.id, again.state, again.gap, again.resolution) == (found.id, "open", Decimal("9.00"), None)


def test_the_same_difference_stays_the_same_row(sandbox: Sandbox, stripe: Stripe) -> None:
    stripe.move("charges", amount=1000)
    rows = []
    for _ in range(3):
        reconciled(LATER)
        found = only_difference()
        rows.append((found.id, found.first_seen_at))
    assert len(set(rows)) == 1
    assert len(differences("open", "closed", "mended", "explained")) == 1


def test_large_amounts_need_two_people_and_exactly_what_they_saw(sandbox: Sandbox, stripe: Stripe) -> None:
    stripe.move("charges", amount=10_001)
    reconciled(LATER)
    found = only_difference()
    first, second = factories.person("finance").id, factories.person("finance").id
    assert approve(found, first) is None
    assert platform(AccountKind.PLATFORM_REVENUE) == 0
    with pytest.raises(Forbidden, match="second person"):
        approve(only_difference(), first)
    with pytest.raises(Conflict, match="has changed"), transaction():
        reconciliation_mending.approve(found.id, "another", second, REASON, clock.now())
    # A run in between leaves the first approval, since the proposal is the same.
    reconciled(LATER)
    assert only_difference().approved_by == first
    assert approve(only_difference(), second) is not None
    with pytest.raises(Conflict, match="mended already"):
        approve(found, second)
    with pytest.raises(NotFound), transaction():
        reconciliation_mending.approve(999, "x", second, REASON, clock.now())
    with transaction():
        said = [
            (row.action, row.actor_id)
            for row in db.session.scalars(db.select(AuditEntry).order_by(AuditEntry.id))
            if row.object_type == "reconciliation_difference"
        ]
    assert said == [("reconciliation.approved_first", first), ("reconciliation.mended", second)]
    assert reconciled(LATER)["differing"] == 0


def test_nothing_is_mended_in_a_closed_day_but_today(sandbox: Sandbox, stripe: Stripe, app: Flask) -> None:
    """The difference is of yesterday; its entry is of today."""
    stripe.move("charges", amount=1000)
    with sandbox.stand_in.store.transaction() as connection:
        connection.execute("UPDATE object SET document = json_set(document, '$.created', created - 86400)")
    reconciled(LATER)
    found = only_difference()
    assert found.day == (clock.now() - timedelta(days=1)).date()
    finance = factories.person("finance").id
    with transaction():
        db.session.execute(
            text(
                "INSERT INTO closed_day (day, closed_at, closed_by, reason, sums, explained) VALUES (:day, now(), :by, 'x', '{}', 1)"
            ),
            {"day": found.day, "by": finance},
        )
    mended(found)


def test_approved_by_several_at_once_it_is_booked_once(sandbox: Sandbox, stripe: Stripe, app: Flask) -> None:
    stripe.move("charges", amount=1000)
    reconciled(LATER)
    found = only_difference()
    finance = [factories.person("finance").id for _ in range(4)]
    number_of_it, previewed = found.id, reconciliation_mending.fingerprint(found.proposal)

    def attempt(number: int) -> int | None:
        try:
            with transaction():
                return reconciliation_mending.approve(
                    number_of_it, previewed, finance[number], REASON, clock.now()
                )
        except Conflict:
            return None

    booked = [number for number in in_threads(app, 4, attempt) if number is not None]
    assert len(booked) == 1
    assert platform(AccountKind.PLATFORM_REVENUE) == Decimal("10.00")
    assert reconciled(LATER)["differing"] == 0
