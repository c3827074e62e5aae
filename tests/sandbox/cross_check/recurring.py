"""Subscriptions and the checkout that begins them: what is done on each server, and what is compared."""

from typing import Any

import requests

from soulseer.gateways import stripe_subscriptions
from soulseer.gateways.stripe import CheckoutOrder
from tests.sandbox.cross_check.asking import Facts, answer, asked, dig, flat
from tests.sandbox.cross_check.servers import CANCEL, SUCCESS, Server

DAY = 24 * 3600


def subscriptions(server: Server) -> Facts:
    """Begun and paid; to end with its period; ended at once; what lists say."""
    v1 = server.client.v1
    made = server.subscription(2_900)
    found = v1.subscriptions.retrieve(made).to_dict()
    item = found["items"]["data"][0]
    period = item if "current_period_end" in item else found
    days = (period["current_period_end"] - period["current_period_start"]) / DAY
    invoice = ("object", "status", "currency", "total", "amount_due", "amount_paid", "lines.data.0.amount")
    invoices = v1.invoices.list({"subscription": made}).data
    customer = found["customer"]

    def listed(**more: Any) -> bool:
        wanted: Any = {"customer": customer, **more}
        return [each.id for each in v1.subscriptions.list(wanted).data] == [made]

    def change(wanted: bool) -> Facts:
        do: Any = {"cancel_at_period_end": wanted}
        return answer(lambda: v1.subscriptions.update(made, do), "status", "cancel_at_period_end")

    facts = flat(
        begun={name: dig(found, name) for name in ("object", "status", "cancel_at_period_end", "ended_at", "livemode")},
        item={name: dig(item, name) for name in ("object", "quantity", "price.unit_amount", "plan.amount")},
        a_month=27 < days < 32,
        invoices=len(invoices),
        invoice={name: dig(invoices[0].to_dict(), name) for name in invoice},
        listed=listed(), to_end=change(True), to_go_on=change(False),
    )  # fmt: skip
    ended = v1.subscriptions.cancel(made).to_dict()
    return facts | flat(
        ended={"status": ended["status"], "at": type(ended["ended_at"]).__name__,
               "canceled_at": type(ended["canceled_at"]).__name__},
        listed_after=listed(), listed_among_all=listed(status="all"), listed_as_canceled=listed(status="canceled"),
        again=answer(lambda: v1.subscriptions.cancel(made), "status"),
        unknown=answer(lambda: v1.subscriptions.retrieve("sub_none")),
    )  # fmt: skip


def _checkout(found: stripe_subscriptions.SubscriptionCheckout) -> Facts:
    return {
        "mode": found.mode, "status": found.status, "livemode": found.livemode, "has_url": found.url is not None,
        "reference": found.reference,
    }  # fmt: skip


def checkout(server: Server) -> Facts:
    """Opened by our gateway, its page read and paid as a browser does, and looked at again."""
    gateway, v1 = server.gateway, server.client.v1
    order = server.subscription_order()
    opened = stripe_subscriptions.create_checkout(gateway, order, server.fresh("checkout"))
    fields = (
        "object",
        "mode",
        "status",
        "payment_status",
        "success_url",
        "cancel_url",
        "metadata.subscription_id",
    )
    first = answer(lambda: v1.checkout.sessions.retrieve(opened.id), *fields)
    assert opened.url is not None
    page = requests.get(opened.url, timeout=10)
    form = 'method="post"'
    paid = server.pay_on_page(opened.url)
    went_to = paid.headers.get("Location", "")
    late = requests.get(opened.url, timeout=10)
    again = server.pay_on_page(opened.url)
    top_up = CheckoutOrder(
        amount_cents=2_500, currency="USD", description="Top-up", reference="r", metadata={}, success_url=SUCCESS,
        cancel_url=CANCEL,
    )  # fmt: skip
    return flat(
        top_up=asked(lambda: gateway.create_checkout(top_up, server.fresh("top-up"))),
        opened=_checkout(opened), first=first,
        page={"http": page.status_code, "kind": page.headers["Content-Type"].partition(";")[0],
              "says_what": "Starter" in page.text, "says_how_much": "$29.00" in page.text, "leads_back": CANCEL in page.text, "takes_payment": form in page.text},
        paid={"redirects": 300 < paid.status_code < 400, "names_the_session": went_to.endswith(f"?checkout={opened.id}")},
        after=answer(lambda: v1.checkout.sessions.retrieve(opened.id), *fields, "url"),
        late_takes_payment=form in late.text,
        again_leads_to_success=again.headers.get("Location", "") == went_to,
    )  # fmt: skip


def closed_checkout(server: Server) -> Facts:
    """Closed before anybody paid; closed twice; unknown."""
    gateway, v1 = server.gateway, server.client.v1
    order = server.subscription_order()
    opened = stripe_subscriptions.create_checkout(gateway, order, server.fresh("checkout"))
    closed = stripe_subscriptions.expire_checkout(gateway, opened.id)
    paid = server.pay_on_page(opened.url or "")
    wrong: Any = {
        "mode": "subscription",
        "success_url": CANCEL,
        "line_items": [{"price": order.price_id, "quantity": 1}],
    }
    return flat(
        closed=_checkout(closed),
        paid_all_the_same=paid.headers.get("Location", "").startswith("http://127.0.0.1:9/"),
        still=answer(lambda: v1.checkout.sessions.retrieve(opened.id), "status", "payment_status", "url"),
        again=answer(lambda: v1.checkout.sessions.expire(opened.id)),
        gateway_again=_checkout(stripe_subscriptions.expire_checkout(gateway, opened.id)),
        unknown=answer(lambda: v1.checkout.sessions.retrieve("cs_test_none")),
        customer_unknown=answer(lambda: v1.checkout.sessions.create(wrong | {"customer": "cus_nobody"})),
        price_unknown=answer(
            lambda: v1.checkout.sessions.create(
                wrong
                | {"customer": order.customer_id, "line_items": [{"price": "price_none", "quantity": 1}]}
            )
        ),
        modeless=answer(lambda: v1.checkout.sessions.create({"success_url": CANCEL, "line_items": []})),
    )
