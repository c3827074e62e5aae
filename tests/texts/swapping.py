"""Another gateway or rule for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from soulseer import gateways
from soulseer.domain import policies


@contextmanager
def swapped(**others: Any) -> Iterator[None]:
    """The product uses ``others`` in place of its gateways of these names."""
    before = gateways.current()
    gateways.configure(replace(before, **others))
    try:
        yield
    finally:
        gateways.configure(before)


@contextmanager
def ruled(**others: Any) -> Iterator[None]:
    """The product follows ``others`` in place of its policies of these names."""
    before = policies.current()
    policies.configure(replace(before, **others))
    try:
        yield
    finally:
        policies.configure(before)
