"""Events about connected accounts and transfers: hints to look at Stripe's own account or transfer."""

import re
from datetime import datetime
from typing import Any

from sqlalchemy import select

from soulseer import gateways
from soulseer.db import db
from soulseer.gateways import stripe_connect
from soulseer.gateways.stripe import known
from soulseer.gateways.stripe_connect import ConnectedAccount, Transfer
from soulseer.models.payouts import Payout, PayoutAccount
from soulseer.services import payout_accounts, payouts
from soulseer.services.payouts import Outcome
from soulseer.services.stripe_events import (
    PROCESSED,
    EventInHand,
    Handler,
    Question,
    Verdict,
    later,
    quarantined,
)

_ACCOUNT_ID = re.compile(r"acct_[A-Za-z0-9]{1,250}")
_TRANSFER_ID = re.compile(r"tr_[A-Za-z0-9]{1,250}")


def examine_account(event: EventInHand, now: datetime) -> Verdict | Question:
    """Whose account it is. One whose opening is not recorded yet is waited for."""
    account_id = event.said.get("id")
    if not isinstance(account_id, str) or not _ACCOUNT_ID.fullmatch(account_id):
        return quarantined("the event names no account", alert=False)
    person_id = db.session.scalar(
        select(PayoutAccount.person_id).where(PayoutAccount.stripe_account_id == account_id)
    )
    if person_id is not None:
        return Question(account_id, person_id)
    metadata = event.said.get("metadata")
    named = payout_accounts.number_in(metadata) if isinstance(metadata, dict) else None
    begun = payout_accounts.of(named) if named is not None else None
    if begun is not None and metadata.get("reference") == payout_accounts.reference(begun):  # type: ignore[union-attr]
        return later(f"the account {account_id} is not recorded yet")
    return quarantined(f"unknown account {account_id}", alert=False)


def ask_account(question: Question) -> ConnectedAccount | None:
    """Stripe's word on the account; None where it does not know it. Raises StripeUnavailable, StripeRefused."""
    return known(lambda: stripe_connect.retrieve_account(gateways.current().stripe, question.stripe_id))


def apply_account(
    event: EventInHand, question: Question, told: ConnectedAccount | None, now: datetime
) -> Verdict:
    """Keep what Stripe says of the account."""
    if told is None:
        return quarantined(f"Stripe does not know the account {question.stripe_id}", alert=False)
    payout_accounts.record(question.row_id or 0, told, now)
    return PROCESSED


def examine_transfer(event: EventInHand, now: datetime) -> Verdict | Question:
    """Which payout it is of: by its id, or, where the answer to our own call was lost, by the name we gave it."""
    transfer_id = event.said.get("id")
    if not isinstance(transfer_id, str) or not _TRANSFER_ID.fullmatch(transfer_id):
        return quarantined("the event names no transfer", alert=False)
    payout = db.session.scalars(select(Payout).where(Payout.stripe_transfer_id == transfer_id)).one_or_none()
    if payout is None:
        number = payouts.number_in(event.said.get("transfer_group"))
        payout = db.session.get(Payout, number) if number is not None else None
        if payout is None or payouts.reference(payout) != event.said.get("transfer_group"):
            return quarantined(f"the transfer {transfer_id} is of no payout")
    return Question(transfer_id, payout.id)


def ask_transfer(question: Question) -> Transfer | None:
    """Stripe's word on the transfer; None where it does not know it. Raises StripeUnavailable, StripeRefused."""
    return known(lambda: stripe_connect.retrieve_transfer(gateways.current().stripe, question.stripe_id))


def apply_transfer(event: EventInHand, question: Question, told: Any, now: datetime) -> Verdict:
    """Bring the payout to what Stripe says of its transfer."""
    if told is None:
        return quarantined(f"Stripe does not know the transfer {question.stripe_id}")
    recorded = payouts.record(question.row_id or 0, told, now)
    if recorded.outcome is Outcome.MISMATCH:
        # record() has raised the alert.
        return quarantined(recorded.detail, alert=False)
    return PROCESSED


HANDLERS: tuple[Handler, ...] = (
    Handler(("account.updated",), examine_account, ask_account, apply_account),
    Handler(
        ("transfer.created", "transfer.updated", "transfer.reversed"),
        examine_transfer,
        ask_transfer,
        apply_transfer,
    ),
)
