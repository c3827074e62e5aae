"""The one visible tree of errors. Doors turn them into pages or ``application/problem+json``."""

from decimal import Decimal
from typing import Any


class SoulSeerError(Exception):
    """Base of all errors that a person may be shown.

    ``code`` is stable; ``status`` is the HTTP status. ``keeps_changes`` says that what was found true before the
    refusal (a minute charged, a grace that ran out) is committed although the call itself is refused.
    """

    code = "error"
    status = 500
    title = "Something went wrong"

    def __init__(self, detail: str = "", *, keeps_changes: bool = False, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.keeps_changes = keeps_changes
        self.extra = extra


class InvalidInput(SoulSeerError):
    """A value does not fit; ``field`` names it."""

    code, status, title = "invalid_input", 422, "Please check what you entered"

    def __init__(self, field: str, detail: str, **extra: Any) -> None:
        super().__init__(detail, field=field, **extra)
        self.field = field


class NotSignedIn(SoulSeerError):
    code, status, title = "not_signed_in", 401, "Please sign in"


class InvalidToken(NotSignedIn):
    code, title = "invalid_token", "The access token is not valid"


class Forbidden(SoulSeerError):
    code, status, title = "forbidden", 403, "This is not yours to see"


class NotParticipant(Forbidden):
    code, title = "not_a_participant", "You are not part of this reading"


class Suspended(Forbidden):
    code, title = "suspended", "This account is suspended"


class SpendingFrozen(Forbidden):
    code, title = "spending_frozen", "Spending is paused"


class NotFound(SoulSeerError):
    code, status, title = "not_found", 404, "There is nothing here"


class InsufficientFunds(SoulSeerError):
    """``missing`` is in dollars."""

    code, status, title = "insufficient_funds", 402, "There is not enough money in the wallet"

    def __init__(self, missing: Decimal, currency: str = "USD", **extra: Any) -> None:
        super().__init__(
            f"{missing} {currency} more is needed.", missing=str(missing), currency=currency, **extra
        )
        self.missing = missing


class Conflict(SoulSeerError):
    code, status, title = "conflict", 409, "This can no longer be done"


class IllegalMove(Conflict):
    code, title = "illegal_move", "The reading does not allow this now"


class CeilingReached(Conflict):
    code, title = "ceiling_reached", "The client’s limit for this reading is reached"


class TooManyReconnects(Conflict):
    code, title = "too_many_reconnects", "The reading was reconnected too often and has ended"


class AlreadyLive(Conflict):
    code, title = "already_in_a_reading", "One of you is already in another reading"


class ReaderUnavailable(Conflict):
    code, title = "reader_unavailable", "The reader cannot take this reading now"


class ReaderHeld(ReaderUnavailable):
    code, title = "reader_held", "The reader is kept for the next in the queue"


class AlreadyQueued(Conflict):
    code, title = "already_queued", "You wait for another reader already"


class NotReviewable(Conflict):
    code, title = "not_reviewable", "This reading cannot be reviewed"


class AlreadyReviewed(Conflict):
    code, title = "already_reviewed", "This reading has its review"


class NotVerified(Conflict):
    code, title = "not_verified", "Your application is still being looked at"


class Gone(SoulSeerError):
    code, status, title = "gone", 410, "The time for this is over"


class PreviewChanged(Conflict):
    """What was previewed is not what would be booked now."""

    code, title = "preview_changed", "The amounts have moved since this was previewed"


class RefundWaiting(Conflict):
    code, title = "refund_waiting", "Another refund of the same thing waits for approval"


class NotWithdrawable(Conflict):
    code, title = "not_withdrawable", "Money cannot be sent back to the card now"


class RingOver(Gone):
    code, title = "ring_over", "Nobody answered in time"


class RingDeclined(Gone):
    code, title = "declined", "The reader cannot take this reading now"


class GraceOver(Gone):
    code, title = "grace_over", "The time to come back is over"


class IdempotencyMismatch(SoulSeerError):
    code, status, title = "idempotency_mismatch", 422, "This Idempotency-Key was used for another request"


class TransferNotAllowed(SoulSeerError):
    code, status, title = "transfer_not_allowed", 500, "This movement of money is not on the declared list"


class PresenceUnavailable(SoulSeerError):
    code, status, title = "presence_unavailable", 503, "The site cannot see who is present right now"


class BillingStopped(SoulSeerError):
    code, status, title = "billing_stopped", 503, "SoulSeer has paused all readings"


class QueueUnavailable(SoulSeerError):
    code, status, title = "queue_unavailable", 503, "The queues do not answer right now"


class VendorError(SoulSeerError):
    """An outside system refused or did not answer; nothing was lost, the call may be repeated."""

    code, status, title = "vendor_error", 502, "A partner service did not answer; please try again"


class IssuerUnavailable(VendorError):
    code, status, title = "issuer_unavailable", 503, "Signing in is not possible right now"


class SignInFailed(SoulSeerError):
    code, status, title = "sign_in_failed", 400, "This sign-in did not work out"


class WebhookRejected(SoulSeerError):
    code, status, title = "webhook_rejected", 400, "This webhook is not signed by its vendor"
