"""Single images that are hard to see: too dark, too bright, blurred, empty, of an odd size.

Each has an absolute bound, chosen by looking at photographs, garments, packages, portraits, drawings and micrographs,
and must lie far from the rest of its set as well: in a set of night photographs dark is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.auditing.detecting.copies import label_of
from beholder.auditing.evidence import Evidence
from beholder.auditing.finding import Finding, Kind, Severity
from beholder.data import Facts

SEEN: Final = 0.18
"""Mean brightness, and twice its deviation, together: below this there is only darkness to be seen. The darkest of
5,600 photographs has 0.34, the brightest 0.31; at a fifth of their light half of them are below."""

SOFT: Final = 0.012
"""Variance of the Laplacian over that of luma, on a thumbnail: no photograph in focus of 4,400 is below 0.014; blurred
by a hundredth of their size nearly all are."""

FLAT: Final = 0.008
"""The least deviation of luma of an image with something on it."""

FEW_BITS: Final = 1.5
MOSTLY_ONE: Final = 0.85
LEAST_SIDE: Final = 32
LEAST_SIDE_IN_FOCUS: Final = 64
LONGEST: Final = 4.0
SMALLER: Final = 6.0

FAR: Final = 3.0
"""How many robust deviations away from the median lies far from the rest."""

ENOUGH: Final = 10
"""Images from which on there is a rest to be far from."""

Values = NDArray[np.float64]


def low_information(evidence: Evidence) -> Iterator[Finding]:
    """Images of one color, or nearly."""
    bits = _distance([fact.entropy for fact in evidence.facts], 0.3)
    for number, fact in enumerate(evidence.facts):
        if fact.contrast < FLAT:
            reason = f"There is nothing on it: its brightness varies by {fact.contrast:.1%} only."
            yield _found(evidence, number, "low_information", "warning", reason, 8 - fact.entropy)
        elif fact.entropy < FEW_BITS and bits[number] < -FAR:
            reason = f"There is hardly anything on it: {fact.entropy:.1f} bits a pixel, {_usual(evidence, 'entropy')}."
            yield _found(evidence, number, "low_information", "notice", reason, 8 - fact.entropy)


def too_dark(evidence: Evidence) -> Iterator[Finding]:
    """Images on which darkness hides what there is."""
    light = _distance([float(np.log(fact.brightness + 0.02)) for fact in evidence.facts], 0.15)
    for number, fact in enumerate(evidence.facts):
        if not _is_flat(fact) and fact.brightness + 2 * fact.contrast < SEEN and light[number] < -FAR:
            reason = f"Its mean brightness is {fact.brightness:.0%}, {_usual(evidence, 'brightness')}."
            yield _found(evidence, number, "too_dark", "notice", reason, 1 - fact.brightness)


def too_bright(evidence: Evidence) -> Iterator[Finding]:
    """Images on which light hides what there is; a drawing or a thing on white is not one."""
    light = _distance([float(np.log(1.02 - fact.brightness)) for fact in evidence.facts], 0.15)
    for number, fact in enumerate(evidence.facts):
        drawn = fact.commonest_color >= MOSTLY_ONE and fact.contrast > 0.03
        if not (_is_flat(fact) or drawn) and 1 - fact.brightness + 2 * fact.contrast < SEEN and light[number] < -FAR:
            reason = f"Its mean brightness is {fact.brightness:.0%}, {_usual(evidence, 'brightness')}."
            yield _found(evidence, number, "too_bright", "notice", reason, fact.brightness)


def blurred(evidence: Evidence) -> Iterator[Finding]:
    """Images on which nothing is in focus."""
    values = [_focus(fact) for fact in evidence.facts]
    focus = _distance([float(np.log(value + 1e-5)) for value in values], 0.3)
    usual = float(np.median(values)) if values else 0.0
    for number, fact in enumerate(evidence.facts):
        visible = not _is_flat(fact) and fact.contrast > 0.02 and min(fact.size_hw) >= LEAST_SIDE_IN_FOCUS
        if visible and values[number] < SOFT and focus[number] < -FAR + 0.5:
            reason = (
                f"Nothing on it is in focus: neighboring pixels differ by {np.sqrt(values[number]):.0%} of what the "
                f"whole varies, where {np.sqrt(usual):.0%} is usual here."
            )
            yield _found(evidence, number, "blurred", "notice", reason, 1 - values[number])


def odd_size(evidence: Evidence) -> Iterator[Finding]:
    """Images that are tiny, very long, or much smaller than the rest."""
    facts = evidence.facts
    sides = np.array([np.sqrt(fact.size_hw[0] * fact.size_hw[1]) for fact in facts])
    long = np.array([max(fact.aspect_ratio, 1 / fact.aspect_ratio) for fact in facts])
    usual = float(np.median(sides)) if len(sides) else 0.0
    small, longer = _distance(np.log(sides), 0.2), _distance(np.log(long), 0.15)
    for number, fact in enumerate(facts):
        shown = f"{fact.size_hw[1]} x {fact.size_hw[0]} pixels"
        if min(fact.size_hw) < LEAST_SIDE and usual > 2 * LEAST_SIDE:
            reason = f"It is tiny: {shown}, where {usual:.0f} a side is usual here."
            yield _found(evidence, number, "odd_size", "warning", reason, usual / sides[number])
        elif long[number] > LONGEST and longer[number] > FAR:
            reason = (
                f"It is {long[number]:.1f} times as long as wide: {shown}; most of it is lost when it is looked at."
            )
            yield _found(evidence, number, "odd_size", "notice", reason, long[number])
        elif usual > SMALLER * sides[number] and small[number] < -FAR:
            reason = f"It is much smaller than the others: {shown}, where {usual:.0f} a side is usual here."
            yield _found(evidence, number, "odd_size", "notice", reason, usual / sides[number])


def _found(evidence: Evidence, number: int, kind: Kind, severity: Severity, reason: str, score: float) -> Finding:
    sample = evidence.samples[number]
    proposal = "Look at it, and leave it out if what its label says cannot be seen."
    return Finding(kind, severity, sample.name, label_of(sample), reason, proposal, None, (), float(score))


def _is_flat(fact: Facts) -> bool:
    return fact.contrast < FLAT


def _focus(fact: Facts) -> float:
    return fact.sharpness / max(1.0, (255 * fact.contrast) ** 2)


def _usual(evidence: Evidence, name: str) -> str:
    median = float(np.median([getattr(fact, name) for fact in evidence.facts]))
    return f"where {median:.1f} is usual here" if name == "entropy" else f"where {median:.0%} is usual here"


def _distance(values: list[float] | Values, least: float) -> Values:
    """How many robust deviations each value lies from the median (median absolute deviation times 1.4826).

    Where there are too few to compare, every value counts as far below and above; `least` is the least deviation.
    """
    given = np.asarray(values, np.float64)
    if len(given) < ENOUGH:
        return np.where(np.arange(len(given)) >= 0, -np.inf, 0)
    middle = np.median(given)
    found: Values = (given - middle) / max(1.4826 * float(np.median(np.abs(given - middle))), least)
    return found
