"""Pillow's warnings kept off standard error while images are decoded."""

from __future__ import annotations

import re
import threading
import warnings
from types import TracebackType
from typing import Any, Final, cast

_FILTER: Final = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


class QuietPillow:
    """A context in which Pillow's own warnings are ignored, in any thread.

    They tell of damaged metadata, which is left out, and of sizes, which `Limits` decides about. A program that turns
    warnings into errors gets the same pixels as any other. `warnings.catch_warnings` would undo, when one of several
    threads leaves it, what the others have set; here the filter is put in by the first and taken out by the last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if _FILTER not in warnings.filters:
                _filters().insert(0, _FILTER)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and _FILTER in warnings.filters:
                _filters().remove(_FILTER)


def _filters() -> list[Any]:
    return cast("list[Any]", warnings.filters)


quiet_pillow: Final = QuietPillow()
