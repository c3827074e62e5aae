"""List endpoints: newest first, cursors, `created` ranges, `has_more`."""

from collections.abc import Mapping
from typing import Any

from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work

LIST_PARAMETERS = ("limit", "starting_after", "ending_before", "created", "expand")


def list_objects(
    work: Work,
    parameters: Parameters,
    kind: str,
    url: str,
    *,
    equal: tuple[str, ...] = (),
    one_of: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    """A page of objects of one kind; `equal` names the fields that may be filtered by a parameter of the same name.

    Raises ApiError on a malformed limit, range or cursor.
    """
    limit = parameters.whole("limit", least=1, most=100)
    cursors = {name: parameters.text(name) for name in ("starting_after", "ending_before")}
    for name, identifier in cursors.items():
        if identifier is not None:
            work.get(kind, identifier, param=name, in_path=False)
    filters = {name: value for name in equal if (value := parameters.text(name)) is not None}
    documents, has_more = store.page(
        work.connection,
        kind,
        limit=limit or 10,
        after=cursors["starting_after"],
        before=cursors["ending_before"],
        created=_created_range(parameters),
        equal=filters,
        one_of=one_of,
    )
    return as_list(documents, url, has_more=has_more)


def as_list(documents: list[Document], url: str, *, has_more: bool = False) -> dict[str, Any]:
    """Stripe's list object."""
    return {"object": "list", "data": documents, "has_more": has_more, "url": url}


def _created_range(parameters: Parameters) -> dict[str, int]:
    span = parameters.level("created") if parameters.is_level("created") else None
    if span is None:
        exact = parameters.whole("created")
        return {} if exact is None else {"gte": exact, "lte": exact}
    names = ("gt", "gte", "lt", "lte")
    span.allow_only(*names)
    return {name: bound for name in names if (bound := span.whole(name)) is not None}
