"""Payments by a saved card, refunds, and what they leave: what is done on each server, and what is compared."""

from typing import Any

import stripe

from soulseer.gateways import stripe_payments, stripe_refunds
from tests.sandbox.cross_check.asking import ABSENT, OUTCOME, Facts, answer, asked, flat
from tests.sandbox.cross_check.servers import Server

CHARGE = (
    "object",
    "amount",
    "currency",
    "status",
    "paid",
    "captured",
    "amount_refunded",
    "refunded",
    "failure_code",
)


def _pay(server: Server, number: str, amount: int = 2_500, **changes: Any) -> tuple[Facts, str]:
    """A saved card is charged, as our gateway has it but for what localstripe does not know; the intent's id too."""
    v1, customer = server.client.v1, server.customer()
    method = server.saved_card(customer, number)
    wanted: Any = {
        "amount": amount, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True,
        "off_session": True, "metadata": {"top_up": "7"}, "expand": ["latest_charge"], **changes,
    }  # fmt: skip
    intents: list[str] = []

    def create() -> Any:
        try:
            made = v1.payment_intents.create(wanted)
        except stripe.CardError as error:
            told: Any = error.json_body
            intents.append(told["error"]["payment_intent"]["id"])
            raise
        intents.append(made.id)
        return made

    facts = answer(
        create, "object", "amount", "currency", "status", "livemode", "metadata.top_up", "last_payment_error",
        *(f"latest_charge.{name}" for name in CHARGE),
    )  # fmt: skip
    return facts, intents[0]


def _read(server: Server, intent: str) -> Facts:
    """The payment as our gateway reads it, and its charge by Stripe's SDK."""
    read = stripe_payments.retrieve_payment(server.gateway, intent)
    charge: Facts = {OUTCOME: "none"}
    if (charge_id := read.charge_id) is not None:
        charge = answer(lambda: server.client.v1.charges.retrieve(charge_id), *CHARGE)
    return {
        "status": read.status, "amount": read.amount_cents, "currency": read.currency, "livemode": read.livemode,
        "metadata": dict(read.metadata), "refusal": read.refusal, "card": read.card and read.card.words,
        **flat(charge=charge),
    }  # fmt: skip


def payment_succeeds(server: Server) -> Facts:
    made, intent = _pay(server, "4242424242424242")
    return flat(made=made, read=_read(server, intent))


def payment_declined(server: Server) -> Facts:
    """Stripe's card that can be saved and is refused whenever it is charged."""
    made, intent = _pay(server, "4000000000000341")
    return flat(made=made, read=_read(server, intent))


def payment_asks_its_owner(server: Server) -> Facts:
    """A card that wants its owner, who is not there."""
    made, intent = _pay(server, "4000002760003184")
    return flat(made=made, read=_read(server, intent))


def payment_at_fault(server: Server) -> Facts:
    v1, customer = server.client.v1, server.customer()
    method = server.saved_card(customer, "4242424242424242")
    good: dict[str, Any] = {
        "amount": 500, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True, "off_session": True,
    }  # fmt: skip

    def refused(**changes: Any) -> Facts:
        wanted: Any = {name: value for name, value in (good | changes).items() if value is not None}
        return answer(lambda: v1.payment_intents.create(wanted))

    return flat(
        amount_0=refused(amount=0),
        amount_below_the_least=refused(amount=49),
        amount_negative=refused(amount=-500),
        amount_words=refused(amount="five"),
        amount_missing=refused(amount=None),
        currency_missing=refused(currency=None),
        customer_unknown=refused(customer="cus_nobody"),
        method_unknown=refused(payment_method="pm_none"),
        intent_unknown=answer(lambda: v1.payment_intents.retrieve("pi_none")),
        gateway_unknown=asked(lambda: stripe_payments.retrieve_payment(server.gateway, "pi_none")),
    )


REFUND = ("object", "amount", "currency", "status", "metadata.why")


def refunds(server: Server) -> Facts:
    """In part, the rest, too much, one that is unknown; what the charge says after each."""
    v1 = server.client.v1
    _, intent = _pay(server, "4242424242424242")
    _, another = _pay(server, "4242424242424242")
    charge = stripe_payments.retrieve_payment(server.gateway, intent).charge_id or ""

    def refund(amount: int, of: str = charge) -> Facts:
        wanted: Any = {"charge": of, "amount": amount, "metadata": {"why": "asked"}}
        return answer(lambda: v1.refunds.create(wanted), *REFUND)

    def refunded() -> Facts:
        return answer(lambda: v1.charges.retrieve(charge), "amount", "amount_refunded", "refunded")

    part, after_part = refund(1_000), refunded()
    nothing, above_the_rest = refund(0), refund(1_501)
    rest, after_rest = refund(1_500), refunded()
    listed = v1.refunds.list({"charge": charge}).data
    read = stripe_refunds.retrieve(server.gateway, listed[0].id)
    too_much = refund(100)
    return flat(
        part=part, after_part=after_part, nothing=nothing, above_the_rest=above_the_rest, rest=rest, after_rest=after_rest, too_much=too_much,
        listed=sorted(each.amount for each in listed),
        of_this_charge={each.charge == charge for each in listed} == {True},
        gateway={"status": read.status, "currency": read.currency, "metadata": dict(read.metadata)},
        of_unknown_charge=refund(100, of="ch_none"),
        unknown=answer(lambda: v1.refunds.retrieve("re_none")),
        by_intent=asked(lambda: stripe_refunds.create(server.gateway, another, 100, {}, server.fresh("refund"))),
    )  # fmt: skip


def idempotency(server: Server) -> Facts:
    """One key twice: with the same body, and with another."""
    v1 = server.client.v1
    _, intent = _pay(server, "4242424242424242")
    charge = stripe_payments.retrieve_payment(server.gateway, intent).charge_id or ""
    key: Any = {"idempotency_key": server.fresh("refund")}
    first, again = (v1.refunds.create({"charge": charge, "amount": 400}, key) for _ in range(2))
    other = answer(lambda: v1.refunds.create({"charge": charge, "amount": 500}, key))
    return flat(
        same=first.id == again.id,
        other=other,
        given_back=v1.charges.retrieve(charge).to_dict()["amount_refunded"],
    )


def balance(server: Server) -> Facts:
    """The lines that a payment and its refund leave."""
    v1 = server.client.v1
    _, intent = _pay(server, "4242424242424242")
    charge = stripe_payments.retrieve_payment(server.gateway, intent).charge_id or ""
    refund = v1.refunds.create({"charge": charge, "amount": 1_000})
    facts: Facts = {}
    for name, source in (("payment", v1.charges.retrieve(charge)), ("refund", refund)):
        line = v1.balance_transactions.retrieve(str(source.balance_transaction)).to_dict()
        wanted = ("object", "type", "reporting_category", "amount", "fee", "currency")
        facts[name] = {field: line.get(field, ABSENT) for field in wanted} | {
            "of_it": line["source"] == source.id,
            "adds_up": line["net"] == line["amount"] - line["fee"],
            "in_time": line["available_on"] >= line["created"],
        }
    return flat(**facts)


def forgotten_card(server: Server) -> Facts:
    v1, customer = server.client.v1, server.customer()
    method = server.saved_card(customer, "4242424242424242")
    card = ("object", "type", "card.last4", "card.brand", "card.exp_year")
    kept = answer(lambda: v1.payment_methods.retrieve(method), *card)
    by_type: Any = {"customer": customer, "type": "card"}
    first = len(v1.payment_methods.list(by_type).data)
    forgot = asked(lambda: stripe_payments.detach_card(server.gateway, method))
    return flat(
        kept=kept, first=first, forgot=forgot,
        after=len(v1.payment_methods.list(by_type).data),
        owner=answer(lambda: v1.payment_methods.retrieve(method), "customer"),
        unknown=asked(lambda: stripe_payments.detach_card(server.gateway, "pm_none")),
        again=asked(lambda: stripe_payments.detach_card(server.gateway, method)),
    )  # fmt: skip
