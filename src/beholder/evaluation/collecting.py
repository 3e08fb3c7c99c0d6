"""Of which classes more images would help most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beholder.evaluation.intervals import Estimate
from beholder.evaluation.parts import ClassResult, CollectNext, Confused

CLASS_HALF_WIDTH: Final = 0.1
"""How well the recall of a class should be known; ±5 points would take some hundred images of each."""

_MARGIN: Final = 0.1
_MOST: Final = 12


def collect_next(
    per_class: Sequence[ClassResult], confusion: Sequence[Confused] | None, overall: Estimate
) -> tuple[CollectNext, ...]:
    """The classes whose recall may be lowest: because it is low, or because too few images tell.

    Args:
        per_class: results of the classes.
        confusion: pairs of classes, where an image has one label.
        overall: the recall of all; a class is named when its own may be 10 points lower.

    Returns:
        At most 12, the most urgent first; classes without images are not among them.
    """
    if overall.value is None:
        return ()
    border = overall.value - _MARGIN
    worst = {pair.truth: pair for pair in sorted(confusion or (), key=lambda pair: pair.count) if _is_mixed_up(pair)}
    weak = [one for one in per_class if one.recall.low is not None and one.recall.low < border]
    weak.sort(key=lambda one: (one.recall.low or 0.0, one.count))
    return tuple(_collect(one, worst.get(one.name)) for one in weak[:_MOST])


def _is_mixed_up(pair: Confused) -> bool:
    """One image taken for another class is a slip; two are a pattern."""
    return pair.truth != pair.predicted and pair.count > 1


def _collect(one: ClassResult, pair: Confused | None) -> CollectNext:
    return CollectNext(
        name=one.name,
        count=one.count,
        recall=one.recall,
        more_images=one.more_images,
        confused_with=pair.predicted if pair else None,
        confused_count=pair.count if pair else 0,
    )
