"""Form-encoded, nested parameters as Stripe's SDKs send them, read with Stripe's own complaints."""

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from soulseer.sandbox.stripe.errors import ApiError

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_DEEPEST = 8
_MOST_METADATA_KEYS, _LONGEST_METADATA_KEY, _LONGEST_METADATA_VALUE = 50, 40, 500


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0][c]=v` as nested dicts; lists stay dicts keyed by their indexes. Raises ApiError on a malformed name."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        match = _KEY.fullmatch(name)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
        if not path or len(path) > _DEEPEST:
            raise ApiError(f"Invalid parameter name: {name}", param=name)
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step or str(len(node)), {})
            if not isinstance(node, dict):
                raise ApiError(f"Invalid {path[0]}: it is given as a value and as an object", param=path[0])
        node[path[-1] or str(len(node))] = value
    return tree


class Parameters:
    """One level of a request's parameters; `name` of the level is used in complaints (`line_items[0]`)."""

    def __init__(self, tree: dict[str, Any], name: str = "") -> None:
        self._tree = tree
        self._name = name

    def __contains__(self, name: str) -> bool:
        return name in self._tree

    def qualified(self, name: str) -> str:
        return f"{self._name}[{name}]" if self._name else name

    def allow_only(self, *names: str) -> None:
        """Refuse every name that is not listed, as Stripe does."""
        for name in self._tree:
            if name not in names:
                full = self.qualified(name)
                raise ApiError(f"Received unknown parameter: {full}", code="parameter_unknown", param=full)

    def text(self, name: str, *, longest: int = 5000) -> str | None:
        """A string, or None where it is absent or empty."""
        value = self._tree.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self._complain(name, f"Invalid string: {self.qualified(name)}")
        if len(value) > longest:
            self._complain(name, f"Invalid string: {value[:20]}...; must be at most {longest} characters")
        return value

    def required_text(self, name: str, **options: Any) -> str:
        value = self.text(name, **options)
        if value is None:
            self._missing(name)
        return value

    def choice(self, name: str, accepted: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in accepted:
            listed = ", ".join(accepted)
            self._complain(name, f"Invalid {self.qualified(name)}: must be one of {listed}")
        return value

    def whole(self, name: str, *, least: int = 0, most: int = 2**53) -> int | None:
        """A whole number, or None where it is absent."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,16}", value):
            self._complain(name, f"Invalid integer: {value}", "parameter_invalid_integer")
        number = int(value)
        if not least <= number <= most:
            self._complain(
                name,
                f"This value must be from {least} to {most}: {self.qualified(name)}",
                "parameter_invalid_integer",
            )
        return number

    def flag(self, name: str) -> bool | None:
        value = self.choice(name, ("true", "false"))
        return None if value is None else value == "true"

    def web_address(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not re.match(r"https?://[^\s]+$", value):
            self._complain(name, f"Not a valid URL: {value}", "url_invalid")
        return value

    def level(self, name: str) -> "Parameters | None":
        """A nested object, or None where it is absent."""
        value = self._tree.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, dict):
            self._complain(name, f"Invalid object: {self.qualified(name)}")
        return Parameters(value, self.qualified(name))

    def is_level(self, name: str) -> bool:
        """Whether the parameter was given as a nested object."""
        return isinstance(self._tree.get(name), dict)

    def levels(self, name: str) -> list["Parameters"]:
        """A list of nested objects."""
        items = self.level(name)
        if items is None:
            return []
        return [items.level(index) or items._missing(index) for index in items._tree]

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        items = self.level(name)
        return [items.required_text(index) for index in items._tree] if items else []

    def metadata(self, current: dict[str, str] | None = None, name: str = "metadata") -> dict[str, str]:
        """Metadata merged into the current ones; an empty value removes its key."""
        merged = dict(current or {})
        if self._tree.get(name) == "":
            return {}
        given = self.level(name)
        for key in given._tree if given else ():
            if len(key) > _LONGEST_METADATA_KEY:
                self._complain(
                    name, f"Metadata keys must be at most {_LONGEST_METADATA_KEY} characters: {key}"
                )
            value = given.text(key, longest=_LONGEST_METADATA_VALUE) if given else None
            merged.pop(key, None)
            if value is not None:
                merged[key] = value
        if len(merged) > _MOST_METADATA_KEYS:
            self._complain(name, f"Metadata can have at most {_MOST_METADATA_KEYS} keys")
        return merged

    def _missing(self, name: str) -> NoReturn:
        full = self.qualified(name)
        raise ApiError(f"Missing required param: {full}.", code="parameter_missing", param=full)

    def _complain(self, name: str, message: str, code: str | None = None) -> NoReturn:
        raise ApiError(message, code=code, param=self.qualified(name))
