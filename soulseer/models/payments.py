"""Money from outside: top-ups by Stripe Checkout, and the inbox of vendors' events."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

TOP_UP_ORIGINS = ("checkout", "auto_reload")
TOP_UP_STATES = ("created", "open", "paid", "failed", "expired")
TOP_UP_MOVES = (
    ("created", "open"),
    ("created", "failed"),
    ("created", "paid"),
    ("created", "expired"),
    ("open", "paid"),
    ("open", "failed"),
    ("open", "expired"),
    ("failed", "paid"),
    ("expired", "paid"),
)
WEBHOOK_STATUSES = ("received", "processed", "ignored", "quarantined", "failed")
WEBHOOK_WAYS = ("webhook", "pull")


class TopUp(db.Model):  # type: ignore[name-defined, misc]
    """The intent to put money into a wallet, recorded before Stripe is asked; amount, currency and owner count from here."""

    __tablename__ = "top_up"
    __table_args__ = (
        CheckConstraint(one_of("state", TOP_UP_STATES), name="state"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="paid"),
        CheckConstraint(one_of("origin", TOP_UP_ORIGINS), name="origin"),
        CheckConstraint("refunded_amount BETWEEN 0 AND amount", name="refunded_amount"),
        CheckConstraint("disputed_amount BETWEEN 0 AND amount", name="disputed_amount"),
        CheckConstraint(
            "(origin = 'auto_reload') = (payment_method_id IS NOT NULL)", name="payment_method_id"
        ),
        Index("ix_top_up_person_id_id", "person_id", text("id DESC")),
        UniqueConstraint("person_id", "idempotency_key"),
        Index("ix_top_up_due", "next_check_at", postgresql_where=text("state IN ('created', 'open')")),
        Index("ix_top_up_paid_at", "paid_at", postgresql_where=text("state = 'paid'")),
        # Never two automatic top-ups of one person at once.
        Index(
            "uq_top_up_auto_reload_open",
            "person_id",
            unique=True,
            postgresql_where=text("origin = 'auto_reload' AND state IN ('created', 'open')"),
        ),
        Index(
            "ix_top_up_auto_reload_person_id_created_at",
            "person_id",
            "created_at",
            postgresql_where=text("origin = 'auto_reload'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    state: Mapped[str] = mapped_column(default="created")
    stripe_checkout_session_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    return_path: Mapped[str] = mapped_column(default="/wallet/")
    # The client's own name for this request: the same again is the same top-up.
    idempotency_key: Mapped[str | None]
    # Why it failed, in words that the client may read.
    failure: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    # When the sweep asks Stripe again; None: nothing more to ask.
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)
    paid_at: Mapped[datetime | None] = mapped_column(Instant)
    # ``auto_reload``: paid off session with the saved card, without a Checkout session.
    origin: Mapped[str] = mapped_column(default="checkout", server_default="checkout")
    stripe_charge_id: Mapped[str | None] = mapped_column(unique=True)
    # Since when the checkout is complete and its money on the way (a bank transfer takes days).
    processing_since: Mapped[datetime | None] = mapped_column(Instant)
    # When the person agreed that the card is kept for later payments; None: it is not kept.
    card_consent_at: Mapped[datetime | None] = mapped_column(Instant)
    # The saved card that an automatic top-up is charged to: the same at every retry.
    payment_method_id: Mapped[str | None]
    # Dollars of this payment that are given back to the card or on their way there; dollars now disputed or lost.
    refunded_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    disputed_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")


class StripeCustomer(db.Model):  # type: ignore[name-defined, misc]
    """A person as Stripe's customer, with the card that was saved for later payments, if any."""

    __tablename__ = "stripe_customer"
    __table_args__ = (
        CheckConstraint("(payment_method_id IS NULL) = (card_consent_at IS NULL)", name="card"),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    stripe_customer_id: Mapped[str] = mapped_column(unique=True)
    payment_method_id: Mapped[str | None]
    card_brand: Mapped[str | None]
    card_last4: Mapped[str | None]
    # When the owner agreed that this card is kept and charged without them.
    card_consent_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class WebhookEvent(db.Model):  # type: ignore[name-defined, misc]
    """The inbox: every event a vendor sent, stored raw before it is acted on; one row per event id."""

    __tablename__ = "webhook_event"
    __table_args__ = (
        UniqueConstraint("vendor", "event_id"),
        CheckConstraint(one_of("vendor", ("stripe", "agora")), name="vendor"),
        CheckConstraint(one_of("status", WEBHOOK_STATUSES), name="status"),
        CheckConstraint(one_of("came_by", WEBHOOK_WAYS), name="came_by"),
        Index(
            "ix_webhook_event_due",
            "next_attempt_at",
            postgresql_where=text("status IN ('received', 'failed')"),
        ),
        Index("ix_webhook_event_object_id", "object_id", postgresql_where=text("object_id IS NOT NULL")),
        Index("ix_webhook_event_quarantined", "received_at", postgresql_where=text("status = 'quarantined'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    vendor: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    livemode: Mapped[bool] = mapped_column(default=False)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(default="received")
    received_at: Mapped[datetime] = mapped_column(Instant)
    processed_at: Mapped[datetime | None] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    # What the event is about, by the vendor's id (pi_…, cs_…): what the inbox is searched by.
    object_id: Mapped[str | None]
    # ``pull``: found in the vendor's own list, since no webhook had brought it.
    came_by: Mapped[str] = mapped_column(default="webhook", server_default="webhook")
    # The vendor's instant of the event; None where it was not kept.
    created_at: Mapped[datetime | None] = mapped_column(Instant)


class StripeEventPull(db.Model):  # type: ignore[name-defined, misc]
    """One row per mode of Stripe: every event created before ``covered_until`` that Stripe listed is in the inbox.

    It never goes back. ``pulled_at`` is when the list was last read.
    """

    __tablename__ = "stripe_event_pull"

    livemode: Mapped[bool] = mapped_column(primary_key=True)
    covered_until: Mapped[datetime] = mapped_column(Instant)
    pulled_at: Mapped[datetime] = mapped_column(Instant)


class IdempotencyRecord(db.Model):  # type: ignore[name-defined, misc]
    """The answer to a money POST under a person's Idempotency-Key: same key and body, same answer."""

    __tablename__ = "idempotency_record"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    status: Mapped[int | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
