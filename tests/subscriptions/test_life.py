"""A subscription's life over the real stand-in: trial, renewal, failure and recovery, change, cancellation."""

from datetime import timedelta
from decimal import Decimal

import pytest
import requests

from soulseer.blueprints import membership_deeds
from soulseer.domain import clock
from soulseer.domain.errors import Conflict, NotFound
from soulseer.gateways.stripe import StripeRefused, StripeUnavailable
from tests.money_in.conftest import SECRET_KEY
from tests.money_in.events import alerts, statuses

DAY = timedelta(days=1)


def test_a_trial_costs_nothing_and_its_end_does(member) -> None:
    reader = member()
    assert reader.plan() == "free"
    row = reader.subscribe("starter")
    assert (row.state, reader.plan(), reader.booked()) == ("trialing", "starter", [])
    assert reader.invoices() == [("paid", "0.00")]
    reader.switch("renew")
    assert (reader.row().state, reader.booked()) == ("active", ["29.00"])
    assert reader.mails() == ["subscription_welcome", "subscription_receipt"]
    reader.switch("renew")
    assert reader.booked() == ["29.00", "29.00"]
    assert reader.invoices() == [("paid", "0.00"), ("paid", "29.00"), ("paid", "29.00")]
    assert alerts() == []


def test_one_is_told_before_a_trial_ends(member) -> None:
    reader = member()
    row = reader.subscribe("starter")
    assert reader.sweep() == {}
    told = row.trial_end - clock.now() - timedelta(days=2)
    assert reader.sweep(told) == {"trialing": 1}
    assert reader.mails() == ["subscription_welcome", "subscription_trial_ending"]


def test_without_a_trial_the_first_invoice_is_booked(member) -> None:
    reader = member()
    row = reader.subscribe("enterprise", "year")
    assert (row.state, reader.booked()) == ("active", ["4990.00"])
    assert row.current_period_end - clock.now() > 364 * DAY
    assert reader.mails() == ["subscription_welcome", "subscription_receipt"]


def test_a_seekers_premium_is_a_plan_too(member) -> None:
    client = member("client")
    assert client.plan() is None
    client.subscribe("premium", "year")
    client.switch("renew")
    assert (client.plan(), client.booked()) == ("premium", ["99.00"])


def test_a_failed_payment_leaves_the_plan_for_its_grace_and_recovers(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.at_stripe("fail")
    reader.switch("renew")
    row = reader.row()
    assert (row.state, reader.plan()) == ("past_due", "enterprise")
    assert timedelta(days=6) < row.grace_until - clock.now() < timedelta(days=7, seconds=5)
    assert reader.plan(row.grace_until) == "free"
    reader.switch("card")
    assert (reader.row().state, reader.row().grace_until) == ("active", None)
    assert reader.booked() == ["499.00", "499.00"]
    assert reader.mails()[2:] == [
        "subscription_payment_failed",
        "subscription_recovered",
        "subscription_receipt",
    ]


def test_after_the_grace_the_plan_lapses_and_comes_back_when_paid(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.at_stripe("fail")
    reader.switch("renew")
    assert reader.sweep(6 * DAY) == {"past_due": 1}
    assert reader.plan() == "enterprise"
    assert reader.sweep(7 * DAY + timedelta(minutes=1)) == {"lapsed": 1}
    assert (reader.row().state, reader.plan()) == ("lapsed", "free")
    reader.switch("forward", days=9)
    assert reader.row().state == "lapsed"
    reader.switch("card")
    assert (reader.row().state, reader.plan(), reader.booked()) == (
        "active",
        "enterprise",
        ["499.00", "499.00"],
    )
    assert "subscription_lapsed" in reader.mails()


def test_stripe_gives_up_in_the_end_and_one_may_subscribe_again_without_a_second_trial(member) -> None:
    reader = member()
    reader.subscribe("starter")
    reader.at_stripe("fail")
    reader.switch("forward", days=40)
    assert (reader.row().state, reader.plan()) == ("canceled", "free")
    assert reader.mails()[-1] == "subscription_ended"
    again = reader.subscribe("starter")
    assert (again.state, again.trial_days, reader.booked()) == ("active", 0, ["29.00"])


def test_an_upgrade_costs_what_was_previewed(member) -> None:
    reader = member()
    reader.subscribe("starter")
    reader.switch("renew")
    now = clock.now()
    _, plan, reckoned = membership_deeds.preview(
        reader.person_id, reader.row().id, "professional", "month", now
    )
    assert plan.code == "professional"
    assert 6900 <= reckoned.amount_due_cents <= 7000
    reader.do("change", code="professional", interval="month", reckoned_at=now)
    assert reader.plan() == "professional"
    assert Decimal(reader.booked()[-1]) * 100 == reckoned.amount_due_cents
    # The same click once more changes nothing.
    reader.do("change", code="professional", interval="month", reckoned_at=now)
    assert len(reader.booked()) == 2
    reader.settle()
    assert len(reader.booked()) == 2


def test_a_downgrade_is_a_credit_for_the_next_invoices(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.do("change", code="starter", interval="month")
    reader.settle()
    assert (reader.plan(), reader.booked()) == ("starter", ["499.00"])
    reader.switch("renew")
    assert reader.booked() == ["499.00"]
    assert reader.invoices()[-1] == ("paid", "0.00")
    assert alerts() == []


def test_a_change_whose_charge_is_declined_changes_nothing(member) -> None:
    reader = member()
    reader.subscribe("starter")
    reader.switch("renew")
    reader.at_stripe("fail")
    with pytest.raises(StripeRefused, match="Nothing was changed"):
        reader.do("change", code="professional", interval="month")
    assert (reader.plan(), reader.booked(), reader.row().state) == ("starter", ["29.00"], "active")


def test_cancel_at_the_periods_end_undo_and_cancel_again(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.do("cancel")
    reader.do("cancel")
    assert (reader.row().cancel_at_period_end, reader.plan()) == (True, "enterprise")
    reader.do("undo")
    assert (reader.row().cancel_at_period_end, reader.row().state) == (False, "active")
    reader.do("cancel")
    reader.switch("renew")
    assert (reader.row().state, reader.plan(), reader.booked()) == ("canceled", "free", ["499.00"])
    assert reader.mails().count("subscription_will_end") == 1
    with pytest.raises(Conflict):
        reader.do("undo")


def test_canceling_an_unpaid_plan_ends_it_at_once(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.at_stripe("fail")
    reader.switch("renew")
    reader.do("cancel")
    assert (reader.row().state, reader.plan()) == ("canceled", "free")


def test_somebody_elses_subscription_is_not_found(member) -> None:
    reader, other = member(), member()
    row = reader.subscribe("enterprise")
    for kind in ("cancel", "undo"):
        with pytest.raises(NotFound):
            membership_deeds.carry_out(other.person_id, row.id, kind)
    with pytest.raises(NotFound):
        membership_deeds.preview(other.person_id, row.id, "starter", "month", clock.now())
    assert not reader.row().cancel_at_period_end


def test_a_lost_answer_to_a_cancellation_is_gone_on_with_by_the_sweep(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    # The call and the SDK's own repeats of it.
    reader.sandbox.faults(timeout_after_effect=3)
    with pytest.raises(StripeUnavailable):
        reader.do("cancel")
    assert not reader.row().cancel_at_period_end
    assert reader.sweep(timedelta(minutes=3)) == {"order_done": 1}
    assert reader.row().cancel_at_period_end


def test_a_lost_answer_to_an_upgrade_is_charged_once(member) -> None:
    reader = member()
    reader.subscribe("starter")
    reader.switch("renew")
    reader.sandbox.faults(timeout_after_effect=3)
    with pytest.raises(StripeUnavailable):
        reader.do("change", code="enterprise", interval="month")
    assert reader.sweep(timedelta(minutes=3)) == {"order_done": 1}
    reader.settle()
    assert (reader.plan(), len(reader.booked())) == ("enterprise", 2)


def test_a_renewal_that_nobody_told_of_is_found_by_the_sweep(member) -> None:
    reader = member()
    row = reader.subscribe("enterprise")
    reader.sandbox.faults(drop_webhooks=100)
    reader.at_stripe("renew")
    assert reader.sweep(row.current_period_end - clock.now() + timedelta(hours=2)) == {"active": 1}
    assert reader.booked() == ["499.00", "499.00"]


def test_a_late_payment_that_nobody_told_of_is_found_within_hours(member) -> None:
    reader = member()
    reader.subscribe("enterprise")
    reader.at_stripe("fail")
    reader.switch("renew")
    reader.sandbox.faults(drop_webhooks=100)
    reader.at_stripe("card")
    assert reader.sweep(timedelta(hours=3)) == {"active": 1}
    assert reader.booked() == ["499.00", "499.00"]


def test_what_is_canceled_at_stripe_is_canceled_here(member) -> None:
    reader = member()
    row = reader.subscribe("enterprise")
    url = f"{reader.sandbox.stripe}/v1/subscriptions/{row.stripe_subscription_id}"
    requests.delete(url, auth=(SECRET_KEY, ""), timeout=5).raise_for_status()
    reader.settle()
    assert reader.row().state == "canceled"
    assert set(statuses().values()) <= {"processed", "ignored"}
