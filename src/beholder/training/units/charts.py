"""The two plots over the stages, as inline SVG in the page's own colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beholder.evaluation.report import percent
from beholder.evaluation.report.markup import text
from beholder.training.units.parts import StageStudy

# The frame of a plot, in a picture of 460 x 270 that the page scales.
_LEFT: Final = 58
_RIGHT: Final = 446
_TOP: Final = 12
_BOTTOM: Final = 212


def selectivity_chart(stages: Sequence[StageStudy]) -> str:
    """The mean selectivity of each stage's units, with the middle half of them as a bar."""
    found = [(n, s, s.selectivity, s.middle_half) for n, s in enumerate(stages)]
    known = [(n, s, mean, half) for n, s, mean, half in found if mean is not None and half is not None]
    top = max([0.2, *(max(mean, half[1]) for _, _, mean, half in known)]) * 1.08
    frame = _Frame(stages, top)
    marks = "".join(
        f'<g class="point"><title>{text(s.stage.name)}: {mean:.2f} in the mean; the middle half of its units '
        f'between {half[0]:.2f} and {half[1]:.2f}</title><rect class="half" x="{frame.x(n) - 7:.1f}" '
        f'y="{frame.y(half[1])}" width="14" height="{max(1.0, frame.y(half[0]) - frame.y(half[1])):.1f}" rx="5"/>'
        f'<circle cx="{frame.x(n)}" cy="{frame.y(mean)}" r="5"/></g>'
        for n, s, mean, half in known
    )
    line = _line([(frame.x(n), frame.y(mean)) for n, _, mean, _ in known])
    ticks = [value / 10 for value in range(0, 11, 1 if top < 0.5 else 2) if value / 10 <= top]
    label = "How selective units are, stage by stage"
    return frame.picture(label, "selectivity", [(value, f"{value:.1f}") for value in ticks], line + marks)


def probe_chart(stages: Sequence[StageStudy], chance: float) -> str:
    """Top-1 of a linear probe on each stage, with its interval; a dashed line where guessing would be."""
    frame = _Frame(stages, 1.0)
    known = [(n, s, s.probe) for n, s in enumerate(stages) if s.probe.value is not None]
    marks, points = "", []
    for n, s, probe in known:
        value, low, high = probe.value or 0.0, probe.low or 0.0, probe.high or 0.0
        x = frame.x(n)
        points.append((x, frame.y(value)))
        marks += (
            f'<g class="point"><title>{text(s.stage.name)}: {percent(value)} of {probe.count:,} images right '
            f'(between {percent(low)} and {percent(high)})</title><line x1="{x}" y1="{frame.y(low)}" x2="{x}" '
            f'y2="{frame.y(high)}"/><circle cx="{x}" cy="{frame.y(value)}" r="5"/></g>'
        )
    guess = (
        f'<line class="chance" x1="{_LEFT}" y1="{frame.y(chance)}" x2="{_RIGHT}" y2="{frame.y(chance)}"/>'
        f'<text x="{_RIGHT}" y="{frame.y(chance) - 5}" text-anchor="end">guessing</text>'
    )
    ticks = [(value / 100, f"{value}%") for value in range(0, 101, 20)]
    label = "How much a linear head can tell from each stage"
    return frame.picture(label, "images told right", ticks, guess + _line(points) + marks)


class _Frame:
    """Where stages and values lie in the picture."""

    def __init__(self, stages: Sequence[StageStudy], top: float) -> None:
        self._names = [stage.stage.name.removeprefix("Stage ") for stage in stages]
        self._top = top

    def x(self, number: int) -> float:
        return round(_LEFT + (number + 0.5) * (_RIGHT - _LEFT) / len(self._names), 1)

    def y(self, value: float) -> float:
        inside = min(max(value, 0.0), self._top) / self._top
        return round(_BOTTOM - inside * (_BOTTOM - _TOP), 1)

    def picture(self, label: str, y_title: str, ticks: Sequence[tuple[float, str]], content: str) -> str:
        """The plot with its grid and the titles of its axes."""
        parts = []
        for value, shown in ticks:
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>')
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{shown}</text>')
        for number, shown in enumerate(self._names):
            parts.append(f'<text x="{self.x(number)}" y="{_BOTTOM + 19}" text-anchor="middle">{text(shown)}</text>')
        middle = (_TOP + _BOTTOM) / 2
        titles = (
            f'<text class="axis" x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 44}" text-anchor="middle">stage, from the '
            f'first to the last</text><text class="axis" x="11" y="{middle}" text-anchor="middle" '
            f'transform="rotate(-90 11 {middle})">{y_title}</text>'
        )
        return (
            f'<svg class="plot" viewBox="0 0 460 270" role="img" aria-label="{label}">'
            f"{''.join(parts)}{titles}{content}</svg>"
        )


def _line(points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="curve" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'
