"""Subscriptions: begun by a checkout, billed as their clock goes on, changed and ended. Amounts in cents, times in seconds."""

from soulseer.sandbox.stripe import invoices
from soulseer.sandbox.stripe.cards import Card
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.payment_methods import keep_card
from soulseer.sandbox.stripe.recurring import (
    DAY,
    RETRIES,
    TOLD_BEFORE_TRIAL_ENDS,
    after,
    clock_of,
    now_of,
)
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id


def begin(work: Work, session: Document, card: Card) -> Document:
    """What the checkout's button does: the subscription, its first invoice, and the session completed.

    A card that is refused leaves the session open and no subscription behind, as Checkout does.
    """
    if card.decline is not None:
        return session
    wanted = work.get("subscription_data", f"{session['id']}:subscription")
    price, method = work.get("price", wanted["price"]), keep_card(work, session["customer"], card)
    trial_end = work.now + wanted["trial_days"] * DAY if wanted["trial_days"] else None
    anchor = trial_end or work.now
    period_end = trial_end or after(work.now, price["recurring"]["interval"], anchor)
    identifier = new_id("sub")
    subscription: Document = {
        "id": identifier, "object": "subscription", "application": None, "application_fee_percent": None,
        "billing_cycle_anchor": anchor, "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically", "created": work.now, "currency": "usd", "customer": session["customer"],
        "days_until_due": None, "default_payment_method": method["id"], "description": None, "discounts": [], "ended_at": None,
        "items": {"object": "list", "has_more": False, "url": f"/v1/subscription_items?subscription={identifier}", "data": [{
            "id": new_id("si", 14), "object": "subscription_item", "created": work.now, "current_period_start": work.now,
            "current_period_end": period_end, "discounts": [], "metadata": {}, "price": price, "quantity": 1,
            "subscription": identifier, "tax_rates": []}]},
        "latest_invoice": None, "livemode": False, "metadata": wanted["metadata"], "pause_collection": None,
        "schedule": None, "start_date": work.now, "status": "trialing" if trial_end else "active",
        "trial_end": trial_end, "trial_start": work.now if trial_end else None,
    }  # fmt: skip
    amount = 0 if trial_end else price["unit_amount"]
    lines: invoices.Lines = [(_words(work, price, "Trial of" if trial_end else "1 ×"), amount, price)]
    invoice = invoices.draw_up(work, subscription, lines, reason="subscription_create", at=work.now)
    subscription["latest_invoice"] = invoice["id"]
    work.save(subscription)
    work.announce("customer.subscription.created", subscription)
    invoices.settle(work, invoice, method, at=work.now, declines=False)
    session |= {
        "invoice": invoice["id"], "payment_status": "no_payment_required" if trial_end else "paid",
        "status": "complete", "subscription": identifier, "url": None,
    }  # fmt: skip
    work.save(session)
    work.announce("checkout.session.completed", session)
    return session


def bill_due(work: Work) -> None:
    """Bring every subscription to the present of its own clock."""
    rows = work.connection.execute(
        "SELECT id FROM object WHERE kind = 'subscription' AND json_extract(document, '$.status') <> 'canceled'"
    ).fetchall()
    for row in rows:
        subscription = work.get("subscription", row["id"])
        advance(work, subscription, now_of(work, subscription))


def advance(work: Work, subscription: Document, until: int) -> Document:
    """Let the subscription's time go on to ``until``: its periods end, its invoices are drawn up, tried and tried again."""
    while subscription["status"] != "canceled":
        clock = clock_of(work, subscription)
        moment, deed = min(_coming(work, subscription, clock), key=lambda one: one[0])
        if moment > until:
            break
        clock["offset"] = max(clock["offset"], moment - work.now)
        work.save(clock)
        if deed == "trial_will_end":
            work.save(clock | {"told_trial_end": subscription["trial_end"]})
            work.announce("customer.subscription.trial_will_end", subscription)
        elif deed == "retry":
            retry(work, subscription, moment)
        else:
            _end_period(work, subscription, moment)
    clock = clock_of(work, subscription)
    work.save(clock | {"offset": max(clock["offset"], until - work.now)})
    return subscription


def _coming(work: Work, subscription: Document, clock: Document) -> list[tuple[int, str]]:
    found = [(subscription["items"]["data"][0]["current_period_end"], "period")]
    if subscription["status"] == "trialing" and clock["told_trial_end"] != subscription["trial_end"]:
        found.append((subscription["trial_end"] - TOLD_BEFORE_TRIAL_ENDS, "trial_will_end"))
    attempts = [one["next_payment_attempt"] for one in invoices.open_invoices(work, subscription)]
    return found + [(moment, "retry") for moment in attempts if moment is not None]


def _end_period(work: Work, subscription: Document, at: int) -> None:
    if subscription["cancel_at_period_end"]:
        _over(work, subscription, at)
        return
    item = subscription["items"]["data"][0]
    price = item["price"]
    end = after(at, price["recurring"]["interval"], subscription["billing_cycle_anchor"])
    item |= {"current_period_start": at, "current_period_end": end}
    lines: invoices.Lines = [(_words(work, price, "1 ×"), price["unit_amount"], price)]
    invoice = invoices.draw_up(work, subscription, lines, reason="subscription_cycle", at=at)
    subscription["latest_invoice"] = invoice["id"]
    _collect(work, subscription, invoice, at)


def retry(work: Work, subscription: Document, at: int) -> None:
    """Try the unpaid invoices once more."""
    for invoice in invoices.open_invoices(work, subscription):
        if subscription["status"] != "canceled":
            _collect(work, subscription, invoice, at)


def _collect(work: Work, subscription: Document, invoice: Document, at: int) -> None:
    method = work.find("payment_method", subscription["default_payment_method"])
    declines = bool(clock_of(work, subscription)["declines"])
    if invoices.settle(work, invoice, method, at=at, declines=declines):
        subscription["status"] = "active"
    elif invoice["attempt_count"] > len(RETRIES):
        work.save(invoice | {"next_payment_attempt": None})
        _over(work, subscription, at)
        return
    else:
        work.save(invoice | {"next_payment_attempt": at + RETRIES[invoice["attempt_count"] - 1] * DAY})
        subscription["status"] = "past_due"
    work.save(subscription)
    work.announce("customer.subscription.updated", subscription)


def cancel(work: Work, subscription: Document) -> Document:
    """End it now."""
    if subscription["status"] == "canceled":
        raise ApiError(
            f"No such subscription: '{subscription['id']}'", status=404, code="resource_missing", param="id"
        )
    return _over(work, subscription, now_of(work, subscription))


def _over(work: Work, subscription: Document, at: int) -> Document:
    subscription |= {"status": "canceled", "ended_at": at, "canceled_at": subscription["canceled_at"] or at}
    # Nothing more is tried of what is unpaid.
    for invoice in invoices.open_invoices(work, subscription):
        work.save(invoice | {"auto_advance": False, "next_payment_attempt": None})
    work.save(subscription)
    work.announce("customer.subscription.deleted", subscription)
    return subscription


def set_cancel(work: Work, subscription: Document, wanted: bool) -> None:
    """End it with its period, or go on after all."""
    item = subscription["items"]["data"][0]
    subscription |= {
        "cancel_at_period_end": wanted,
        "cancel_at": item["current_period_end"] if wanted else None,
        "canceled_at": now_of(work, subscription) if wanted else None,
    }


def prorated(work: Work, subscription: Document, price: Document, at: int) -> invoices.Lines:
    """The lines of a move to ``price`` at ``at``: unused time back, and the rest of the period, or a new one, charged."""
    if subscription["status"] == "trialing":
        return []
    item = subscription["items"]["data"][0]
    start, end, old = item["current_period_start"], item["current_period_end"], item["price"]
    if not start <= at <= end:
        raise ApiError("The proration_date must be within the current period.", param="proration_date")
    part = (end - at) / (end - start)
    charge = round(price["unit_amount"] * part) if _same_interval(old, price) else price["unit_amount"]
    return [
        (_words(work, old, "Unused time on"), -round(old["unit_amount"] * part), old),
        (_words(work, price, "Remaining time on" if _same_interval(old, price) else "1 ×"), charge, price),
    ]


def change_price(work: Work, subscription: Document, price: Document, at: int, *, must_be_paid: bool) -> None:
    """Move to ``price`` and collect the difference. Raises ApiError 402 where ``must_be_paid`` and it is not."""
    item = subscription["items"]["data"][0]
    lines = prorated(work, subscription, price, at)
    if lines and not _same_interval(item["price"], price):
        now = now_of(work, subscription)
        subscription["billing_cycle_anchor"] = now
        item |= {
            "current_period_start": now,
            "current_period_end": after(now, price["recurring"]["interval"], now),
        }
    item["price"] = price
    if not lines:
        return
    invoice = invoices.draw_up(
        work, subscription, lines, reason="subscription_update", at=now_of(work, subscription)
    )
    subscription["latest_invoice"] = invoice["id"]
    method = work.find("payment_method", subscription["default_payment_method"])
    declines = bool(clock_of(work, subscription)["declines"])
    if invoices.settle(work, invoice, method, at=invoice["created"], declines=declines):
        return
    if must_be_paid:
        raise ApiError(
            "Your card was declined.", status=402, type="card_error", code="card_declined", executed=True
        )
    subscription["status"] = "past_due"


def _same_interval(one: Document, other: Document) -> bool:
    return bool(one["recurring"]["interval"] == other["recurring"]["interval"])


def _words(work: Work, price: Document, before: str) -> str:
    name = work.get("product", price["product"])["name"]
    return f"{before} {name} (at ${price['unit_amount'] / 100:.2f} / {price['recurring']['interval']})"
