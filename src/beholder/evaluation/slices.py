"""A metric by the values of a column: where the model does better or worse than overall."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from beholder.evaluation.intervals import Estimate
from beholder.evaluation.resampling import Integers

MOST_VALUES: Final = 50
"""A column with more values than these names images rather than kinds of images."""

_MOST_NUMBERS: Final = 12
"""Numbers with more different values than these are put into four ranges of about equal count."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The images with one value in a column.

    Attributes:
        column: name of the column.
        value: in that column, or a range `from to`; `None` for images without one.
        metric: what is measured.
        estimate: on these images alone.
        differs: on which side of it the whole interval lies when the overall value is outside; `None` when inside.
    """

    column: str
    value: str | None
    metric: str
    estimate: Estimate
    differs: Literal["below", "above"] | None


def slice_by(
    columns: Mapping[str, Sequence[str | None]],
    measure: Callable[[Integers], Estimate],
    metric: str,
    overall: Estimate,
) -> tuple[tuple[Slice, ...], tuple[str, ...]]:
    """Measure the images of each value of each column.

    Args:
        columns: values by name of the column, one for each image.
        measure: what measures the images at some indices.
        metric: its name.
        overall: the same of all images.

    Returns:
        The slices, by column and within it the smallest first; and the columns left out because they have too many
        different values, or only one.
    """
    slices: list[Slice] = []
    left_out = []
    for column, values in columns.items():
        grouped = _grouped(values)
        if not 1 < len(grouped) <= MOST_VALUES:
            left_out.append(column)
            continue
        for value, indices in sorted(grouped.items(), key=lambda item: (len(item[1]), item[0] or "")):
            own = measure(np.array(indices, np.int64))
            slices.append(Slice(column, value, metric, own, differs(own, overall)))
    return tuple(slices), tuple(left_out)


def differs(own: Estimate, overall: Estimate) -> Literal["below", "above"] | None:
    """On which side of an overall value the whole interval of a part lies; `None` where it contains that value."""
    if own.low is None or own.high is None or overall.value is None:
        return None
    return "below" if own.high < overall.value else "above" if own.low > overall.value else None


def _grouped(values: Sequence[str | None]) -> dict[str | None, list[int]]:
    """The indices of the images by value, numbers in ranges."""
    names = _ranges(values) or values
    grouped: dict[str | None, list[int]] = {}
    for index, name in enumerate(names):
        grouped.setdefault(name, []).append(index)
    return grouped


def _ranges(values: Sequence[str | None]) -> list[str | None] | None:
    """The quarter that each number falls into; `None` where these are not numbers, or few different ones."""
    known = [index for index, value in enumerate(values) if value is not None]
    try:
        numbers = np.array([float(values[index] or "") for index in known])
    except ValueError:
        return None
    if not np.isfinite(numbers).all() or len(np.unique(numbers)) <= _MOST_NUMBERS:
        return None
    quarter = np.searchsorted(np.quantile(numbers, (0.25, 0.5, 0.75)), numbers)
    names: list[str | None] = [None] * len(values)
    for part in np.unique(quarter):
        members = quarter == part
        name = f"{numbers[members].min():g} to {numbers[members].max():g}"
        for index in np.flatnonzero(members):
            names[known[index]] = name
    return names
