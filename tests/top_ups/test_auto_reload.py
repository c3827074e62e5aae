"""Automatic top-ups: once, within the month's limit, announced; with cards refused, Stripe silent, workers killed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select, text

from soulseer.db import db, transaction
from soulseer.domain.accounts import AccountKind
from soulseer.domain.months import month_of
from soulseer.domain.transfers import TransferKind
from soulseer.jobs import auto_reload as job
from soulseer.jobs import runner
from soulseer.jobs.context import JobContext
from soulseer.jobs.runner import Request, RunFailed
from soulseer.models.operations import JobRun
from soulseer.models.people import Person
from soulseer.services import (
    auto_reload,
    customers,
    holds,
    ledger,
    ledger_check,
    promotion_grants,
    top_ups,
)
from soulseer.services.auto_reload import Terms
from tests import factories
from tests.money_in.conftest import Sandbox, in_threads
from tests.money_in.events import (
    alerts,
    as_event,
    books_balance,
    deliver,
    postings,
    row_of,
    wait_for,
    wallet_of,
    work,
)
from tests.top_ups.reloading import (
    ASKS_ITS_OWNER,
    DECLINED,
    NOW,
    PAYS,
    TERMS,
    act_like,
    intents,
    mails,
    reloads,
    run,
    save_card,
    settings,
    spend,
    switched_on,
)


def test_below_the_threshold_it_adds_once_and_says_so(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    assert run() == {"credited": 1}
    assert run() == {}
    assert run(timedelta(hours=2)) == {}
    assert wallet_of(person.id) == Decimal("25.00")
    (made,) = reloads(person.id)
    (intent,) = intents(sandbox)
    assert (made.state, made.stripe_payment_intent_id) == ("paid", intent["id"])
    assert made.stripe_charge_id == intent["latest_charge"]
    assert intent["metadata"]["reference"] == top_ups.reference(made)
    assert postings()[-1].idempotency_key == f"top-up:auto:{intent['id']}"
    assert mails(person.id) == ["auto_reload_receipt"]
    wait_for(lambda: len(sandbox.events("payment_intent.succeeded")) == 2)
    wait_for(
        lambda: (
            work() is not None
            and row_of(sandbox.events("payment_intent.succeeded")[-1]["id"]).status == "processed"
        )
    )
    assert (wallet_of(person.id), len(postings()), alerts()) == (Decimal("25.00"), 2, [])
    assert books_balance()
    assert ledger_check.check() == []


def test_off_by_default_and_above_the_threshold_nothing_happens(sandbox: Sandbox) -> None:
    saved, on = factories.person(), factories.person()
    save_card(sandbox, saved.id)
    save_card(sandbox, on.id)
    with transaction():
        auto_reload.switch_on(on.id, TERMS, NOW)
    assert run() == {}
    spend(on.id, Decimal("0.01"))
    assert job.run(JobContext(now=NOW, dry_run=True)) == {"dry_run": True, "people": [on.id]}
    assert run() == {"credited": 1}
    known = customers.customer_of(on.id)
    assert known is not None
    assert intents(sandbox)[0]["customer"] == known.stripe_customer_id


def test_many_workers_at_once_charge_once(sandbox: Sandbox, app: Flask) -> None:
    people = [switched_on(sandbox) for _ in range(3)]
    in_threads(app, 4, lambda _: run())
    assert [wallet_of(person.id) for person in people] == [Decimal("25.00")] * 3
    assert len(intents(sandbox)) == 3
    assert books_balance()


def test_the_database_refuses_a_second_one_under_way(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    sandbox.faults(fail_api={"status": 500, "count": 3})
    assert run() == {"unanswered": 1}
    copy = (
        "INSERT INTO top_up (person_id, account_id, amount, currency, state, return_path, created_at, origin, payment_method_id) "
        "SELECT person_id, account_id, amount, currency, 'created', return_path, created_at, origin, payment_method_id FROM top_up "
        f"WHERE person_id = {person.id} AND origin = 'auto_reload'"
    )
    with pytest.raises(Exception, match="uq_top_up_auto_reload_open"), transaction():
        db.session.execute(text(copy))


def test_the_months_limit_holds_in_the_persons_own_month(sandbox: Sandbox) -> None:
    person = switched_on(sandbox, Terms(Decimal("10.00"), Decimal("25.00"), Decimal("60.00")))
    with transaction():
        db.session.get_one(Person, person.id).time_zone = "Pacific/Auckland"
    for _ in range(2):
        assert run() == {"credited": 1}
        spend(person.id, Decimal("25.00"))
    assert run() == {}
    assert run(timedelta(seconds=30)) == {}
    assert (len(intents(sandbox)), wallet_of(person.id)) == (2, 0)
    assert mails(person.id) == ["auto_reload_receipt", "auto_reload_receipt", "auto_reload_cap"]
    _, ends = month_of(NOW, "Pacific/Auckland")
    assert settings(person.id).next_try_at == ends
    assert run(ends - NOW - timedelta(seconds=1)) == {}
    assert run(ends - NOW) == {"credited": 1}


def test_a_higher_limit_counts_at_once(sandbox: Sandbox) -> None:
    person = switched_on(sandbox, Terms(Decimal("10.00"), Decimal("25.00"), Decimal("25.00")))
    assert run() == {"credited": 1}
    spend(person.id, Decimal("25.00"))
    assert run() == {}
    with transaction():
        auto_reload.switch_on(person.id, Terms(Decimal("10.00"), Decimal("25.00"), Decimal("50.00")), NOW)
    assert run() == {"credited": 1}


@pytest.mark.parametrize(
    ("card", "words"), [(DECLINED, "declined"), (ASKS_ITS_OWNER, "confirm each payment")]
)
def test_a_card_that_is_refused_is_tried_again_and_then_switched_off(
    sandbox: Sandbox, card: str, words: str
) -> None:
    person = switched_on(sandbox)
    kept = customers.customer_of(person.id)
    assert kept is not None
    act_like(sandbox, kept.payment_method_id or "", card)
    assert run() == {"failed": 1}
    assert run(timedelta(hours=5)) == {}
    assert run(timedelta(hours=6)) == {"failed": 1}
    assert run(timedelta(hours=12)) == {"failed": 1}
    assert run(timedelta(days=30)) == {}
    assert mails(person.id) == ["auto_reload_failed", "auto_reload_failed", "auto_reload_off"]
    assert (settings(person.id).enabled, settings(person.id).off_reason) == (False, "refused")
    assert {made.state for made in reloads(person.id)} == {"failed"}
    assert words in (reloads(person.id)[0].failure or "")
    assert (wallet_of(person.id), len(intents(sandbox)), alerts()) == (0, 3, [])
    # Their events say nothing new.
    wait_for(lambda: len(sandbox.events("payment_intent.payment_failed")) == 3)
    wait_for(
        lambda: (
            work() is not None
            and row_of(sandbox.events("payment_intent.payment_failed")[-1]["id"]).status == "processed"
        )
    )
    assert settings(person.id).failures == 3


def test_a_declined_card_fails_no_run_but_a_fault_does(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = switched_on(sandbox)
    act_like(
        sandbox, (customers.customer_of(person.id) or pytest.fail("none")).payment_method_id or "", DECLINED
    )
    assert runner.run(Request(job="auto_reload", now=NOW)) == {"failed": 1}

    def fault(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(job.reloads, "record", fault)
    with pytest.raises(RunFailed):
        runner.run(Request(job="auto_reload", now=NOW + timedelta(hours=6)))
    with transaction():
        runs = db.session.scalars(select(JobRun).where(JobRun.job == "auto_reload").order_by(JobRun.id)).all()
    assert [(one.outcome, one.counts) for one in runs] == [
        ("succeeded", {"failed": 1}),
        ("failed", {"error": 1}),
    ]


def test_a_success_forgets_the_refusals_before_it(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    method = (customers.customer_of(person.id) or pytest.fail("no customer")).payment_method_id or ""
    act_like(sandbox, method, DECLINED)
    assert run() == {"failed": 1}
    act_like(sandbox, method, PAYS)
    assert run(timedelta(hours=6)) == {"credited": 1}
    assert (settings(person.id).failures, settings(person.id).next_try_at) == (0, None)


@pytest.mark.parametrize("card", [PAYS, DECLINED])
def test_done_but_not_answered_is_found_under_the_same_key(sandbox: Sandbox, card: str) -> None:
    person = switched_on(sandbox)
    act_like(sandbox, (customers.customer_of(person.id) or pytest.fail("none")).payment_method_id or "", card)
    sandbox.faults(timeout_after_effect=3, drop_webhooks=1000)
    assert run() == {"unanswered": 1}
    assert run() == {}
    assert run(timedelta(minutes=1)) == {"credited" if card == PAYS else "failed": 1}
    assert len(intents(sandbox)) == 1
    assert wallet_of(person.id) == (25 if card == PAYS else 0)


def test_killed_between_the_charge_and_the_record(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    person = switched_on(sandbox)
    sandbox.faults(drop_webhooks=1000)

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(job.reloads, "record", die)
        with pytest.raises(SystemExit):
            run()
    assert wallet_of(person.id) == 0
    assert run(timedelta(minutes=1)) == {"credited": 1}
    assert (len(intents(sandbox)), wallet_of(person.id)) == (1, Decimal("25.00"))


def test_its_event_alone_is_enough(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    person = switched_on(sandbox)
    with monkeypatch.context() as patch:
        patch.setattr(job.reloads, "record", lambda *_: (_ for _ in ()).throw(SystemExit("killed")))
        with pytest.raises(SystemExit):
            run()
    wait_for(lambda: work() is not None and wallet_of(person.id) == Decimal("25.00"))
    assert run(timedelta(minutes=5)) == {}
    assert len(postings()) == 2


def test_an_event_that_disagrees_credits_nothing(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    sandbox.faults(drop_webhooks=1000)
    assert run() == {"credited": 1}
    (intent,) = intents(sandbox)
    for number, changes in enumerate(
        [{"amount": 2600}, {"amount": 2500.0}, {"currency": "eur"}, {"id": "pi_other"}, {"metadata": {**intent["metadata"], "person_id": "9"}},
         {"metadata": {**intent["metadata"], "reference": "top-up:999:1"}}]
    ):  # fmt: skip
        deliver(sandbox, as_event(intent, f"evt_bad_{number}", "payment_intent.succeeded", **changes))
    work()
    assert {row_of(f"evt_bad_{number}").status for number in range(6)} == {"quarantined"}
    assert len(alerts()) == 6
    assert wallet_of(person.id) == Decimal("25.00")


def test_never_answered_is_given_up_and_no_other_one_follows(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    sandbox.faults(fail_api={"status": 500, "count": 3})
    assert run() == {"unanswered": 1}
    assert run(timedelta(hours=13)) == {}
    assert (reloads(person.id)[0].state, settings(person.id).off_reason) == ("failed", "refused")
    assert alerts() == [f"auto_reload_unanswered:top_up:{reloads(person.id)[0].id}"]
    assert run(timedelta(days=2)) == {}
    assert intents(sandbox) == []


def test_suspended_or_held_nobody_is_charged(sandbox: Sandbox) -> None:
    suspended, held = switched_on(sandbox), switched_on(sandbox)
    with transaction():
        db.session.get_one(Person, suspended.id).suspended_at = NOW
        db.session.execute(
            text(
                "INSERT INTO spending_hold (person_id, kind, reason, since) VALUES (:person, 'debt', 'owed', :now)"
            ),
            {"person": held.id, "now": NOW},
        )
    assert run() == {}
    assert intents(sandbox) == []


def test_credit_is_spent_before_cash_so_while_it_lasts_nothing_is_added(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    with transaction():
        promotion_grants.grant(
            person.id, Decimal("9.99"), NOW + timedelta(days=2), "a gift", NOW - timedelta(days=1), key="less"
        )
    assert run() == {"credited": 1}
    spend(person.id, wallet_of(person.id))
    with transaction():
        promotion_grants.grant(
            person.id,
            Decimal("0.01"),
            NOW + timedelta(days=1),
            "a gift",
            NOW - timedelta(days=1),
            key="a cent",
        )
    assert run() == {}
    # Expired, whether or not the job has booked it off.
    assert run(timedelta(days=1)) == {"credited": 1}


def test_a_hold_stops_them_until_it_is_lifted_and_both_are_told(sandbox: Sandbox) -> None:
    person, staff = switched_on(sandbox), factories.person("support")
    with transaction():
        holds.place(person.id, "dispute", holds.REASONS["dispute"], NOW)
        holds.place(person.id, "staff", "Please write to us.", NOW, actor_id=staff.id)
    assert run() == {}
    assert mails(person.id) == ["auto_reload_paused"]
    with transaction():
        holds.lift(person.id, "dispute", NOW)
    assert run() == {}
    with transaction():
        holds.lift(person.id, "staff", NOW, actor_id=staff.id)
    assert mails(person.id) == ["auto_reload_paused", "auto_reload_resumed"]
    assert run() == {"credited": 1}
    with transaction():
        auto_reload.switch_off(person.id, NOW)
        holds.place(person.id, "staff", "Again.", NOW, actor_id=staff.id)
    assert mails(person.id)[2:] == ["auto_reload_receipt"]


def test_a_debt_in_the_place_of_a_dispute_is_no_news(sandbox: Sandbox) -> None:
    person = switched_on(sandbox)
    with transaction():
        holds.place(person.id, "dispute", holds.REASONS["dispute"], NOW)
        ledger.open_accounts(person.id, [AccountKind.CLIENT_RECEIVABLE], NOW)
        ledger.post(
            TransferKind.ADJUSTMENT,
            "test:owed",
            [
                ledger.Posting(ledger.account_id(AccountKind.CLIENT_RECEIVABLE, person.id), -Decimal("5.00")),
                ledger.Posting(ledger.account_id(AccountKind.PLATFORM_PROMOTIONS), Decimal("5.00")),
            ],
            NOW,
        )
        holds.review(person.id, NOW)
    assert mails(person.id) == ["auto_reload_paused"]
    with transaction():
        assert holds.spending_frozen(person.id) == holds.REASONS["debt"]
