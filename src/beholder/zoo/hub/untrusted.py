"""JSON from outside: nothing about it is taken for granted.

Unlike a record of Beholder's own, such a document may say more than is asked of it; what is asked must have its type.
"""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any, Final, TypeGuard

from beholder.errors import HubError

MAX_BYTES: Final = 4 * 2**20

_MISSING: Final = object()


class Document:
    """An object of a JSON document from outside; a key that is absent and one that is null are the same.

    Args:
        place: what to call it in an error.
        values: its keys and values.
    """

    def __init__(self, place: str, values: dict[str, Any]) -> None:
        self.place = place
        self._values = values

    @classmethod
    def parse(cls, place: str, data: bytes) -> Document:
        """Read a document.

        Raises:
            HubError: it is not JSON, or not an object.
        """
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise HubError(f"{place}: must be JSON, but {error}") from None
        if not isinstance(value, dict):
            raise HubError(f"{place}: must be a JSON object, found {_shown(value)}")
        return cls(place, value)

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """A string without control characters."""
        value = self._get(key, default)
        if not _is_plain(value):
            raise self.refusal(key, "a string of plain text")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.refusal(key, "true or false")
        return value

    def integer(self, key: str, default: int | None = None, *, low: int = 0, high: int = 2**53) -> int:
        """An integer from `low` to `high`."""
        value = self._get(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.refusal(key, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._get(key, default)
        if not _is_number(value):
            raise self.refusal(key, "a number")
        return float(value)

    def triple(self, key: str) -> tuple[float, float, float]:
        """Three finite numbers, or one that stands for all three."""
        value = self._get(key, None)
        values = [value] * 3 if _is_number(value) else value
        if not isinstance(values, list) or len(values) != 3 or not all(map(_is_number, values)):
            raise self.refusal(key, "a number, or three")
        return float(values[0]), float(values[1]), float(values[2])

    def texts(self, key: str) -> list[str]:
        """A list of strings; a single string is a list of one, and an absent key an empty list."""
        value = self._values.get(key)
        if value is None:
            return []
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(map(_is_plain, values)):
            raise self.refusal(key, "a list of strings of plain text")
        return values

    def inner(self, key: str) -> Document:
        """An object inside this one."""
        value = self._get(key, None)
        if not isinstance(value, dict):
            raise self.refusal(key, "an object")
        return Document(f"{self.place}: {key}", value)

    def items(self, key: str) -> list[Document]:
        """A list of objects."""
        value = self._get(key, None)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.refusal(key, "a list of objects")
        return [Document(f"{self.place}: {key}[{index}]", item) for index, item in enumerate(value)]

    def keys(self) -> list[str]:
        """What it speaks of."""
        return [key for key, value in self._values.items() if value is not None]

    def raw(self, key: str) -> Any:
        """A value of any type; None where it is absent."""
        return self._values.get(key)

    def refusal(self, key: str, must_be: str) -> HubError:
        """The error for a value that is not what it must be."""
        return HubError(f"{self.place}: {key} must be {must_be}, found {_shown(self._values.get(key, _MISSING))}")

    def _get(self, key: str, default: Any) -> Any:
        value = self._values.get(key)
        return default if value is None else value


def _is_plain(value: Any) -> TypeGuard[str]:
    """Whether a value is text that cannot steer a terminal."""
    return isinstance(value, str) and not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30 and math.isfinite(value)


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
