"""The evidence pack: a PDF for the bank, and the fields that Stripe passes on with it. All instants are UTC."""

from datetime import UTC, datetime
from decimal import Decimal

from soulseer.gateways import pdf
from soulseer.services.evidence import Evidence, Reading

WHAT_IT_IS = (
    "SoulSeer sells live readings (text, voice, video) with independent readers, charged by the minute out of a prepaid "
    "wallet. The disputed payment added money to that wallet."
)
OF_A_PLAN = (
    "SoulSeer sells live readings (text, voice, video) with independent readers, and plans that are paid by the month or the "
    "year until they are cancelled, which takes one click. The disputed payment was for a plan."
)
# Stripe takes 20,000 characters of a log.
LONGEST_LOG = 19_000


def instant(at: datetime | None) -> str:
    """``2026-11-20 12:03:27 UTC``."""
    return "–" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def file_name(evidence: Evidence) -> str:
    return f"soulseer-dispute-{evidence.dispute.id}.pdf"


def render(evidence: Evidence, now: datetime) -> bytes:
    """The pack as a PDF."""
    dispute, payment, person = evidence.dispute, evidence.payment, evidence.person
    made = pdf.Document(
        f"Evidence on dispute {dispute.stripe_dispute_id}",
        f"SoulSeer, dispute {dispute.stripe_dispute_id}",
        now,
    )
    made.paragraph(_what_it_is(evidence))
    made.paragraph(
        f"Made on {instant(now)} from the records of the service. All times are UTC, all amounts US dollars."
    )
    made.heading("The payment")
    made.facts(
        [
            ("Paid", f"{dollars(payment.amount)} on {instant(payment.paid_at)}"),
            ("Asked for by the customer" if payment.plan is None else "Billed", instant(payment.since)),
            (
                "Payment at Stripe",
                f"{payment.payment_intent_id or '–'}, charge {payment.charge_id or '–'}",
            ),
            (
                "Disputed",
                f"{dollars(dispute.amount)}, {dispute.reason.replace('_', ' ')}, on {instant(dispute.opened_at)}",
            ),
            (
                "Customer",
                f"{person.handle}, {person.email or 'no email address'}, with us since {instant(person.created_at)}",
            ),
            ("Network address of the paying sign-in", evidence.paid_from or "not known"),
        ]
    )
    _plan(made, evidence)
    _readings(made, evidence)
    made.heading("Given back since the payment")
    if evidence.given_back:
        rows = [
            (instant(back.at), back.kind.replace("_", " "), dollars(back.amount), back.reference)
            for back in evidence.given_back
        ]
        made.table(("When", "What", "Amount", "Reference"), rows, (3, 3, 2, 4))
    else:
        made.paragraph("Nothing.")
    made.heading("Sign-ins of the customer")
    if evidence.sign_ins:
        logins = [
            (instant(login.created_at), login.address or "–", login.user_agent or "–")
            for login in evidence.sign_ins
        ]
        made.table(("When", "Network address", "Browser"), logins, (3, 3, 7))
    else:
        made.paragraph("None in this time.")
    return made.content()


def _what_it_is(evidence: Evidence) -> str:
    return WHAT_IT_IS if evidence.payment.plan is None else OF_A_PLAN


def _plan(made: pdf.Document, evidence: Evidence) -> None:
    plan, subscription = evidence.payment.plan, evidence.payment.subscription
    if plan is None or subscription is None:
        return
    made.heading("The plan")
    made.facts(
        [
            ("Plan", plan.name),
            ("Chosen by the customer", instant(subscription.created_at)),
            ("State", subscription.state.replace("_", " ")),
            ("Paid until", instant(subscription.current_period_end)),
            ("Cancelled for the end of its period", "yes" if subscription.cancel_at_period_end else "no"),
            ("Ended", instant(subscription.ended_at)),
        ]
    )


def _readings(made: pdf.Document, evidence: Evidence) -> None:
    made.heading("Readings that the customer had since the payment")
    if not evidence.readings:
        made.paragraph("None.")
        return
    rows = [
        (
            instant(reading.session.created_at),
            reading.reader_name,
            reading.session.modality,
            str(reading.session.minutes_billed),
            dollars(reading.session.cost),
            reading.receipt.code if reading.receipt else "not issued",
        )
        for reading in evidence.readings
    ]
    made.table(("Asked for", "Reader", "By", "Minutes", "Paid", "Receipt"), rows, (5, 6, 2, 2, 2, 4))
    for reading in evidence.readings:
        _reading(made, reading)


def _reading(made: pdf.Document, reading: Reading) -> None:
    session = reading.session
    made.heading(f"Reading {session.id} with {reading.reader_name}")
    minutes = session.active_microseconds / 60_000_000
    made.paragraph(
        f"{session.modality} at {dollars(session.rate)} a minute; {session.minutes_billed} minutes charged for "
        f"{minutes:.1f} minutes together; the customer came in {instant(session.client_joined_at)}."
    )
    rows = [
        (
            instant(event.effective_at),
            event.action.replace("_", " "),
            event.to_state,
            event.actor_role,
            (event.cause or "").replace("_", " "),
        )
        for event in reading.events
    ]
    made.table(("When", "What", "State", "By", "Cause"), rows, (5, 3, 3, 2, 4))


def fields(evidence: Evidence, statement: str) -> dict[str, str]:
    """The evidence as Stripe's own fields; ``statement`` is what staff say themselves."""
    had = [reading for reading in evidence.readings if reading.session.minutes_billed]
    given = {
        "product_description": _what_it_is(evidence),
        "customer_name": evidence.person.handle,
        "customer_email_address": evidence.person.email or "",
        "customer_purchase_ip": evidence.paid_from or "",
        "service_date": had[-1].session.created_at.astimezone(UTC).date().isoformat() if had else "",
        "access_activity_log": _log(evidence),
        "uncategorized_text": statement,
    }
    return {name: value for name, value in given.items() if value}


def _log(evidence: Evidence) -> str:
    """Sign-ins and readings in one order of time; the newest where not all fit."""
    lines = [
        (
            login.created_at,
            f"sign-in from {login.address or 'unknown'}, {login.user_agent or 'unknown browser'}",
        )
        for login in evidence.sign_ins
    ]
    lines += [
        (
            reading.session.created_at,
            f"{reading.session.modality} reading with {reading.reader_name}, "
            f"{reading.session.minutes_billed} minutes, {dollars(reading.session.cost)}",
        )
        for reading in evidence.readings
    ]
    told = [f"{instant(at)}: {words}" for at, words in sorted(lines)]
    while told and sum(len(line) + 1 for line in told) > LONGEST_LOG:
        told.pop(0)
    return "\n".join(told)
