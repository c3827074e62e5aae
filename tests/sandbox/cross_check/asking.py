"""How an answer becomes facts that can be compared: plain values, with no ids and no instants in them."""

from collections.abc import Callable
from typing import Any

import stripe

from soulseer.gateways.stripe import StripeRefused, StripeUnavailable

Facts = dict[str, Any]
ABSENT = "absent"
OUTCOME = "outcome"


def answer(call: Callable[[], Any], *fields: str) -> Facts:
    """What Stripe's SDK makes of an answer: these fields (dots lead inside); or its status, type and code of a refusal."""
    try:
        found = call().to_dict()
    except stripe.StripeError as error:
        body: Any = error.json_body
        told = body.get("error", {}) if isinstance(body, dict) else {}
        words = (str(error.http_status), told.get("type"), told.get("code"))
        return {OUTCOME: " ".join(word for word in words if word)}
    return {OUTCOME: "200", **{name: dig(found, name) for name in fields}}


def asked(call: Callable[[], Any]) -> str:
    """What our gateway makes of an answer."""
    try:
        call()
    except StripeRefused as error:
        return "refused: missing" if error.missing else "refused"
    except StripeUnavailable:
        return "try again"
    return "done"


def dig(found: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(found, list):
            found = found[int(name)] if len(found) > int(name) else ABSENT
        else:
            found = found.get(name, ABSENT) if isinstance(found, dict) else ABSENT
    return found


def flat(**parts: Any) -> Facts:
    """Facts one level deep: `part.name`."""
    facts: Facts = {}
    for part, value in parts.items():
        facts |= (
            {f"{part}.{name}": each for name, each in value.items()}
            if isinstance(value, dict)
            else {part: value}
        )
    return facts
