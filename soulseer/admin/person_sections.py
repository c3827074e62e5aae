"""The parts of a person's page that are lists: what each is called, its columns, its query, and how a row is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from soulseer.admin.formats import DASH, badge, link, moment, money
from soulseer.services import console_person
from soulseer.services.console import Listed, Window

Column = tuple[str, str]
NUMERIC = "numeric"


@dataclass(frozen=True)
class Section:
    """``columns``: (label, "numeric" or ""); ``cells`` writes a row in their order."""

    label: str
    columns: Sequence[Column]
    rows: Callable[[int, Window], Listed]
    cells: Callable[[Any], Sequence[Any]]
    lead: str = ""


def _words(text: str | None) -> str:
    return (text or "").replace("_", " ") or "–"


def _session(row: Any) -> Sequence[Any]:
    session = row.ReadingSession
    return (
        link("sessions", row.id, row.id),
        row.side,
        link("people", row.other, row.other_id),
        badge(session.state),
        session.modality,
        session.minutes_billed,
        money(session.cost),
        moment(session.created_at),
        moment(session.ended_at),
    )


def _message(row: Any) -> Sequence[Any]:
    return (
        link("sessions", row.id, row.id),
        link("people", row.other, row.other_id),
        row.sent,
        row.received,
        row.pictures,
        moment(row.first),
        moment(row.last),
    )


def _payment(row: Any) -> Sequence[Any]:
    top_up = row.TopUp
    return (
        link("top_ups", row.id, row.id),
        badge(top_up.state),
        top_up.origin,
        money(top_up.amount),
        money(top_up.refunded_amount),
        top_up.stripe_payment_intent_id or DASH,
        moment(top_up.created_at),
        moment(top_up.paid_at),
    )


def _refund(row: Any) -> Sequence[Any]:
    refund = row.Refund
    return (
        link("refunds", row.id, row.id),
        badge(refund.state),
        money(refund.amount),
        refund.destination,
        refund.reason or DASH,
        moment(refund.requested_at),
        moment(refund.settled_at),
    )


def _dispute(row: Any) -> Sequence[Any]:
    dispute = row.Dispute
    return (
        link("disputes", row.id, row.id),
        badge(_words(dispute.state)),
        money(dispute.amount),
        _words(dispute.reason),
        moment(dispute.opened_at),
        moment(dispute.evidence_due_at),
        moment(dispute.closed_at),
    )


def _payout(row: Any) -> Sequence[Any]:
    payout = row.Payout
    return (
        link("payouts", row.id, row.id),
        badge(payout.state),
        money(payout.amount),
        payout.stripe_transfer_id or DASH,
        moment(payout.created_at),
        moment(payout.paid_at),
    )


def _case(row: Any) -> Sequence[Any]:
    case = row.ModerationCase
    return (
        link("cases", row.id, row.id),
        f"{case.kind} {case.object_id}",
        badge(case.state),
        case.flag_count,
        _words(row.decision),
        moment(case.created_at),
        moment(case.decided_at),
    )


def _flag(row: Any) -> Sequence[Any]:
    return (
        row.id,
        link("cases", row.Flag.case_id, row.Flag.case_id),
        row.kind,
        link("people", row.about, row.about_id),
        _words(row.Flag.reason),
        _words(row.Flag.outcome) if row.Flag.outcome else "not decided",
        moment(row.Flag.created_at),
    )


def _audit(row: Any) -> Sequence[Any]:
    entry = row.AuditEntry
    details = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in entry.details.items())
    return (
        link("audit", row.id, row.id),
        moment(entry.at),
        row.actor or "system",
        entry.action,
        entry.reason or DASH,
        details or DASH,
    )


def _deed(row: Any) -> Sequence[Any]:
    number, at, _, action, reason, details = _audit(row)
    return (number, at, action, f"{row.AuditEntry.object_type} {row.AuditEntry.object_id}", reason, details)


SECTIONS: dict[str, Section] = {
    "sessions": Section(
        "Readings",
        [
            *((label, "") for label in ("Reading", "As", "With", "State", "Modality")),
            ("Minutes", NUMERIC),
            ("Cost", NUMERIC),
            ("Requested", ""),
            ("Ended", ""),
        ],
        console_person.sessions,
        _session,
    ),
    "payments": Section(
        "Payments",
        [
            *((label, "") for label in ("Top-up", "State", "Origin")),
            ("Amount", NUMERIC),
            ("Refunded", NUMERIC),
            *((label, "") for label in ("Stripe", "Begun", "Paid")),
        ],
        console_person.payments,
        _payment,
    ),
    "refunds": Section(
        "Refunds",
        [
            ("Refund", ""),
            ("State", ""),
            ("Amount", NUMERIC),
            ("To", ""),
            ("Reason", ""),
            ("Asked", ""),
            ("Settled", ""),
        ],
        console_person.refunds,
        _refund,
        "To give something back, open the reading, top-up or transaction that it is of.",
    ),
    "disputes": Section(
        "Disputes",
        [
            ("Dispute", ""),
            ("State", ""),
            ("Amount", NUMERIC),
            *((w, "") for w in ("Reason", "Opened", "Due", "Closed")),
        ],
        console_person.disputes,
        _dispute,
    ),
    "payouts": Section(
        "Payouts",
        [("Payout", ""), ("State", ""), ("Amount", NUMERIC), ("Transfer", ""), ("Begun", ""), ("Paid", "")],
        console_person.payouts,
        _payout,
    ),
    "messages": Section(
        "Messages",
        [
            ("Reading", ""),
            ("With", ""),
            ("Sent", NUMERIC),
            ("Received", NUMERIC),
            ("Pictures", NUMERIC),
            ("First", ""),
            ("Last", ""),
        ],
        console_person.messages,
        _message,
        "How many and when; what they say is not shown here.",
    ),
    "cases": Section(
        "Cases about them",
        [
            ("Case", ""),
            ("About", ""),
            ("State", ""),
            ("Flags", NUMERIC),
            ("Decided", ""),
            ("Opened", ""),
            ("Closed", ""),
        ],
        console_person.cases,
        _case,
    ),
    "flags": Section(
        "Flags by them",
        [(label, "") for label in ("Flag", "Case", "Kind", "About", "Reason", "Outcome", "When")],
        console_person.flags,
        _flag,
    ),
    "audit": Section(
        "Audit about them",
        [(label, "") for label in ("Entry", "When", "By", "What", "Reason", "Details")],
        console_person.audit_about,
        _audit,
    ),
    "deeds": Section(
        "Audit by them",
        [(label, "") for label in ("Entry", "When", "What", "About", "Reason", "Details")],
        console_person.audit_by,
        _deed,
    ),
}
# What stands in the row of tabs, in this order; notes and devices have pages of their own.
TABS = {"": "Overview"} | {name: section.label for name, section in SECTIONS.items()}
TABS |= {"notes": "Notes", "devices": "Devices"}
