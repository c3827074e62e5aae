"""Readers' accounts at Stripe (Connect, Express): opened, kept as Stripe tells of them, paused and resumed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from soulseer import gateways
from soulseer.db import db
from soulseer.domain import policies
from soulseer.domain.errors import Conflict, NotFound
from soulseer.gateways import stripe_connect
from soulseer.gateways.stripe_connect import ConnectedAccount
from soulseer.models.payouts import PayoutAccount
from soulseer.models.people import Person
from soulseer.services import audit, mail, own_money, payout_words

FIRST_CHECK = timedelta(minutes=2)
# An account that is being set up is asked for hourly, one that works daily: events make it sooner.
SETTING_UP, WORKING = timedelta(hours=1), timedelta(days=1)
# Stripe keeps idempotency keys for at least 24 hours: past them a sweep might open a second account.
RESUMED_FOR = timedelta(hours=12)


def of(person_id: int) -> PayoutAccount | None:
    """The reader's account as Stripe last told of it."""
    return db.session.scalars(
        select(PayoutAccount)
        .where(PayoutAccount.person_id == person_id)
        .execution_options(populate_existing=True)
    ).one_or_none()


def locked(person_id: int) -> PayoutAccount | None:
    """The same with its row locked: whatever changes payouts of one reader holds this lock first."""
    return db.session.scalars(
        select(PayoutAccount)
        .where(PayoutAccount.person_id == person_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def begin(person_id: int, now: datetime) -> PayoutAccount:
    """Record that the reader wants an account at Stripe; the row that exists stays as it is."""
    db.session.execute(
        upsert(PayoutAccount)
        .values(
            person_id=person_id,
            created_at=now,
            next_check_at=now + FIRST_CHECK,
            details_submitted=False,
            transfers_enabled=False,
            payouts_enabled=False,
            currently_due=[],
            past_due=[],
            pending_verification=[],
        )
        .on_conflict_do_nothing()
    )
    found = locked(person_id)
    if found is None:
        raise NotFound()
    return found


def reference(account: PayoutAccount) -> str:
    """The account's name at Stripe (idempotency key), the same at every retry; its instant tells apart the databases
    of one test account."""
    return f"payout-account:{account.person_id}:{int(account.created_at.timestamp() * 1_000_000)}"


def ask_stripe(account: PayoutAccount, email: str | None) -> ConnectedAccount:
    """The account as Stripe has it now, opened first if that was not done yet.

    Call it outside any transaction. Raises StripeUnavailable (may be repeated: same key), StripeRefused.
    """
    stripe = gateways.current().stripe
    if account.stripe_account_id is not None:
        return stripe_connect.retrieve_account(stripe, account.stripe_account_id)
    name = reference(account)
    return stripe_connect.create_account(
        stripe, email, {"person_id": str(account.person_id), "reference": name}, name
    )


def link(account: PayoutAccount) -> str:
    """The address of Stripe's page where the reader tells what is missing. Raises StripeUnavailable, StripeRefused."""
    base = f"{policies.current().app_base_url}/payouts"
    return stripe_connect.onboarding_link(
        gateways.current().stripe,
        account.stripe_account_id or "",
        return_url=f"{base}/returned/",
        refresh_url=f"{base}/continue/",
    )


def record(person_id: int, told: ConnectedAccount, now: datetime) -> PayoutAccount:
    """Keep what Stripe says of the reader's account; mail to the reader where it newly needs something of them.

    ``told`` comes from Stripe itself, never from an event. Raises Conflict where the reader has another account.
    """
    account = locked(person_id)
    if account is None or account.stripe_account_id not in (None, told.id):
        raise Conflict(f"Person {person_id} has another account at Stripe than {told.id}.")
    needs_before = set(account.currently_due) | set(account.past_due)
    worked = account.details_submitted
    account.stripe_account_id = told.id
    account.details_submitted = told.details_submitted
    account.transfers_enabled, account.payouts_enabled = told.transfers_enabled, told.payouts_enabled
    account.currently_due, account.past_due = list(told.currently_due), list(told.past_due)
    account.pending_verification = list(told.pending_verification)
    account.disabled_reason = told.disabled_reason
    account.checked_at = now
    account.next_check_at = now + (WORKING if told.transfers_enabled else SETTING_UP)
    needs = set(told.currently_due) | set(told.past_due)
    if worked and needs - needs_before:
        words = payout_words.all_needed([*told.past_due, *told.currently_due])
        mail.queue(
            person_id,
            "payout_requirements",
            {"needed": "\n".join(f"- {line}" for line in words), "page": page()},
            now,
            key=f"payout_requirements:{person_id}:{int(now.timestamp() * 1_000_000)}",
        )
    return account


def page() -> str:
    """The address of the reader's payouts."""
    return f"{policies.current().app_base_url}/payouts/"


def pause(person_id: int, reason: str, now: datetime, *, actor_id: int | None = None) -> None:
    """Stop payouts to the reader, who may read ``reason``; ``actor_id`` None is the system.

    A pause by staff is not replaced by one of the system. Raises NotFound where payouts were never set up, Conflict
    where staff pause what is paused by staff.
    """
    account = locked(person_id)
    if account is None:
        raise NotFound("This reader has not set up payouts.")
    if account.paused_at is not None:
        if actor_id is None:
            return
        if account.paused_by is not None:
            raise Conflict("Payouts to this reader are paused already.")
    account.paused_at, account.paused_by, account.pause_reason = now, actor_id, reason
    audit.record("payouts.paused", "payout_account", person_id, now, actor_id=actor_id, reason=reason)
    mail.queue(
        person_id,
        "payouts_paused",
        {"reason": reason, "page": page()},
        now,
        key=f"payouts_paused:{person_id}:{int(now.timestamp() * 1_000_000)}",
    )


def resume(person_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Let payouts to the reader go on. Raises NotFound, Forbidden for one's own, Conflict where they are not paused."""
    own_money.refuse(actor_id, [person_id])
    account = locked(person_id)
    if account is None:
        raise NotFound("This reader has not set up payouts.")
    if account.paused_at is None:
        raise Conflict("Payouts to this reader are not paused.")
    before = account.pause_reason
    account.paused_at = account.paused_by = account.pause_reason = None
    audit.record(
        "payouts.resumed", "payout_account", person_id, now, actor_id=actor_id, reason=reason,
        details={"paused_for": before},
    )  # fmt: skip


def claim_due(now: datetime) -> tuple[PayoutAccount, str | None] | None:
    """Take one account that is due to be asked for at Stripe, with its owner's email; None where there is none.

    It comes back later by itself. One that was not opened in time waits for the reader's next click.
    """
    while True:
        account = db.session.scalars(
            select(PayoutAccount)
            .where(PayoutAccount.next_check_at <= now)
            .order_by(PayoutAccount.next_check_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if account is None:
            return None
        if account.stripe_account_id is None and now - account.created_at > RESUMED_FOR:
            account.next_check_at = None
            db.session.flush()
            continue
        account.next_check_at = now + SETTING_UP
        return account, db.session.scalar(select(Person.email).where(Person.id == account.person_id))


def number_in(metadata: Mapping[str, str]) -> int | None:
    """The person's id in the metadata of an account; None where it is none of ours."""
    value = metadata.get("person_id", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
