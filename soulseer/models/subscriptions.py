"""Plans, what they cost at Stripe, and people's subscriptions as Stripe has them."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from soulseer.db import Money, db
from soulseer.models.types import Instant, one_of

AUDIENCES = ("reader", "client")
INTERVALS = ("month", "year")
# ``created`` and ``open``: the checkout is not through. ``past_due``: in grace. ``lapsed``: grace is over, nothing is
# given any more, but Stripe still has the subscription.
SUBSCRIPTION_STATES = (
    "created", "open", "failed", "expired", "trialing", "active", "past_due", "lapsed", "canceled",
)  # fmt: skip
BEGINNING = ("created", "open")
LIVE = ("trialing", "active", "past_due", "lapsed")
# In these a person gets what the plan gives.
ENTITLED = ("trialing", "active", "past_due")
_UNDER_WAY = one_of("state", BEGINNING + LIVE)
SUBSCRIPTION_MOVES = (
    ("created", "open"),
    *((before, after) for before in BEGINNING for after in ("failed", "expired", *LIVE, "canceled")),
    # A checkout that we gave up may have been paid all the same.
    *((before, after) for before in ("failed", "expired") for after in (*LIVE, "canceled")),
    *((before, after) for before in LIVE for after in (*LIVE, "canceled") if before != after),
)
ORDER_KINDS = ("change", "cancel", "undo", "end")
ORDER_STATES = ("created", "done", "failed")
INVOICE_STATES = ("draft", "open", "paid", "void", "uncollectible")
INVOICE_MOVES = (
    ("draft", "open"),
    ("draft", "paid"),
    ("draft", "void"),
    ("draft", "uncollectible"),
    ("open", "paid"),
    ("open", "void"),
    ("open", "uncollectible"),
    ("uncollectible", "paid"),
    ("uncollectible", "void"),
)


class Plan(db.Model):  # type: ignore[name-defined, misc]
    """What one may subscribe to. Prices in dollars; both 0.00 is a plan without Stripe. ``features``: a line each."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint(one_of("audience", AUDIENCES), name="audience"),
        CheckConstraint("monthly_price >= 0 AND yearly_price >= 0", name="prices"),
        CheckConstraint("(monthly_price = 0) = (yearly_price = 0)", name="free"),
        CheckConstraint("trial_days BETWEEN 0 AND 730", name="trial_days"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    audience: Mapped[str]
    monthly_price: Mapped[Decimal] = mapped_column(Money)
    yearly_price: Mapped[Decimal] = mapped_column(Money)
    trial_days: Mapped[int] = mapped_column(default=0)
    features: Mapped[str] = mapped_column(default="")
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    stripe_product_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def free(self) -> bool:
        return self.monthly_price == 0

    def price(self, interval: str) -> Decimal:
        """Dollars per ``interval`` (month or year)."""
        return self.monthly_price if interval == "month" else self.yearly_price


class PlanPrice(db.Model):  # type: ignore[name-defined, misc]
    """A price that a plan has or had: whoever subscribed at it keeps it. One per plan and interval is for new ones."""

    __tablename__ = "plan_price"
    __table_args__ = (
        CheckConstraint("\"interval\" IN ('month', 'year')", name="interval"),
        CheckConstraint("amount > 0", name="amount"),
        UniqueConstraint("plan_id", "interval", "amount", "currency"),
        Index("uq_plan_price_active", "plan_id", "interval", unique=True, postgresql_where=text("active")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    interval: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(default="USD")
    stripe_price_id: Mapped[str | None] = mapped_column(unique=True)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Subscription(db.Model):  # type: ignore[name-defined, misc]
    """The intent to subscribe, recorded before Stripe is asked; afterwards a mirror of Stripe's subscription."""

    __tablename__ = "subscription"
    __table_args__ = (
        CheckConstraint(one_of("audience", AUDIENCES), name="audience"),
        CheckConstraint(one_of("state", SUBSCRIPTION_STATES), name="state"),
        CheckConstraint("state <> 'past_due' OR grace_until IS NOT NULL", name="grace"),
        CheckConstraint("(state = 'canceled') = (ended_at IS NOT NULL)", name="ended"),
        CheckConstraint(f"NOT ({one_of('state', LIVE)}) OR stripe_subscription_id IS NOT NULL", name="live"),
        # One live subscription per person and audience, and one way to it at a time.
        Index(
            "uq_subscription_under_way",
            "person_id",
            "audience",
            unique=True,
            postgresql_where=text(_UNDER_WAY),
        ),
        Index("ix_subscription_person_id_id", "person_id", text("id DESC")),
        Index("ix_subscription_plan_price_id", "plan_price_id"),
        Index("ix_subscription_due", "next_check_at", postgresql_where=text(_UNDER_WAY)),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    audience: Mapped[str]
    plan_price_id: Mapped[int] = mapped_column(ForeignKey("plan_price.id"))
    trial_days: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="created")
    stripe_subscription_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_checkout_session_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(default=False)
    current_period_end: Mapped[datetime | None] = mapped_column(Instant)
    trial_end: Mapped[datetime | None] = mapped_column(Instant)
    # Until when the plan's benefits stay after a failed payment.
    grace_until: Mapped[datetime | None] = mapped_column(Instant)
    # Why it failed, in words that the person may read.
    failure: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    # When Stripe was asked for what stands here: an older answer does not set it back.
    mirrored_at: Mapped[datetime | None] = mapped_column(Instant)
    next_check_at: Mapped[datetime | None] = mapped_column(Instant)


class SubscriptionOrder(db.Model):  # type: ignore[name-defined, misc]
    """What Stripe is to do to a subscription, recorded before it is told; one at a time."""

    __tablename__ = "subscription_order"
    __table_args__ = (
        CheckConstraint(one_of("kind", ORDER_KINDS), name="kind"),
        CheckConstraint(one_of("state", ORDER_STATES), name="state"),
        CheckConstraint("(kind = 'change') = (plan_price_id IS NOT NULL)", name="price"),
        CheckConstraint("(state = 'created') = (done_at IS NULL)", name="done"),
        Index(
            "uq_subscription_order_open",
            "subscription_id",
            unique=True,
            postgresql_where=text("state = 'created'"),
        ),
        Index("ix_subscription_order_subscription_id_id", "subscription_id", text("id DESC")),
        Index("ix_subscription_order_due", "next_check_at", postgresql_where=text("state = 'created'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    kind: Mapped[str]
    plan_price_id: Mapped[int | None] = mapped_column(ForeignKey("plan_price.id"))
    # The instant that the preview was reckoned at, so that Stripe charges what was shown.
    reckoned_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(default="created")
    failure: Mapped[str | None]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    next_check_at: Mapped[datetime] = mapped_column(Instant)


class SubscriptionInvoice(db.Model):  # type: ignore[name-defined, misc]
    """Stripe's invoice as we know it. Paid money is booked: the row and its ledger transaction come together."""

    __tablename__ = "subscription_invoice"
    __table_args__ = (
        CheckConstraint(one_of("state", INVOICE_STATES), name="state"),
        CheckConstraint("amount_paid >= 0", name="amount_paid"),
        CheckConstraint("(state = 'paid' AND amount_paid > 0) = (transaction_id IS NOT NULL)", name="booked"),
        CheckConstraint(
            "refunded_amount >= 0 AND disputed_amount >= 0 AND refunded_amount + disputed_amount <= amount_paid",
            name="given_back",
        ),
        Index("ix_subscription_invoice_subscription_id_id", "subscription_id", text("id DESC")),
        Index(
            "ix_subscription_invoice_stripe_payment_intent_id",
            "stripe_payment_intent_id",
            postgresql_where=text("stripe_payment_intent_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    stripe_invoice_id: Mapped[str] = mapped_column(unique=True)
    number: Mapped[str | None]
    state: Mapped[str]
    # Stripe's word: subscription_create, subscription_cycle, subscription_update…
    billing_reason: Mapped[str] = mapped_column(default="")
    # ``total`` may be below zero: a credit for the next invoices.
    total: Mapped[Decimal] = mapped_column(Money)
    amount_due: Mapped[Decimal] = mapped_column(Money)
    amount_paid: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str]
    # Dollars of what was paid that went back to the card, and that are now disputed or lost.
    refunded_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    disputed_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    hosted_url: Mapped[str | None]
    stripe_payment_intent_id: Mapped[str | None]
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    issued_at: Mapped[datetime] = mapped_column(Instant)
    paid_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def amount(self) -> Decimal:
        """What was paid: the most that may be given back."""
        return self.amount_paid


class SubscriptionMove(db.Model):  # type: ignore[name-defined, misc]
    """A subscription's history, append-only: every move of its state and every change of its plan."""

    __tablename__ = "subscription_move"
    __table_args__ = (Index("ix_subscription_move_subscription_id_id", "subscription_id", text("id DESC")),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    cause: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Instant)
