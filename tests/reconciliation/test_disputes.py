"""What a dispute takes beyond what is left of its payment: seen as a difference, mended by an approved entry."""

from decimal import Decimal

import pytest

from soulseer.db import transaction
from soulseer.domain import clock
from soulseer.domain.errors import Conflict
from soulseer.services import ledger_check, reconciliation_mending
from tests import factories
from tests.disputes.bank import ask_back, balances, bank, catch_up, dispute, give_back, paid, spend, standing
from tests.money_in.conftest import Sandbox
from tests.money_in.events import alerts
from tests.reconciliation.conftest import HOURS, Stripe, differences, last_run, only_difference, reconciled
from tests.reconciliation.test_differences import REASON, approve, entries

LATER = 2 * HOURS


def even() -> None:
    """Nothing differs any more, and the books hold."""
    reconciled(LATER)
    assert differences() == []
    assert last_run().gap == 0
    assert ledger_check.check() == []


@pytest.mark.parametrize(
    ("spent", "paid_since", "owed", "in_the_end"),
    [
        ("0.00", None, "0.00", "115.00"),
        ("100.00", None, "10.00", "15.00"),
        # The debt is smaller than what comes back by the time it does: the rest is the client's to spend.
        ("115.00", "10.00", "25.00", "10.00"),
    ],
)
def test_what_is_above_the_rest_of_its_payment_is_mended(
    sandbox: Sandbox, stripe: Stripe, spent: str, paid_since: str | None, owed: str, in_the_end: str
) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    paid(sandbox, client.id, "100.00")
    give_back(sandbox, payment, 1000)
    catch_up(sandbox)
    if Decimal(spent):
        spend(client.id, spent)
    name = ask_back(sandbox, payment, 2500)
    catch_up(sandbox)
    assert dispute(name).taken_amount == 15
    assert f"dispute_above_payment:dispute:{dispute(name).id}" in alerts()

    reconciled(LATER)
    found = only_difference()
    assert (found.reference, found.difference_class, found.gap) == (name, "amount", Decimal("-10.00"))
    assert found.words == "Stripe moved $25.00, the books say $15.00."
    account = "client_receivable" if Decimal(spent) else "client_wallet"
    assert entries(found) == [("stripe_clearing", "10.00"), (account, "-10.00")]
    assert approve(found)
    even()
    assert balances(client.id)[1] == owed
    if paid_since is not None:
        paid(sandbox, client.id, paid_since)

    bank(sandbox, name, "win")
    catch_up(sandbox)
    reconciled(LATER)
    back = only_difference()
    assert (back.difference_class, back.gap) == ("amount", Decimal("10.00"))
    assert approve(back)
    even()
    assert balances(client.id) == (in_the_end, "0.00")
    assert standing(client.id) == []


def test_with_nothing_left_of_its_payment_all_of_it_is_mended(sandbox: Sandbox, stripe: Stripe) -> None:
    client, finance = factories.person(), factories.person("finance")
    payment = paid(sandbox, client.id)
    give_back(sandbox, payment, 2500)
    catch_up(sandbox)
    name = ask_back(sandbox, payment, 2500)
    catch_up(sandbox)
    assert dispute(name).taken_transaction_id is None
    for gap, deed in (("-25.00", None), ("25.00", "win")):
        if deed is not None:
            # The debt is paid before the bank decides for us.
            paid(sandbox, client.id, "25.00")
            bank(sandbox, name, deed)
            catch_up(sandbox)
        reconciled(LATER)
        found = only_difference()
        assert (found.reference, found.difference_class, found.gap) == (name, "missing_webhook", Decimal(gap))
        with transaction():
            reconciliation_mending.ask_again(found.id, finance.id, REASON, clock.now())
        assert reconciled(LATER, difference=str(found.id))["asked_again"] == 1
        assert approve(only_difference())
        even()
        assert balances(client.id) == (("0.00", "25.00") if deed is None else ("25.00", "0.00"))
    assert standing(client.id) == []


def test_an_entry_that_would_pay_more_than_is_owed_by_now_is_not_booked(
    sandbox: Sandbox, stripe: Stripe
) -> None:
    client = factories.person()
    payment = paid(sandbox, client.id)
    paid(sandbox, client.id, "100.00")
    give_back(sandbox, payment, 1000)
    catch_up(sandbox)
    spend(client.id, "115.00")
    name = ask_back(sandbox, payment, 2500)
    catch_up(sandbox)
    reconciled(LATER)
    assert approve(only_difference())
    bank(sandbox, name, "win")
    catch_up(sandbox)
    reconciled(LATER)
    back = only_difference()
    assert entries(back) == [("stripe_clearing", "-10.00"), ("client_receivable", "10.00")]
    paid(sandbox, client.id, "10.00")
    with pytest.raises(Conflict, match="was paid meanwhile"):
        approve(back)
    reconciled(LATER)
    assert entries(only_difference()) == [("stripe_clearing", "-10.00"), ("client_wallet", "10.00")]
    assert approve(only_difference())
    even()
    assert balances(client.id) == ("10.00", "0.00")
