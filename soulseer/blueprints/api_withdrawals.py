"""/api/wallet/withdrawals/: unspent money back to the card it came from, for programs."""

from datetime import datetime

from flask import Blueprint, Response

from soulseer.blueprints import limits
from soulseer.blueprints.api_input import idempotency_key
from soulseer.blueprints.api_support import api_route, once
from soulseer.blueprints.api_types import Amount, ApiModel, Instant, Money, Page, PageQuery, page_of
from soulseer.domain.errors import IdempotencyMismatch, InvalidInput, NotWithdrawable
from soulseer.models.refunds import Refund, Withdrawal
from soulseer.services import refund_lists, withdrawals
from soulseer.services.people import SignedIn

blueprint = Blueprint("api_withdrawals", __name__, url_prefix="/api/wallet/withdrawals")


class WithdrawalRequest(ApiModel):
    amount: Amount


class RefundAnswer(ApiModel):
    """A part of a withdrawal: what goes back to one payment's card. ``state``: approved, sent, settled or failed."""

    id: int
    top_up_id: int | None
    amount: Money
    state: str
    failure: str | None


class WithdrawalAnswer(ApiModel):
    id: int
    amount: Money
    currency: str
    created_at: Instant
    refunds: list[RefundAnswer]


@blueprint.post("/")
@api_route(
    "Send unspent money back to the card",
    body=WithdrawalRequest,
    answer=WithdrawalAnswer,
    status=201,
    errors=(InvalidInput, NotWithdrawable, IdempotencyMismatch),
    limit=limits.MONEY,
    idempotent=True,
)
def withdraw(person: SignedIn, body: WithdrawalRequest) -> Response:
    """The money leaves the wallet at once and goes to the newest payments first; promotional credit is not paid out."""
    key = idempotency_key()

    def deed(now: datetime) -> tuple[WithdrawalAnswer, int]:
        made = withdrawals.withdraw(person.id, body.amount, now, key=None if key is None else f"api:{key}")
        return _answer(made, refund_lists.refunds_of([made.id])[made.id]), 201

    return once(person, deed)


@blueprint.get("/")
@api_route(
    "Withdrawals, newest first", query=PageQuery, answer=Page[WithdrawalAnswer], errors=(InvalidInput,)
)
def show(person: SignedIn, query: PageQuery) -> Page[WithdrawalAnswer]:
    """Each with the refunds that it is made of."""
    rows = refund_lists.withdrawals(person.id, query.limit + 1, query.after())
    return page_of(rows, query, identifier=lambda row: row[0].id, item=lambda row: _answer(*row))


def _answer(made: Withdrawal, refunds: list[Refund]) -> WithdrawalAnswer:
    return WithdrawalAnswer(
        id=made.id,
        amount=made.amount,
        currency=made.currency,
        created_at=made.created_at,
        refunds=[RefundAnswer.model_validate(refund) for refund in refunds],
    )
