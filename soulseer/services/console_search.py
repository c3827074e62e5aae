"""One search for everything that staff have a name, a number or an id of; each part by an index, and only asked where
the role may see what it finds."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, literal, literal_column, or_, select, union_all
from sqlalchemy import text as sql

from soulseer.db import db
from soulseer.domain.errors import NotFound
from soulseer.models.disputes import Dispute
from soulseer.models.ledger import LedgerAccount, LedgerAlert, LedgerTransaction, ReadingMinute
from soulseer.models.moderation import ModerationCase
from soulseer.models.operations import AuditEntry, JobRun
from soulseer.models.payments import StripeCustomer, TopUp, WebhookEvent
from soulseer.models.payouts import Payout, PayoutAccount
from soulseer.models.people import Person
from soulseer.models.readers import ReaderProfile
from soulseer.models.readings import ReadingReceipt, ReadingSession
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.models.refunds import Refund
from soulseer.models.subscriptions import Subscription, SubscriptionInvoice
from soulseer.services.console import LARGEST, named
from soulseer.services.readers import SEARCHED, escaped
from soulseer.services.receipt_verification import normal_code

LONGEST, SHORTEST, MOST = 200, 2, 8
# Trigrams need three letters.
SHORTEST_INSIDE = 3

# What has a number: the word that may stand before it, the page of the console, and the column.
NUMBERED: tuple[tuple[str, str, Any], ...] = (
    ("reading", "sessions", ReadingSession.id),
    ("person", "people", Person.id),
    ("transaction", "transactions", LedgerTransaction.id),
    ("account", "accounts", LedgerAccount.id),
    ("top-up", "top_ups", TopUp.id),
    ("refund", "refunds", Refund.id),
    ("case", "cases", ModerationCase.id),
    ("payout", "payouts", Payout.id),
    ("dispute", "disputes", Dispute.id),
    ("subscription", "subscriptions", Subscription.id),
    ("alert", "alerts", LedgerAlert.id),
    ("difference", "differences", ReconciliationDifference.id),
    ("event", "webhooks", WebhookEvent.id),
    ("run", "runs", JobRun.id),
    ("audit", "audit", AuditEntry.id),
)
NOUNS = {page: noun for noun, page, _ in NUMBERED} | {"payout_accounts": "payout account of person"}
GROUPS = {page: f"{noun.capitalize()}s" for page, noun in NOUNS.items()} | {
    "people": "People",
    "audit": "Audit entries",
    "payout_accounts": "Payout accounts",
}

# Stripe's ids by how they begin: page, the id to open there, and the column that holds it.
STRIPE: dict[str, tuple[tuple[str, Any, Any], ...]] = {
    "pi_": (
        ("top_ups", TopUp.id, TopUp.stripe_payment_intent_id),
        ("subscriptions", SubscriptionInvoice.subscription_id, SubscriptionInvoice.stripe_payment_intent_id),
    ),
    "ch_": (("top_ups", TopUp.id, TopUp.stripe_charge_id),),
    "cs_": (
        ("top_ups", TopUp.id, TopUp.stripe_checkout_session_id),
        ("subscriptions", Subscription.id, Subscription.stripe_checkout_session_id),
    ),
    "re_": (("refunds", Refund.id, Refund.stripe_refund_id),),
    "pyr_": (("refunds", Refund.id, Refund.stripe_refund_id),),
    "dp_": (("disputes", Dispute.id, Dispute.stripe_dispute_id),),
    "du_": (("disputes", Dispute.id, Dispute.stripe_dispute_id),),
    "tr_": (("payouts", Payout.id, Payout.stripe_transfer_id),),
    "in_": (("subscriptions", SubscriptionInvoice.subscription_id, SubscriptionInvoice.stripe_invoice_id),),
    "sub_": (("subscriptions", Subscription.id, Subscription.stripe_subscription_id),),
    "cus_": (("people", StripeCustomer.person_id, StripeCustomer.stripe_customer_id),),
    "acct_": (("payout_accounts", PayoutAccount.person_id, PayoutAccount.stripe_account_id),),
}
_NUMBER = re.compile(r"([a-z][a-z -]*?)?[\s#-]*([0-9]{1,19})")
_MINUTE = re.compile(r"reading:([0-9]{1,18}):minute:([0-9]{1,9})")


@dataclass(frozen=True)
class Hit:
    """One thing found: ``id`` on ``page`` of the console; ``minute`` where it is one minute of the reading ``id``."""

    page: str
    id: int
    title: str
    detail: str = ""
    minute: int | None = None


@dataclass(frozen=True)
class Found:
    """What was found, by kind. ``exact`` is what the text names and nothing else: to be opened at once."""

    groups: Sequence[tuple[str, Sequence[Hit]]]
    exact: Hit | None = None


def search(text: str, pages: Collection[str]) -> Found:
    """Everything called ``text`` (one line, already checked) on the ``pages`` that one may see. Six statements at most."""
    wanted = text.strip()
    if not wanted:
        return Found(())
    stripe = [kind for begin, kinds in STRIPE.items() if wanted.startswith(begin) for kind in kinds]
    things = _things(wanted, stripe, pages)
    people = _people(wanted, pages) if not stripe else []
    whole = [hit for hit, is_whole in people if is_whole]
    # An id of Stripe's may stand in several places: the first is what it is about, and leads to the others.
    sure = [*things, *whole]
    exact = sure[0] if sure and (len(sure) == 1 or stripe) else None
    groups: dict[str, list[Hit]] = {}
    for hit, _ in people:
        groups.setdefault("People", []).append(hit)
    known = {hit.id for hit, _ in people}
    for hit in things:
        if hit.page != "people" or hit.id not in known:
            groups.setdefault(GROUPS[hit.page], []).append(hit)
    return Found(list(groups.items()), exact)


def _things(wanted: str, stripe: Sequence[tuple[str, Any, Any]], pages: Collection[str]) -> list[Hit]:
    """What is named by a number, a key, a code or an id of Stripe's, in the order of NUMBERED. Two statements at most."""
    parts: list[tuple[str, Select]] = [
        (page, select(number).where(column == wanted)) for page, number, column in stripe
    ]
    if wanted.startswith("evt_"):
        parts.append(
            (
                "webhooks",
                select(WebhookEvent.id).where(
                    WebhookEvent.vendor == "stripe", WebhookEvent.event_id == wanted
                ),
            )
        )
    parts.append(
        (
            "transactions",
            select(LedgerTransaction.id)
            .where(
                or_(LedgerTransaction.idempotency_key == wanted, LedgerTransaction.stripe_reference == wanted)
            )
            .order_by(LedgerTransaction.id)
            .limit(MOST),
        )
    )
    code = _receipt_code(wanted)
    if code:
        parts.append(
            ("sessions", select(ReadingReceipt.reading_session_id).where(ReadingReceipt.code == code))
        )
    number = _NUMBER.fullmatch(wanted.lower())
    if number and int(number[2]) <= LARGEST:
        noun = (number[1] or "").strip(" -")
        parts += [
            (page, select(column).where(column == int(number[2])))
            for name, page, column in NUMBERED
            if name.startswith(noun)
        ]
    found = [_minute(wanted)] if "transactions" in pages and _MINUTE.fullmatch(wanted) else []
    asked = [
        select(literal(place).label("place"), literal(page).label("page"), part.subquery().c[0].label("id"))
        for place, (page, part) in enumerate(parts)
        if page in pages
    ]
    rows = db.session.execute(union_all(*asked).order_by(sql("place"), sql("id"))).all() if asked else []
    hits = [Hit(row.page, row.id, _title(row.page, row.id)) for row in rows]
    return list(dict.fromkeys([*(hit for hit in found if hit), *hits]))


def _title(page: str, number: int) -> str:
    noun = "audit entry" if page == "audit" else NOUNS[page]
    return f"{noun.capitalize()} {number}"


def _people(wanted: str, pages: Collection[str]) -> list[tuple[Hit, bool]]:
    """People: (who, whether ``wanted`` is their whole name), first those whose name it is. Four statements at most."""
    if "people" not in pages:
        return []
    lower = wanted.lower()
    columns = select(Person.id, Person.handle, Person.email, ReaderProfile.display_name, Person.suspended_at)
    columns = columns.outerjoin(ReaderProfile, ReaderProfile.person_id == Person.id)
    asked = [columns.where(named(lower))]
    if len(wanted) >= SHORTEST:
        asked += [
            columns.where(func.lower(column).startswith(lower, autoescape=True))
            for column in (Person.handle, Person.email)
        ]
    if len(wanted) >= SHORTEST_INSIDE:
        inside = f"%{escaped(wanted)}%"
        asked.append(
            columns.where(literal_column(SEARCHED).ilike(inside), ReaderProfile.display_name.ilike(inside))
        )
    hits: dict[int, tuple[Hit, bool]] = {}
    for place, query in enumerate(asked):
        for row in db.session.execute(query.limit(MOST)):
            detail = ", ".join(
                part
                for part in (row.display_name, row.email, "suspended" if row.suspended_at else None)
                if part
            )
            hits.setdefault(
                row.id, (Hit("people", row.id, row.handle, detail), place == 0 and str(row.id) != lower)
            )
    return list(hits.values())[: 2 * MOST]


def _minute(wanted: str) -> Hit | None:
    """One charged minute by its key."""
    session_id, minute = (int(part) for part in _MINUTE.fullmatch(wanted).groups())  # type: ignore[union-attr]
    if minute >= 2**31 or db.session.get(ReadingMinute, (session_id, minute)) is None:
        return None
    return Hit("transactions", session_id, f"Minute {minute} of reading {session_id}", minute=minute)


def _receipt_code(wanted: str) -> str | None:
    try:
        return normal_code(wanted)
    except NotFound:
        return None
