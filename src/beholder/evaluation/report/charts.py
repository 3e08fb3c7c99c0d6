"""Plots as inline SVG, in the page's own colors. Places are in a frame of 420 x 300, which the page scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from beholder.evaluation.intervals import Estimate
from beholder.evaluation.parts import ReliabilityBin, RiskPoint
from beholder.evaluation.report.wording import images, percent

_WIDTH: Final, _HEIGHT: Final = 420, 300
_LEFT: Final, _RIGHT: Final, _TOP: Final, _BOTTOM: Final = 50, 408, 12, 252


def waffle(measured: Estimate) -> str:
    """A hundred squares: as many in full color as are surely right, paler ones up to what may be."""
    low, value, high = (round((part or 0.0) * 100) for part in (measured.low, measured.value, measured.high))
    squares = []
    for index in range(100):
        row, column = divmod(index, 10)
        kind = "sure" if index < low else "likely" if index < value else "maybe" if index < high else "not"
        squares.append(f'<rect class="{kind}" x="{column * 11}" y="{row * 11}" width="9.4" height="9.4" rx="2"/>')
    label = f"{value} of 100 squares filled, between {low} and {high}" if measured.value is not None else "not measured"
    return f'<svg class="waffle" viewBox="0 0 108.4 108.4" role="img" aria-label="{label}">{"".join(squares)}</svg>'


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Confidence against reality, with the band in which a perfectly calibrated model would lie."""
    shares = [one.right.value or 0.0 for one in bins]
    lows = [one.calibrated_low for one in bins]
    least = min(0.8, math.floor(min(*shares, *lows, *(one.confidence for one in bins)) * 10 + 1e-9) / 10)

    def x(share: float) -> float:
        return _LEFT + (share - least) / (1 - least) * (_RIGHT - _LEFT)

    def y(share: float) -> float:
        return _BOTTOM - (max(least, share) - least) / (1 - least) * (_BOTTOM - _TOP)

    upper = [f"{x(one.confidence):.1f},{y(one.calibrated_high):.1f}" for one in bins]
    lower = [f"{x(one.confidence):.1f},{y(one.calibrated_low):.1f}" for one in reversed(bins)]
    marks = "".join(_reliability_mark(one, x(one.confidence), y) for one in bins)
    ticks = _nice_ticks(least, 1.0)
    return _svg(
        "Confidence against the share that was right",
        _grid([(x(tick), percent(tick, 0)) for tick in ticks], [(y(tick), percent(tick, 0)) for tick in ticks])
        + f'<polygon class="band" points="{" ".join(upper + lower)}"/>'
        + f'<line class="ideal" x1="{x(least):.1f}" y1="{y(least):.1f}" x2="{x(1):.1f}" y2="{y(1):.1f}"/>'
        + marks
        + _titles("how sure it said it was", "how often it was right"),
    )


def _reliability_mark(one: ReliabilityBin, x: float, y: object) -> str:
    assert callable(y)
    return ""
