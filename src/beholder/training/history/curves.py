"""The curves of runs as inline SVG, a color for each run; held out is dashed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from beholder.evaluation.report import percent
from beholder.evaluation.report.markup import text
from beholder.training.history.record import RunRecord

Axis = Literal["step", "seconds"]

COLORS: Final = 8
"""So many runs have a color of their own; further ones begin anew."""

# The frame of a plot, in a picture of 360 x 270 that the page scales.
_LEFT: Final = 46
_RIGHT: Final = 352
_TOP: Final = 10
_BOTTOM: Final = 222

_MOST_POINTS: Final = 300
"""Of a line; more cannot be told apart."""
_MOST_MARKED: Final = 60
"""Of a line, points that tell their numbers to a pointer."""

_X_TITLES: Final = {"step": "step", "seconds": "seconds of fitting"}


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a plot.

    Attributes:
        number: of the run, for its color.
        name: what it shows, for the pointer.
        points: x and y.
        dashed: whether it is of what was held out.
    """

    number: int
    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


def loss_chart(runs: Sequence[RunRecord], axis: Axis) -> str:
    """The loss on what is learned from, and dashed on what is held out; empty where no run has any."""
    lines = _lines(runs, axis, "loss", "loss", dashed=False)
    lines += _lines(runs, axis, "held_out_loss", "loss held out", dashed=True)
    return _chart("Loss", axis, lines)


def held_out_chart(runs: Sequence[RunRecord], axis: Axis) -> str:
    """How many of the images held out are right; not of several labels per image, where the curve has no share."""
    with_share = [run if _has_shares(run) else None for run in runs]
    lines = _lines(with_share, axis, "held_out", "held out, right", dashed=True)
    return _chart("Right, of what is held out", axis, lines, shares=True)


def rate_chart(runs: Sequence[RunRecord], axis: Axis) -> str:
    """The learning rate."""
    lines = _lines(runs, axis, "learning_rate", "learning rate", dashed=False)
    return _chart("Learning rate", axis, lines, from_zero=True)


def _has_shares(run: RunRecord) -> bool:
    values = [row.get("held_out") for row in run.curve]
    return all(value is None or 0 <= value <= 1 for value in values)


def _lines(runs: Sequence[RunRecord | None], axis: Axis, key: str, what: str, *, dashed: bool) -> list[_Line]:
    found = []
    for number, run in enumerate(runs):
        points = []
        for row in run.curve if run is not None else ():
            x, y = row.get(axis), row.get(key)
            if x is not None and y is not None:
                points.append((x, y))
        if run is not None and points:
            every = math.ceil(len(points) / _MOST_POINTS)
            kept = [point for place, point in enumerate(points[:-1]) if place % every == 0]
            found.append(_Line(number, f"{run.name}: {what}", (*kept, points[-1]), dashed))
    return found


def _chart(label: str, axis: Axis, lines: Sequence[_Line], *, shares: bool = False, from_zero: bool = False) -> str:
    if not lines:
        return ""
    ys = [y for line in lines for _, y in line.points]
    low, high = (0.0, 1.0) if shares else _span(0.0 if from_zero else min(ys), max(ys))
    frame = _Frame(max(1e-9, *(x for line in lines for x, _ in line.points)), low, high)
    content = "".join(_drawn(frame, line, axis, shares=shares) for line in lines)
    return frame.picture(label, _X_TITLES[axis], content, shares=shares)


def _span(low: float, high: float) -> tuple[float, float]:
    """From where to where the axis goes: a little beyond the values, and never below zero for what is above it."""
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 1e-6)
    return max(0.0, low - room) if low >= 0 else low - room, high + room


def _drawn(frame: _Frame, line: _Line, axis: Axis, *, shares: bool) -> str:
    places = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in line.points)
    kind = "curve dashed" if line.dashed else "curve"
    marks = ""
    every = math.ceil(len(line.points) / _MOST_MARKED)
    for place, (x, y) in enumerate(line.points):
        if place % every and place != len(line.points) - 1:
            continue
        value = percent(y) if shares else f"{y:.4g}"
        at = f"step {x:,.0f}" if axis == "step" else f"{x:,.1f} s"
        said = text(f"{line.name} {value} at {at}")
        marks += f'<circle class="hit" cx="{frame.x(x)}" cy="{frame.y(y)}" r="6"><title>{said}</title></circle>'
    x, y = line.points[-1]
    end = f'<circle class="end" cx="{frame.x(x)}" cy="{frame.y(y)}" r="3.5"/>'
    return f'<g class="r{line.number % COLORS}"><polyline class="{kind}" points="{places}"/>{end}{marks}</g>'


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie in the picture; x begins at 0."""

    x_to: float
    y_from: float
    y_to: float

    def x(self, value: float) -> float:
        return round(_LEFT + max(0.0, value) / self.x_to * (_RIGHT - _LEFT), 1)

    def y(self, value: float) -> float:
        inside = (value - self.y_from) / (self.y_to - self.y_from)
        return round(_BOTTOM - inside * (_BOTTOM - _TOP), 1)

    def picture(self, label: str, x_title: str, content: str, *, shares: bool) -> str:
        """The plot with its grid; what goes up is said above it."""
        parts = []
        for tick in _ticks(0.0, self.x_to):
            parts.append(f'<text x="{self.x(tick)}" y="{_BOTTOM + 18}" text-anchor="middle">{_number(tick)}</text>')
        for tick in _ticks(self.y_from, self.y_to):
            y, shown = self.y(tick), percent(tick, 0) if shares else _number(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>')
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{shown}</text>')
        title = (
            f'<text class="axis" x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 40}" text-anchor="middle">{x_title}</text>'
        )
        return (
            f'<svg class="plot" viewBox="0 0 360 270" role="img" aria-label="{label}">'
            f"{''.join(parts)}{title}{content}</svg>"
        )


def _number(value: float) -> str:
    """A tick: with commas where it is large, as a power of ten where it is small."""
    if value and abs(value) < 1e-4:
        digits, _, power = f"{value:.3e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _ticks(start: float, end: float) -> list[float]:
    """About five round numbers."""
    rough = (end - start) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * (1 - 1e-9))
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
