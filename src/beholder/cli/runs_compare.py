"""`beholder runs compare`: what differs between runs, and what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from beholder.cli import printing
from beholder.cli.runs_wording import (
    add_runs,
    duration,
    metric_title,
    moment,
    short_version,
    shortened,
    shown_value,
    value_of,
)
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.training.history import Difference, Footing, RunRecord

_LINE: Final = 100
_LEAST_COLUMN: Final = 18
_Row = tuple[str, Sequence[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `runs compare`."""
    add_runs(parser, "+")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Compare; see the module."""
    from beholder.training.history import differences, find_run, footing, list_runs, other_differences

    runs = [find_run(text, printing.warn) for text in args.runs]
    if len({one.folder.resolve() for one in runs}) < max(2, len(runs)):
        raise UsageError("compare needs two runs or more, each once; see: beholder runs")
    recipes, others, ground = differences(runs), other_differences(runs), footing(runs)
    if args.json:
        printing.say(printing.as_json(_described(runs, recipes, others, ground)))
        return 0
    history = list_runs()
    _show(
        [
            ("", [history.short_id(one) for one in runs]),
            ("name", [one.name for one in runs]),
            ("what", [one.made for one in runs]),
            ("when (UTC)", [moment(one.when) for one in runs]),
            ("took", [duration(one.took) or "—" for one in runs]),
            *_rows_of("recipe", recipes),
            *_rows_of("beside it", others),
            ("measured", []),
            ("  images", [_count(one) for one in runs]),
            *(
                (f"  {metric_title(name)}", [value_of(name, one.metrics.get(name)) for one in runs])
                for name in _metrics(runs)
            ),
        ]
    )
    _tell_ground(runs, ground)
    return 0


def _metrics(runs: Sequence[RunRecord]) -> list[str]:
    """The metrics that any of them has."""
    known = dict.fromkeys(name for one in runs for name, measured in one.metrics.items() if measured.value is not None)
    return list(known)


def _count(one: RunRecord) -> str:
    measured = one.metrics.get(one.headline or "")
    return "—" if measured is None else f"{measured.count:,}"


def _rows_of(title: str, found: Sequence[Difference]) -> list[_Row]:
    if not found:
        return [(f"{title}: the same", [])]
    return [(title, []), *((f"  {one.key}", [_shown(one.key, value) for value in one.values]) for one in found)]


def _shown(key: str, value: Any) -> str:
    return short_version(value) if key == "data version" else shown_value(value)


def _show(rows: Sequence[_Row]) -> None:
    """A table with a column for each run; below each other where so many columns would be too narrow."""
    first = min(28, max(len(title) for title, _ in rows))
    width = (_LINE - first) // len(rows[0][1]) - 2
    for title, values in rows:
        if width < _LEAST_COLUMN:
            shown = ["  ", " | ".join(shortened(value, 40) for value in values)]
        else:
            shown = [f"  {shortened(value, min(width, 34)):<{min(width, 34)}}" for value in values]
        printing.say(f"{shortened(title, first):<{first}}{''.join(shown)}".rstrip())


def _tell_ground(runs: Sequence[RunRecord], ground: Footing) -> None:
    from beholder.training.history.differing import paired_test

    if ground.kind == "other data":
        printing.say(f"The numbers cannot be compared: {ground.reason}; what changed: {_diff(runs)}")
    elif not ground.comparable:
        printing.say(f"The numbers cannot be compared as they stand: {ground.reason}")
    else:
        printing.say(f"The numbers can be compared: {ground.reason}.")
    commands = [paired_test(runs[0], other) for other in runs[1:]]
    if ground.comparable:
        printing.say("Intervals that overlap do not say that two are equal; the paired test is sharper:")
    else:
        printing.say("The paired test says which is better, on images that neither was fitted on:")
    for other, command in zip(runs[1:], commands, strict=True):
        printing.say(f"  {command}" if command else f"  (the model file of {runs[0].id} or {other.id} is gone)")
    if any(command is not None and command.endswith(" DATA") for command in commands):
        printing.say(
            "DATA: labelled images that neither was fitted on; of those of the runs none is left, or they are gone"
        )


def _diff(runs: Sequence[RunRecord]) -> str:
    versions = list(dict.fromkeys(one.dataset for one in runs if one.dataset))
    return f"beholder dataset diff {short_version(versions[0])} {short_version(versions[-1])}"


def _described(
    runs: Sequence[RunRecord], recipes: Sequence[Difference], others: Sequence[Difference], ground: Footing
) -> dict[str, Any]:
    from beholder.records import to_json
    from beholder.training.history.differing import paired_test

    return {
        "runs": [one.id for one in runs],
        "recipe": {one.key: list(one.values) for one in recipes},
        "other": {one.key: list(one.values) for one in others},
        "metrics": {
            name: [to_json(one.metrics[name]) if name in one.metrics else None for one in runs]
            for name in _metrics(runs)
        },
        "comparable": ground.comparable,
        "reason": ground.reason,
        "unseen": ground.unseen,
        "paired_tests": [paired_test(runs[0], other) for other in runs[1:]],
    }
