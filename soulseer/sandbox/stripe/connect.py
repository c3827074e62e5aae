"""Connected accounts (Express), transfers to them, and what is taken back of transfers. Amounts in cents."""

from typing import Any

from soulseer.sandbox.stripe import balances
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import as_list
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id

# What an Express account must tell before money may be sent to it.
ONBOARDING = (
    "business_type",
    "external_account",
    "individual.address.line1",
    "individual.dob.day",
    "individual.first_name",
    "individual.ssn_last_4",
    "tos_acceptance.date",
)
SWITCH = "sandbox_transfers"


def new_account(work: Work, *, email: str | None, country: str, metadata: dict[str, str]) -> Document:
    """An Express account that has told nothing yet; the account itself is not announced, as at Stripe."""
    return work.save(
        {
            "id": new_id("acct", 16),
            "object": "account",
            "business_profile": {"mcc": None, "name": None, "url": None},
            "business_type": None,
            "capabilities": {"transfers": "inactive"},
            "charges_enabled": False,
            "controller": {"type": "application"},
            "country": country,
            "created": work.now,
            "default_currency": "usd",
            "details_submitted": False,
            "email": email,
            "external_accounts": as_list([], "/v1/accounts/external_accounts"),
            "future_requirements": _requirements([], [], None),
            "metadata": metadata,
            "payouts_enabled": False,
            "requirements": _requirements(list(ONBOARDING), [], "requirements.past_due"),
            "tos_acceptance": {"date": None},
            "type": "express",
        }
    )


def finish_onboarding(work: Work, account: Document) -> Document:
    """What the hosted page does once everything is filled in."""
    account["details_submitted"] = True
    account["business_type"] = "individual"
    account["tos_acceptance"] = {"date": work.now}
    return require(work, account, [], [], None)


def require(
    work: Work, account: Document, currently_due: list[str], past_due: list[str], disabled_reason: str | None
) -> Document:
    """Set what is due of an account; past due or a reason to disable stops transfers and payouts. Announced."""
    works = bool(account["details_submitted"]) and not past_due and disabled_reason is None
    account["requirements"] = _requirements(
        sorted({*currently_due, *past_due}),
        past_due,
        disabled_reason or ("requirements.past_due" if past_due else None),
    )
    account["capabilities"] = {"transfers": "active" if works else "inactive"}
    account["payouts_enabled"] = works
    work.save(account)
    work.announce("account.updated", account)
    return account


def _requirements(currently_due: list[str], past_due: list[str], disabled_reason: str | None) -> Document:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": currently_due,
        "disabled_reason": disabled_reason,
        "errors": [],
        "eventually_due": currently_due,
        "past_due": past_due,
        "pending_verification": [],
    }


def send(
    work: Work,
    *,
    amount: int,
    currency: str,
    destination: str,
    transfer_group: str | None,
    description: str | None,
    metadata: dict[str, str],
) -> Document:
    """A transfer from the platform's balance to a connected account. Raises ApiError where Stripe would refuse."""
    account = work.get("account", destination, param="destination", in_path=False)
    outcome = _outcome(work)
    if outcome == "balance_insufficient":
        raise ApiError(
            "You have insufficient available funds in your Stripe account.",
            code="balance_insufficient",
            executed=True,
        )
    if outcome == "refuse" or account["capabilities"]["transfers"] != "active":
        raise ApiError(
            "Your destination account needs to have at least one of the following capabilities enabled: transfers.",
            code="insufficient_capabilities_for_transfer",
            executed=True,
        )
    identifier = new_id("tr")
    transfer: Document = {
        "id": identifier,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": work.now,
        "currency": currency,
        "description": description,
        "destination": destination,
        "destination_payment": new_id("py"),
        "livemode": False,
        "metadata": metadata,
        "reversals": as_list([], f"/v1/transfers/{identifier}/reversals"),
        "reversed": False,
        "source_transaction": None,
        "source_type": "card",
        "transfer_group": transfer_group,
    }
    transfer["balance_transaction"] = balances.book(work, transfer, kind="transfer", amount=-amount)["id"]
    work.save(transfer)
    work.announce("transfer.created", transfer)
    return transfer


def reverse(
    work: Work, transfer: Document, amount: int | None, metadata: dict[str, str] | None = None
) -> Document:
    """Take all that is left of a transfer back, or a part of it; the reversal. Raises ApiError for more than is left."""
    left = transfer["amount"] - transfer["amount_reversed"]
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise ApiError(
            f"Amount of {wanted} cannot be reversed: {left} of transfer {transfer['id']} are left.",
            param="amount",
        )
    reversal: Document = {
        "id": new_id("trr"),
        "object": "transfer_reversal",
        "amount": wanted,
        "balance_transaction": None,
        "created": work.now,
        "currency": transfer["currency"],
        "destination_payment_refund": new_id("pyr"),
        "metadata": metadata or {},
        "source_refund": None,
        "transfer": transfer["id"],
    }
    reversal["balance_transaction"] = balances.book(work, reversal, kind="transfer_refund", amount=wanted)[
        "id"
    ]
    work.save(reversal)
    transfer["amount_reversed"] += wanted
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"] = [reversal, *transfer["reversals"]["data"]][:10]
    work.save(transfer)
    work.announce("transfer.reversed", transfer)
    return reversal


def set_outcome(work: Work, outcome: str) -> Document:
    """Have all transfers from now on end in ``outcome``: succeed, refuse or balance_insufficient."""
    if outcome not in ("succeed", "refuse", "balance_insufficient"):
        raise ApiError("outcome: succeed, refuse or balance_insufficient is expected", param="outcome")
    return work.save({"id": SWITCH, "object": "sandbox.switch", "created": work.now, "outcome": outcome})


def _outcome(work: Work) -> str:
    switch: dict[str, Any] | None = work.find("sandbox.switch", SWITCH)
    return "succeed" if switch is None else str(switch["outcome"])
