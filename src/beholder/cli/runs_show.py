"""`beholder runs show` and `path`: everything of one run, and where it is."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.runs_wording import RUN_HELP, duration, metric_title, moment, shown_value, value_of

if TYPE_CHECKING:
    from beholder.training.history import RunRecord

_WIDTH: Final = 10
_PART: Final = {"test": "test images", "cross-validated": "images, left out in turn", "held-out": "images held out"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `runs show`."""
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def add_path_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `runs path`."""
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)


def run(args: argparse.Namespace) -> int:
    """Show one; see the module."""
    from beholder.training.history import find_run

    found = find_run(args.run, printing.warn)
    if args.json:
        printing.say(printing.as_json(found.to_dict()))
        return 0
    printing.say(f"{found.name}: {found.made}")
    for title, lines in _parts(found):
        for number, line in enumerate(lines):
            printing.say(f"{title if number == 0 else '':<{_WIDTH}}{line}")
    return 0


def run_path(args: argparse.Namespace) -> int:
    """Print the folder, and nothing else, so that a script can use it; see the module."""
    from beholder.training.history import find_run

    printing.say(str(find_run(args.run, printing.warn).folder))
    return 0


def _parts(found: RunRecord) -> Iterable[tuple[str, list[str]]]:
    """The parts of what is shown: a title, and its lines."""
    took = f", in {duration(found.took)}" if found.took is not None else ""
    yield "run", [found.id, str(found.folder)]
    yield "done", [f"{moment(found.when)} UTC{took}, on {found.machine or 'an unknown machine'}"]
    yield "data", _data(found)
    yield "measured", _measured(found)
    yield "curve", _curve(found)
    yield "recipe", _recipe(found)
    yield "facts", [f"{key}: {shown_value(value)}" for key, value in found.facts.items() if key != "notes"]
    notes = found.facts.get("notes")
    yield "notes", [shown_value(note) for note in notes] if isinstance(notes, list) else []
    yield "seconds", [", ".join(f"{part} {value:.1f}" for part, value in found.seconds.items())]
    versions = {"python": found.python, **found.versions}
    yield "versions", [", ".join(f"{name} {version}" for name, version in versions.items() if version)]
    yield "see", [str(found.folder / name) for name in ("report.html", "log.txt") if (found.folder / name).is_file()]


def _data(found: RunRecord) -> list[str]:
    counts = [
        f"{count:,} {what}"
        for count, what in ((found.images, "images"), (found.classes, "classes"))
        if count is not None
    ]
    return [f"{found.source or 'unknown'}: {', '.join(counts) or 'no counts'}", f"version {found.dataset or 'unknown'}"]


def _measured(found: RunRecord) -> list[str]:
    evaluation = found.evaluation()
    on = [f"on {evaluation.count:,} {_PART[evaluation.kind]}"] if evaluation is not None else []
    known = {name: measured for name, measured in found.metrics.items() if measured.value is not None}
    width = max((len(metric_title(name)) for name in known), default=0)
    return on + [
        f"{metric_title(name):<{width}}  {value_of(name, one)}, of {one.count:,}" for name, one in known.items()
    ]


def _curve(found: RunRecord) -> list[str]:
    if not found.curve:
        return []
    first, last = found.curve[0], found.curve[-1]
    said = [f"{len(found.curve):,} rows"]
    for key in ("loss", "held_out_loss", "held_out"):
        start, end = first.get(key), last.get(key)
        if start is not None and end is not None:
            said.append(f"{key} {start:.3f} to {end:.3f}")
    return ["; ".join(said), "see it with: beholder runs plot " + found.id]


def _recipe(found: RunRecord) -> list[str]:
    """Every key, those that were chosen marked: the others are as they are in every run."""
    unusual = found.unusual()
    width = max((len(key) for key in found.recipe), default=0)
    lines = [
        f"{'*' if key in unusual else ' '} {key:<{width}}  {shown_value(value)}" for key, value in found.recipe.items()
    ]
    return [*lines, "* not as usual"] if unusual else lines
