"""GET /api/me/: the caller, as others never see them."""

from typing import Literal

from flask import Blueprint

from soulseer.blueprints.api_support import api_route
from soulseer.blueprints.api_types import ApiModel, Money
from soulseer.blueprints.rendering import wallet_of
from soulseer.domain.money import CURRENCY
from soulseer.services.people import SignedIn

blueprint = Blueprint("me", __name__, url_prefix="/api/me")

RoleName = Literal["client", "reader", "support", "moderator", "finance", "ops", "admin"]


class WalletBalance(ApiModel):
    balance: Money
    currency: str


class Me(ApiModel):
    handle: str
    email: str | None
    roles: list[RoleName]
    time_zone: str
    wallet: WalletBalance | None


@blueprint.get("/")
@api_route("Who the token or the cookie speaks for", answer=Me)
def show(person: SignedIn) -> Me:
    """The email address and the wallet are told to their owner only; `wallet` is null without the role client."""
    balance = wallet_of(person)
    return Me(
        handle=person.handle,
        email=person.email,
        roles=sorted(person.roles),  # type: ignore[arg-type]
        time_zone=person.time_zone,
        wallet=WalletBalance(balance=balance, currency=CURRENCY) if "client" in person.roles else None,
    )
