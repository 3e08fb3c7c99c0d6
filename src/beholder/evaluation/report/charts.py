"""Plots as inline SVG, in the page's own colors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from beholder.evaluation.intervals import Estimate
from beholder.evaluation.parts import ReliabilityBin, RiskPoint
from beholder.evaluation.report.wording import images, percent

# The frame of a plot, in a picture of 420 x 300 that the page scales.
_LEFT: Final = 54
_RIGHT: Final = 406
_TOP: Final = 10
_BOTTOM: Final = 250


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie in the picture."""

    x_from: float
    x_to: float
    y_from: float
    y_to: float

    def x(self, value: float) -> float:
        inside = (min(max(value, self.x_from), self.x_to) - self.x_from) / (self.x_to - self.x_from)
        return round(_LEFT + inside * (_RIGHT - _LEFT), 1)

    def y(self, value: float) -> float:
        inside = (min(max(value, self.y_from), self.y_to) - self.y_from) / (self.y_to - self.y_from)
        return round(_BOTTOM - inside * (_BOTTOM - _TOP), 1)

    def at(self, x: float, y: float) -> str:
        """A point, for a list of points."""
        return f"{self.x(x)},{self.y(y)}"

    def picture(self, label: str, x_title: str, y_title: str, content: str) -> str:
        """The plot with its grid and the titles of its axes."""
        parts = []
        for tick in _ticks(self.x_from, self.x_to):
            parts.append(f'<text x="{self.x(tick)}" y="{_BOTTOM + 18}" text-anchor="middle">{percent(tick, 0)}</text>')
        places = 0 if self.y_to - self.y_from > 0.04 else 1
        for tick in _ticks(self.y_from, self.y_to):
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>')
            parts.append(f'<text x="{_LEFT - 7}" y="{y + 4}" text-anchor="end">{percent(tick, places)}</text>')
        middle = (_TOP + _BOTTOM) / 2
        titles = (
            f'<text class="axis" x="{(_LEFT + _RIGHT) / 2}" y="292" text-anchor="middle">{x_title}</text>'
            f'<text class="axis" x="10" y="{middle}" text-anchor="middle" transform="rotate(-90 10 {middle})">'
            f"{y_title}</text>"
        )
        return (
            f'<svg class="plot" viewBox="0 0 420 300" role="img" aria-label="{label}">'
            f"{''.join(parts)}{titles}{content}</svg>"
        )


def waffle(measured: Estimate) -> str:
    """A hundred squares: as many in full color as are surely right, paler ones up to what may be."""
    if measured.value is None or measured.low is None or measured.high is None:
        return ""
    low, value, high = (round(part * 100) for part in (measured.low, measured.value, measured.high))
    squares = []
    for index in range(100):
        row, column = divmod(index, 10)
        kind = "sure" if index < low else "likely" if index < value else "maybe" if index < high else "not"
        squares.append(f'<rect class="{kind}" x="{column * 11}" y="{row * 11}" width="9.4" height="9.4" rx="2"/>')
    label = f"{value} of 100 squares filled; between {low} and {high}"
    return f'<svg class="waffle" viewBox="0 0 108.4 108.4" role="img" aria-label="{label}">{"".join(squares)}</svg>'


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Confidence against reality, with the band in which a perfectly calibrated model would lie."""
    lows = [min(one.confidence, one.calibrated_low, one.right.value or 0.0) for one in bins]
    least = min(0.8, math.floor(min(lows) * 10 + 1e-9) / 10)
    frame = _Frame(least, 1.0, least, 1.0)
    upper = [frame.at(one.confidence, one.calibrated_high) for one in bins]
    lower = [frame.at(one.confidence, one.calibrated_low) for one in reversed(bins)]
    content = (
        f'<polygon class="band" points="{" ".join(upper + lower)}"/>'
        f'<polyline class="ideal" points="{frame.at(least, least)} {frame.at(1, 1)}"/>'
        + "".join(_bin(frame, one) for one in bins)
    )
    label = "How sure it said it was, against how often it was right"
    return frame.picture(label, "how sure it said it was", "how often it was right", content)


def _bin(frame: _Frame, one: ReliabilityBin) -> str:
    if one.right.value is None or one.right.low is None or one.right.high is None:
        return ""
    x = frame.x(one.confidence)
    said = (
        f"{images(one.right.count, 'answer')} of about {percent(one.confidence)} confidence: "
        f"{percent(one.right.value)} right ({percent(one.right.low, 0)} to {percent(one.right.high, 0)})"
    )
    return (
        f'<g class="point"><title>{said}</title>'
        f'<line x1="{x}" y1="{frame.y(one.right.low)}" x2="{x}" y2="{frame.y(one.right.high)}"/>'
        f'<circle cx="{x}" cy="{frame.y(one.right.value)}" r="4.5"/></g>'
    )


def risk_coverage(points: Sequence[RiskPoint]) -> str:
    """The share of wrong answers against the share of images answered, with its interval."""
    known = [point for point in points if point.risk.value is not None and point.coverage >= 0.05] or list(points)[-1:]
    top = max(0.02, 1.3 * max(point.risk.value or 0.0 for point in known), (known[-1].risk.high or 0.0) * 1.1)
    frame = _Frame(0.0, 1.0, 0.0, min(1.0, top))
    upper = [frame.at(point.coverage, point.risk.high or 0.0) for point in known]
    lower = [frame.at(point.coverage, point.risk.low or 0.0) for point in reversed(known)]
    line = " ".join(frame.at(point.coverage, point.risk.value or 0.0) for point in known)
    content = (
        f'<polygon class="span" points="{" ".join(upper + lower)}"/><polyline class="curve" points="{line}"/>'
        + "".join(_risk_point(frame, point) for point in known)
    )
    label = "The share of wrong answers against the share of images answered"
    return frame.picture(label, "images answered, the surest first", "wrong among them", content)


def _risk_point(frame: _Frame, point: RiskPoint) -> str:
    said = (
        f"answering from {percent(point.confidence)} confidence up: {percent(point.coverage)} answered, "
        f"{percent(point.risk.value or 0.0)} of them wrong"
    )
    x, y = frame.x(point.coverage), frame.y(point.risk.value or 0.0)
    return f'<circle class="hit" cx="{x}" cy="{y}" r="5"><title>{said}</title></circle>'


def _ticks(start: float, end: float) -> list[float]:
    """About five round numbers."""
    rough = (end - start) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough - 1e-12)
    first = math.ceil(start / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(end / step + 1e-9) + 1)]
