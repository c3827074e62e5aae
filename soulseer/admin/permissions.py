"""Who may see and do what in the back office: the one matrix. Tests crawl every address by every role against it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from soulseer.domain.policies import Policies

STAFF = frozenset({"support", "moderator", "finance", "ops", "admin"})
SUPPORT, MODERATOR, FINANCE, OPS, ADMIN = "support", "moderator", "finance", "ops", "admin"

# By page: whoever holds one of the roles sees it in the menu and may open it.
PAGES: dict[str, frozenset[str]] = {
    "dashboard": STAFF,
    "search": STAFF,
    "sessions": STAFF,
    "people": frozenset({SUPPORT, ADMIN}),
    "cases": frozenset({MODERATOR, ADMIN}),
    "applications": frozenset({SUPPORT, ADMIN}),
    "accounts": frozenset({SUPPORT, FINANCE, ADMIN}),
    "transactions": frozenset({SUPPORT, FINANCE, ADMIN}),
    "alerts": frozenset({SUPPORT, FINANCE, ADMIN}),
    "top_ups": frozenset({SUPPORT, FINANCE, ADMIN}),
    "promotions": frozenset({SUPPORT, FINANCE, ADMIN}),
    "subscriptions": frozenset({SUPPORT, FINANCE, ADMIN}),
    "disputes": frozenset({SUPPORT, FINANCE, ADMIN}),
    "payouts": frozenset({SUPPORT, FINANCE, ADMIN}),
    "payout_accounts": frozenset({SUPPORT, FINANCE, ADMIN}),
    "differences": frozenset({FINANCE, ADMIN}),
    "reconciliations": frozenset({FINANCE, ADMIN}),
    "days": frozenset({FINANCE, ADMIN}),
    "refunds": frozenset({SUPPORT, FINANCE, ADMIN}),
    "jobs": frozenset({OPS, ADMIN}),
    "runs": frozenset({OPS, ADMIN}),
    "webhooks": frozenset({FINANCE, OPS, ADMIN}),
    "audit": frozenset({ADMIN}),
    "permissions": STAFF,
}

# By action: each is a POST with a reason and an audit row.
ACTIONS: dict[str, frozenset[str]] = {
    "claim_case": frozenset({MODERATOR, ADMIN}),
    "decide_case": frozenset({MODERATOR, ADMIN}),
    "undo_case": frozenset({MODERATOR, ADMIN}),
    "decide_appeal": frozenset({MODERATOR, ADMIN}),
    "check_application": frozenset({SUPPORT, ADMIN}),
    "open_document": frozenset({SUPPORT, ADMIN}),
    "ask_applicant": frozenset({SUPPORT, ADMIN}),
    "approve_application": frozenset({SUPPORT, ADMIN}),
    "reject_application": frozenset({SUPPORT, ADMIN}),
    "close_gate": frozenset({SUPPORT, ADMIN}),
    "open_gate": frozenset({SUPPORT, ADMIN}),
    "renew_paper": frozenset({SUPPORT, ADMIN}),
    "end_session": frozenset({SUPPORT, ADMIN}),
    "report_session": STAFF,
    "retry_finalize": frozenset({SUPPORT, FINANCE, ADMIN}),
    "resolve_alert": frozenset({FINANCE, ADMIN}),
    "run_job": frozenset({OPS, ADMIN}),
    "stop_billing": frozenset({OPS, ADMIN}),
    "resume_billing": frozenset({OPS, ADMIN}),
    "pause_job": frozenset({OPS, ADMIN}),
    "retry_run": frozenset({OPS, ADMIN}),
    "discard_run": frozenset({OPS, ADMIN}),
    "set_aside_event": frozenset({FINANCE, OPS, ADMIN}),
    "resume_job": frozenset({OPS, ADMIN}),
    "grant_promotion": frozenset({SUPPORT, FINANCE, ADMIN}),
    "cancel_subscription": frozenset({SUPPORT, ADMIN}),
    "make_refund": frozenset({SUPPORT, FINANCE, ADMIN}),
    "approve_refund": frozenset({FINANCE, ADMIN}),
    "decline_refund": frozenset({FINANCE, ADMIN}),
    "cancel_refund": frozenset({SUPPORT, FINANCE, ADMIN}),
    "dispute_pack": frozenset({SUPPORT, FINANCE, ADMIN}),
    "dispute_submit": frozenset({SUPPORT, FINANCE, ADMIN}),
    "dispute_accept": frozenset({FINANCE, ADMIN}),
    "dispute_write_off": frozenset({FINANCE, ADMIN}),
    "stop_spending": frozenset({SUPPORT, ADMIN}),
    "suspend_person": frozenset({SUPPORT, ADMIN}),
    "lift_suspension": frozenset({SUPPORT, ADMIN}),
    "end_person_reading": frozenset({SUPPORT, ADMIN}),
    "note_person": frozenset({SUPPORT, ADMIN}),
    "withdraw_note": frozenset({SUPPORT, ADMIN}),
    "end_logins": frozenset({SUPPORT, ADMIN}),
    "view_as": frozenset({SUPPORT, ADMIN}),
    "let_spend": frozenset({SUPPORT, ADMIN}),
    "retry_payout": frozenset({FINANCE, ADMIN}),
    "pause_payouts": frozenset({SUPPORT, FINANCE, ADMIN}),
    "resume_payouts": frozenset({FINANCE, ADMIN}),
    "replay_event": frozenset({FINANCE, OPS, ADMIN}),
    "replay_events": frozenset({FINANCE, OPS, ADMIN}),
    "approve_difference": frozenset({FINANCE, ADMIN}),
    "explain_difference": frozenset({FINANCE, ADMIN}),
    "ask_about_difference": frozenset({FINANCE, ADMIN}),
    "close_day": frozenset({FINANCE, ADMIN}),
}


@dataclass(frozen=True)
class Limit:
    """An amount in dollars that bounds an ``action`` of ``roles``; ``words`` say what happens beyond it. The services
    hold it; ``amount`` reads it where they do."""

    action: str
    roles: frozenset[str]
    amount: Callable[[Policies], Decimal]
    words: str


LIMITS: tuple[Limit, ...] = (
    Limit(
        "make_refund",
        frozenset({SUPPORT, FINANCE, ADMIN}),
        lambda now: now.refund.approval_limit,
        "above it, for one thing altogether, a second person must approve",
    ),
    Limit(
        "grant_promotion",
        frozenset({SUPPORT}),
        lambda now: now.promotion.support_limit,
        "the most that support may give one person in 24 hours",
    ),
    Limit(
        "grant_promotion",
        frozenset({FINANCE, ADMIN}),
        lambda now: now.promotion.maximum,
        "the most in one grant",
    ),
    Limit(
        "approve_difference",
        frozenset({FINANCE, ADMIN}),
        lambda now: now.reconciliation.approval_limit,
        "above it, a second person must approve",
    ),
)


def may_see(page: str, roles: Iterable[str]) -> bool:
    """Whether a holder of ``roles`` may open ``page``."""
    return not PAGES[page].isdisjoint(roles)


def may_do(action: str, roles: Iterable[str]) -> bool:
    """Whether a holder of ``roles`` may do ``action``."""
    return not ACTIONS[action].isdisjoint(roles)
