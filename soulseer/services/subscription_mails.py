"""What people are told of their subscription by mail, in the transaction of what it tells."""

from datetime import datetime, timedelta

from soulseer.domain import policies
from soulseer.models.subscriptions import LIVE, Plan, PlanPrice, Subscription, SubscriptionInvoice
from soulseer.services import mail

TRIAL_ENDS_SOON = timedelta(days=3)


def tell(row: Subscription, before: str, plan: Plan, price: PlanPrice, now: datetime) -> None:
    """Queue what the row's present state calls for; each is told once, however often this is called."""
    values = {
        "plan": plan.name,
        "amount": f"{price.amount:.2f}",
        "interval": price.interval,
        "page": f"{policies.current().app_base_url}/membership/",
        "period_end": _text(row.current_period_end),
        "trial_end": _text(row.trial_end) if row.state == "trialing" else "",
        "grace_until": _text(row.grace_until),
    }

    def queue(name: str, *parts: object) -> None:
        key = ":".join(str(part) for part in (f"subscription_{name}", row.id, *parts))
        mail.queue(row.person_id, f"subscription_{name}", values, now, key=key)

    if row.state in ("trialing", "active") and before not in LIVE:
        queue("welcome")
    if row.state == "past_due" and before != "past_due":
        queue("payment_failed", values["grace_until"])
    if row.state == "lapsed" and before != "lapsed":
        queue("lapsed", values["grace_until"])
    if row.state == "active" and before in ("past_due", "lapsed"):
        queue("recovered", values["period_end"])
    if row.state in LIVE and row.cancel_at_period_end:
        queue("will_end", values["period_end"])
    elif row.state == "trialing" and row.trial_end is not None and row.trial_end - now <= TRIAL_ENDS_SOON:
        queue("trial_ending", values["trial_end"])
    if row.state == "canceled" and before != "canceled":
        queue("ended")


def receipt(row: Subscription, plan: Plan, invoice: SubscriptionInvoice, now: datetime) -> None:
    """Queue the receipt of a paid invoice."""
    mail.queue(
        row.person_id,
        "subscription_receipt",
        {
            "plan": plan.name,
            "amount": f"{invoice.amount_paid:.2f}",
            "number": invoice.number or invoice.stripe_invoice_id,
            "paid_at": _text(invoice.paid_at or now),
            "url": invoice.hosted_url or "",
            "page": f"{policies.current().app_base_url}/membership/",
        },
        now,
        key=f"subscription_receipt:{invoice.stripe_invoice_id}",
    )


def _text(instant: datetime | None) -> str:
    """ISO 8601 UTC, as mails take it; empty for None."""
    return "" if instant is None else instant.isoformat().replace("+00:00", "Z")
