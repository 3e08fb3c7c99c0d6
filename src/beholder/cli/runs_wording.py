"""How the verbs of `beholder runs` name a run, a time and a metric."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from beholder.evaluation.intervals import Estimate
    from beholder.training.history import RunRecord

RUN_HELP: Final = "id of: beholder runs, its beginning, the name of a model (its newest run), or a path"


def add_runs(parser: argparse.ArgumentParser, count: str) -> None:
    """Declare RUN, several times."""
    parser.add_argument("runs", metavar="RUN", nargs=count, help=RUN_HELP)


def duration(seconds: float | None) -> str:
    """A time for a person, of two places at most."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}:{minutes:02} h" if hours else f"{minutes}:{rest:02} min"


def moment(when: datetime) -> str:
    """A date and a time."""
    return f"{when:%Y-%m-%d %H:%M}"


def shortened(text: str, width: int) -> str:
    """A text that fits."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def headline_of(one: RunRecord) -> str:
    """The number that is told first, with its interval."""
    measured = one.metrics.get(one.headline or "")
    if measured is None or measured.value is None or measured.low is None or measured.high is None:
        return "not measured"
    value = _share(measured.value, measured.low, measured.high, places=0)
    return f"mAP {value}" if one.headline == "map" else value


def value_of(metric: str, measured: Estimate | None) -> str:
    """A metric with its interval, as short as it goes: `86.1% (81.2 to 90.0)`."""
    if measured is None or measured.value is None or measured.low is None or measured.high is None:
        return "not measured"
    if "set_size" in metric:
        return f"{measured.value:.2f} ({measured.low:.2f} to {measured.high:.2f})"
    if metric in ("ece", "aurc"):
        return f"{measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f})"
    return _share(measured.value, measured.low, measured.high, places=1)


def _share(value: float, low: float, high: float, *, places: int) -> str:
    from beholder.evaluation.report import percent

    return f"{percent(value)} ({percent(low, places).rstrip('%')} to {percent(high, places).rstrip('%')})"


def metric_title(metric: str) -> str:
    """What a metric is called."""
    from beholder.evaluation.report.wording import METRIC_WORDS

    return METRIC_WORDS.get(metric, (metric, ""))[0]


def shown_value(value: Any) -> str:
    """A value of a recipe or a fact, as TOML has it; a dash where there is none."""
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(shown_value(item) for item in value) if value else "none"
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def short_version(version: str | None) -> str:
    """The first digits of a version of a dataset, by which `dataset diff` finds it."""
    return "—" if version is None else version[:19]
