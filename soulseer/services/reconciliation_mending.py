"""What finance does about a difference: approve the entry that was previewed, say what it is, have Stripe asked again."""

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import func, select, text

from soulseer import gateways
from soulseer.db import after_commit, db
from soulseer.domain import policies
from soulseer.domain.accounts import CHART, AccountKind
from soulseer.domain.errors import Conflict, Forbidden, NotFound
from soulseer.domain.transfers import TransferKind
from soulseer.models.payments import TopUp
from soulseer.models.reconciliation import ReconciliationDifference
from soulseer.services import audit, holds, ledger, own_money, reconciliation_facts
from soulseer.services.reconciliation import LOCK_KEY
from soulseer.services.reconciliation_proposals import Proposal

OBJECT = "reconciliation_difference"
OF_CLIENTS = (AccountKind.CLIENT_WALLET.value, AccountKind.CLIENT_RECEIVABLE.value)
DEBTS = (AccountKind.CLIENT_RECEIVABLE.value, AccountKind.READER_RECEIVABLE.value)


def fingerprint(proposal: Proposal | None) -> str:
    """The name of exactly this proposal: what is approved is what was previewed, or nothing."""
    return hashlib.sha256(json.dumps(proposal, sort_keys=True).encode()).hexdigest()[:32]


def size(proposal: Proposal) -> Decimal:
    """What a proposed entry moves, dollars."""
    amounts = (Decimal(each["amount"]) for each in proposal["entries"])
    return sum((amount for amount in amounts if amount > 0), Decimal(0))


def needs_two(proposal: Proposal) -> bool:
    """Whether a second person must approve it."""
    return size(proposal) > policies.current().reconciliation.approval_limit


def approve(difference_id: int, previewed: str, actor_id: int, reason: str, now: datetime) -> int | None:
    """Post the proposed entry: its transaction's id; None where a second person must approve it first.

    ``previewed`` is the fingerprint of the proposal that was shown. Raises NotFound, Conflict where it is settled, has
    no entry or another one than was previewed, Forbidden where the same person approves twice or it is about their own
    money, InsufficientFunds.
    """
    row = _live(difference_id)
    proposal = row.proposal
    if proposal is None or proposal["action"] != "entry":
        raise Conflict(f"Difference {difference_id} has no entry to approve.")
    own_money.refuse(actor_id, [each["owner_id"] for each in proposal["entries"]])
    if fingerprint(proposal) != previewed:
        raise Conflict("What would mend it has changed since this page was drawn. Please look at it again.")
    if needs_two(proposal) and row.approved_by is None:
        row.approved_by, row.approved_at, row.approved_proposal = actor_id, now, previewed
        _note("approved_first", row, actor_id, reason, now, {"amount": str(size(proposal))})
        return None
    if needs_two(proposal) and row.approved_by == actor_id:
        raise Forbidden("An amount of this size needs a second person's approval.")
    clients = sorted({each["owner_id"] for each in proposal["entries"] if each["account"] in OF_CLIENTS})
    for client_id in clients:
        holds.lock_debt(client_id, now)
    transaction_id, _ = ledger.post(
        TransferKind(proposal["kind"]),
        f"reconciliation:{row.id}",
        [_posting(each, now) for each in proposal["entries"]],
        now,
        stripe_reference=None if row.reference.startswith("transaction:") else row.reference,
        reverses_id=proposal["reverses_id"],
        actor_id=actor_id,
        memo=f"Difference {row.id}: {proposal['words']}",
    )
    if _overpaid(proposal):
        raise Conflict("What is owed was paid meanwhile. The next comparison proposes another entry.")
    # What came in pays what was owed, and what is owed stops spending, as with any movement.
    for client_id in clients:
        holds.pay_debt(client_id, now)
        holds.review(client_id, now)
    row.state, row.transaction_id = "mended", transaction_id
    row.settled_at, row.settled_by, row.resolution = now, actor_id, reason
    _note("mended", row, actor_id, reason, now, {"transaction": transaction_id, "gap": str(row.gap)})
    return transaction_id


def explain(difference_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Leave the difference as it is, with a person's word on it; it counts as explained while its figures stay.

    Raises NotFound, Conflict.
    """
    row = _live(difference_id)
    if row.state != "open":
        raise Conflict(f"Difference {difference_id} was explained before.")
    row.state = "explained"
    row.settled_at, row.settled_by, row.resolution = now, actor_id, reason
    _note("explained", row, actor_id, reason, now, {"class": row.difference_class, "gap": str(row.gap)})


def ask_again(difference_id: int, actor_id: int, reason: str, now: datetime) -> None:
    """Have a worker ask Stripe again and compare anew, once this is committed; the next run does so in any case.

    Raises NotFound, Conflict.
    """
    row = _live(difference_id)
    if row.proposal is None or row.proposal["action"] != "pull":
        raise Conflict(f"There is nothing to ask Stripe about difference {difference_id}.")
    row.proposal = {**row.proposal, "asked_at": now.isoformat()}
    _note("asked_again", row, actor_id, reason, now, {"top_up": row.proposal["top_up_id"]})
    name = f"reconcile-difference-{row.id}-{int(now.timestamp())}"
    arguments: dict[str, Any] = {
        "arguments": {"difference": str(row.id)},
        "triggered_by": actor_id,
        "reason": reason,
    }
    after_commit(partial(_enqueue, name, arguments))


def _enqueue(name: str, arguments: dict[str, Any]) -> None:
    gateways.current().queue.enqueue("payments", "reconcile", job_id=name, arguments=arguments)


class Asked(NamedTuple):
    """A difference that Stripe is to be asked about: its day, and the top-up that it is about, if any."""

    id: int
    day: date
    top_up: TopUp | None


def asked(difference_id: int | None = None) -> list[Asked]:
    """The open differences about which staff had Stripe asked again; or only that one."""
    row = ReconciliationDifference
    query = (
        select(row.id, row.day, TopUp)
        .outerjoin(TopUp, TopUp.id == row.proposal["top_up_id"].as_integer())
        .where(row.state == "open", row.proposal["asked_at"].as_string().isnot(None))
        .where(row.proposal["action"].as_string() == "pull")
        .order_by(row.id)
    )
    if difference_id is not None:
        query = query.where(row.id == difference_id)
    return [Asked(*found) for found in db.session.execute(query)]


def _live(difference_id: int) -> ReconciliationDifference:
    # Not while a comparison looks at it.
    db.session.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
    row = db.session.scalars(
        select(ReconciliationDifference)
        .where(ReconciliationDifference.id == difference_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no difference {difference_id}.")
    if row.state not in ("open", "explained"):
        raise Conflict(f"Difference {difference_id} is {row.state} already.")
    return row


def _overpaid(proposal: Proposal) -> bool:
    """Whether somebody's debt would be more than paid: money that its owner could not spend."""
    return any(
        ledger.balance(AccountKind(each["account"]), each["owner_id"]) > 0
        for each in proposal["entries"]
        if each["account"] in DEBTS
    )


def _posting(entry: dict[str, Any], now: datetime) -> ledger.Posting:
    account, owner_id = AccountKind(entry["account"]), entry["owner_id"]
    if CHART[account].personal:
        ledger.open_accounts(owner_id, [account], now)
    return ledger.Posting(ledger.account_id(account, owner_id), Decimal(entry["amount"]))


def _note(
    deed: str,
    row: ReconciliationDifference,
    actor_id: int,
    reason: str,
    now: datetime,
    details: dict[str, Any],
) -> None:
    audit.record(
        f"reconciliation.{deed}",
        OBJECT,
        row.id,
        now,
        actor_id=actor_id,
        approver_id=actor_id if deed == "mended" and row.approved_by is not None else None,
        reason=reason,
        details={"reference": row.reference, **details},
    )


def release_held(difference_ids: list[int], now: datetime) -> int:
    """Have the events that speak of these differences, and came to nothing, acted on anew; how many."""
    rows = db.session.scalars(
        select(ReconciliationDifference).where(ReconciliationDifference.id.in_(difference_ids))
    ).all()
    names = {
        name
        for facts in reconciliation_facts.gather(rows).values()
        for name in reconciliation_facts.names(facts)
    }
    held: int = db.session.execute(_RELEASE, {"names": sorted(names), "now": now}).rowcount  # type: ignore[attr-defined]
    return held


_RELEASE = text("""
UPDATE webhook_event SET status = 'received', processed_at = NULL, next_attempt_at = :now, error = NULL
WHERE vendor = 'stripe' AND status IN ('failed', 'quarantined') AND EXISTS (
    SELECT FROM unnest(CAST(:names AS text[])) AS name
    WHERE position(convert_to('"' || name || '"', 'UTF8') IN payload) > 0)
""")
