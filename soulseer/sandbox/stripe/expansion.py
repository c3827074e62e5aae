"""`expand[]`: ids in an answer replaced by the objects they name."""

from typing import Any

from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import as_list
from soulseer.sandbox.stripe.work import Work

_DEEPEST = 4


def expand(work: Work, answer: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """The answer with each dotted path (`data.payment_intent.latest_charge`) expanded.

    Raises ApiError where a path names no field, or goes deeper than Stripe allows.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST + (steps[0] == "data"):
            raise ApiError(f"You cannot expand more than {_DEEPEST} levels: {path}", param="expand")
        _follow(work, answer, steps, path)
    return answer


def line_items_of(work: Work, session_id: str) -> dict[str, Any]:
    """The list object of a Checkout session's line items."""
    kept = store.read(work.connection, f"{session_id}:line_items")
    return as_list(kept["data"] if kept else [], f"/v1/checkout/sessions/{session_id}/line_items")


def _follow(work: Work, node: Any, steps: list[str], path: str) -> None:
    if isinstance(node, list):
        for item in node:
            _follow(work, item, steps, path)
        return
    if not steps or node is None:
        return
    step, *rest = steps
    if node.get("object") == "checkout.session" and step == "line_items":
        node[step] = line_items_of(work, node["id"])
    elif step not in node:
        raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
    elif isinstance(node[step], str):
        found = store.read(work.connection, node[step])
        if found is None:
            raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
        node[step] = found
    _follow(work, node[step], rest, path)
