"""What settings decide about the business, handed down by the app as plain values."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True)
class ReadingPolicy:
    """The rules of a reading session that settings may change (design §4)."""

    grace: timedelta = timedelta(seconds=300)
    ring: timedelta = timedelta(seconds=120)
    presence_timeout: timedelta = timedelta(seconds=30)
    token_ttl: timedelta = timedelta(seconds=1200)
    minimum_minutes: int = 1
    max_reconnects: int = 5
    reader_share: Decimal = Decimal("0.70")
    charge_on_heartbeat: bool = True


@dataclass(frozen=True)
class WaitingPolicy:
    """Ringing and waiting: rings missed in a row before a reader is taken offline, how long the first in a queue has
    the reader for themselves, how long "tell me when free" stands, and the length of a reading where none is known."""

    missed_rings: int = 2
    hold: timedelta = timedelta(seconds=120)
    notice: timedelta = timedelta(hours=24)
    usual_reading: timedelta = timedelta(minutes=15)
    most_free_minutes: int = 5


@dataclass(frozen=True)
class TopUpPolicy:
    """Limits of one top-up, dollars."""

    minimum: Decimal = Decimal("5.00")
    maximum: Decimal = Decimal("500.00")
    packages: tuple[Decimal, ...] = (Decimal("10.00"), Decimal("25.00"), Decimal("50.00"), Decimal("100.00"))


@dataclass(frozen=True)
class AutoReloadPolicy:
    """Limits of automatic top-ups, dollars, and what is done when the card is refused. One adds at most what any
    top-up may (``TopUpPolicy``)."""

    lowest_threshold: Decimal = Decimal("1.00")
    highest_cap: Decimal = Decimal("5000.00")
    retry_after: timedelta = timedelta(hours=6)
    most_failures: int = 3


@dataclass(frozen=True)
class PayoutPolicy:
    """How long a reader's earnings are held before they may be paid out, and the least payout in dollars."""

    hold: timedelta = timedelta(days=7)
    minimum: Decimal = Decimal("25.00")


@dataclass(frozen=True)
class PromotionPolicy:
    """Promotional credit, dollars: the most in one grant, and what one member of support may give one person in 24
    hours. A grant ends after ``longest`` at the latest; what is given back lives for ``returned`` at least."""

    maximum: Decimal = Decimal("500.00")
    support_limit: Decimal = Decimal("25.00")
    longest: timedelta = timedelta(days=730)
    returned: timedelta = timedelta(days=7)
    warning: timedelta = timedelta(days=3)


@dataclass(frozen=True)
class ReconciliationPolicy:
    """Above how many dollars an entry that mends a difference needs a second person."""

    approval_limit: Decimal = Decimal("100.00")


@dataclass(frozen=True)
class RefundPolicy:
    """Dollars given back of one thing without a second person's approval, all refunds of it together."""

    approval_limit: Decimal = Decimal("50.00")


@dataclass(frozen=True)
class TipPolicy:
    """Limits of one tip and the amounts that are offered, dollars; ``reader_share`` of it is the reader's."""

    minimum: Decimal = Decimal("1.00")
    maximum: Decimal = Decimal("200.00")
    presets: tuple[Decimal, ...] = (Decimal("5.00"), Decimal("10.00"), Decimal("20.00"))
    reader_share: Decimal = Decimal("0.70")


@dataclass(frozen=True)
class FilePolicy:
    """Pictures that people send: bytes and pixels at most, and the longest side (pixels) of what is kept."""

    most_bytes: int = 8_000_000
    most_pixels: int = 40_000_000
    longest_side: int = 1600


@dataclass(frozen=True)
class MediaPolicy:
    """How voice and video travel: ``transport`` is ``agora`` or ``webrtc`` (between the two browsers, with the help of
    ``ice_servers``, stun: and turn: addresses; ``turn_secret`` makes the passwords of the latter)."""

    transport: str = "webrtc"
    ice_servers: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class ModerationPolicy:
    """Flags and cases. ``hide_weight``: thousandths of a sure reporter that hide a content until it was looked at;
    ``claim``: how long a case is one moderator's; ``strikes`` within ``strike_period`` propose a suspension."""

    hide_weight: int = 2000
    claim: timedelta = timedelta(minutes=15)
    strikes: int = 3
    strike_period: timedelta = timedelta(days=180)


@dataclass(frozen=True)
class StaffPolicy:
    """Who may be in the back office: whether a sign-in needs a second factor, and how long one may be away."""

    second_factor: bool = False
    idle: timedelta = timedelta(minutes=30)


@dataclass(frozen=True)
class DoorPolicy:
    """What the doors need of the settings: addresses that forms may lead to, and who may read the metrics."""

    issuer: str = ""
    stripe_api_base: str = ""
    sandbox: bool = False
    metrics_token: str = ""


@dataclass(frozen=True)
class Policies:
    reading: ReadingPolicy = field(default_factory=ReadingPolicy)
    waiting: WaitingPolicy = field(default_factory=WaitingPolicy)
    top_up: TopUpPolicy = field(default_factory=TopUpPolicy)
    auto_reload: AutoReloadPolicy = field(default_factory=AutoReloadPolicy)
    payout: PayoutPolicy = field(default_factory=PayoutPolicy)
    refund: RefundPolicy = field(default_factory=RefundPolicy)
    promotion: PromotionPolicy = field(default_factory=PromotionPolicy)
    tip: TipPolicy = field(default_factory=TipPolicy)
    reconciliation: ReconciliationPolicy = field(default_factory=ReconciliationPolicy)
    files: FilePolicy = field(default_factory=FilePolicy)
    media: MediaPolicy = field(default_factory=MediaPolicy)
    moderation: ModerationPolicy = field(default_factory=ModerationPolicy)
    staff: StaffPolicy = field(default_factory=StaffPolicy)
    doors: DoorPolicy = field(default_factory=DoorPolicy)
    # How long a plan's benefits stay after a payment for it failed.
    subscription_grace: timedelta = timedelta(days=7)
    billing_tick_seconds: int = 60
    app_base_url: str = ""
    production: bool = False


_current = Policies()


def configure(policies: Policies) -> None:
    """Called once by the app."""
    global _current
    _current = policies


def current() -> Policies:
    return _current
