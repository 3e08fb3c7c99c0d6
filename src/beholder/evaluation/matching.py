"""Which class of a dataset is which label of a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_PASSED_OVER = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class Matched:
    """Names, and the labels that mean the same.

    Attributes:
        columns: for each name that has one, the index of its label.
        loosely: pairs of name and label that are not spelled alike.
        unmatched: names without a label.
    """

    columns: Mapping[str, int]
    loosely: tuple[tuple[str, str], ...]
    unmatched: tuple[str, ...]


def match_classes(names: Sequence[str], labels: Sequence[str]) -> Matched:
    """Match names with labels: first those that are equal, then those that differ by case, spaces, `_` and `-` only.

    Where two of the rest could mean the same label, or one could mean two, none of them is matched.
    """
    place = {label: index for index, label in enumerate(labels)}
    columns = {name: place[name] for name in names if name in place}
    rest = _by_spelling(name for name in names if name not in place)
    free = _by_spelling(label for label in labels if place[label] not in set(columns.values()))
    loosely = {
        own[0]: free[spelling][0] for spelling, own in rest.items() if len(own) == len(free.get(spelling, ())) == 1
    }
    columns |= {name: place[label] for name, label in loosely.items()}
    return Matched(columns, tuple(loosely.items()), tuple(name for name in names if name not in columns))


def _by_spelling(names: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        spelling = _PASSED_OVER.sub("", unicodedata.normalize("NFKC", name).casefold())
        grouped.setdefault(spelling, []).append(name)
    return grouped
