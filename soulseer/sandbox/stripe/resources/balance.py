"""`/v1/balance` and `/v1/balance_transactions`."""

from typing import Any

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work

_SUM = (
    "SELECT coalesce(sum(json_extract(document, '$.net')), 0) FROM object WHERE kind = 'balance_transaction'"
    " AND (json_extract(document, '$.available_on') <= ?) = ?"
)


def register(api: Api) -> None:
    @api.get("/balance")
    def balance(work: Work, parameters: Parameters) -> dict[str, Any]:
        def total(available: bool) -> list[dict[str, Any]]:
            amount = work.connection.execute(_SUM, (work.now, available)).fetchone()[0]
            return [{"amount": amount, "currency": "usd", "source_types": {"card": amount}}]

        return {"object": "balance", "available": total(True), "livemode": False, "pending": total(False)}

    @api.get("/balance_transactions/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return _as_it_stands(work, work.get("balance_transaction", identifier))

    @api.get("/balance_transactions")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("source", "type", "currency")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        url = "/v1/balance_transactions"
        answer = list_objects(work, parameters, "balance_transaction", url, equal=filters)
        answer["data"] = [_as_it_stands(work, line) for line in answer["data"]]
        return answer


def _as_it_stands(work: Work, line: dict[str, Any]) -> dict[str, Any]:
    return line | {"status": "available" if line["available_on"] <= work.now else "pending"}
