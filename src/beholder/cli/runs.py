"""`beholder runs`: the trainings that were done: list, show, compare, plot and remove them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from beholder.cli import printing, runs_compare, runs_plot, runs_remove, runs_show
from beholder.cli.parsing import whole
from beholder.cli.runs_wording import duration, headline_of, moment, shortened
from beholder.cli.sub_verbs import ALONE, SubVerb

if TYPE_CHECKING:
    from beholder.training.history import History, RunRecord

_HEADINGS: Final = ("id", "name", "what", "images", "top-1 or mAP", "ECE", "took", "when (UTC)")
_NAMES: Final = (1, 2)
"""Columns that can be cut without losing a number, so that a line fits."""

_LINE: Final = 100
_RIGHT: Final = frozenset((3, 5, 6))
"""Columns of numbers, which stand to the right."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `runs` without a verb."""
    parser.add_argument("--limit", type=whole(1), metavar="N", help="the newest N only")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with all that a run holds")


def run(args: argparse.Namespace) -> int:
    """List the runs, the newest first; see the module."""
    from beholder.training.history import list_runs

    history = list_runs()
    shown = history.runs[: args.limit]
    if args.json:
        for one in shown:
            printing.say(printing.as_json({"short_id": history.short_id(one), **one.to_dict()}))
    elif shown:
        _show_table(shown, history)
        if len(shown) < len(history.runs):
            printing.warn(f"{len(history.runs) - len(shown):,} older ones; see all without --limit")
    elif not history.refused:
        printing.warn("there are no runs yet; make one with: beholder train DATA")
    for reason in history.refused:
        printing.warn(reason)
    _warn_of_unfinished()
    return 1 if history.refused else 0


def _show_table(runs: tuple[RunRecord, ...], history: History) -> None:
    rows = [_HEADINGS, *(_cells(one, history) for one in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > _LINE and max(widths[place] for place in _NAMES) > 8:
        widths[max(_NAMES, key=lambda place: widths[place])] -= 1
    for row in rows:
        cells = [
            f"{shortened(cell, width):>{width}}" if place in _RIGHT else f"{shortened(cell, width):<{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        printing.say("  ".join(cells).rstrip())


def _cells(one: RunRecord, history: History) -> tuple[str, ...]:
    ece = one.metrics.get("ece")
    return (
        history.short_id(one),
        one.name,
        one.made.removesuffix(" on efficientnet-lite0"),
        "" if one.images is None else f"{one.images:,}",
        headline_of(one),
        "" if ece is None or ece.value is None else f"{ece.value:.3f}",
        duration(one.took),
        moment(one.when),
    )


def _warn_of_unfinished() -> None:
    from beholder.training.history import list_unfinished

    found = list_unfinished()
    if found:
        size = printing.shown_size(sum(one.byte_size for one in found))
        count = f"{len(found):,} unfinished training{'' if len(found) == 1 else 's'}, {size}"
        printing.warn(f"{count}: train the same again to go on; remove with: beholder runs remove --unfinished")


SUB_VERBS: Final = {
    ALONE: SubVerb("[--limit N] [--json]", "list the trainings that were done", add_arguments, run),
    "show": SubVerb("RUN [--json]", "say everything of one", runs_show.add_arguments, runs_show.run),
    "compare": SubVerb(
        "RUN RUN… [--json]", "say what differs, and what came of it", runs_compare.add_arguments, runs_compare.run
    ),
    "plot": SubVerb(
        "RUN… [--out FILE.html]", "a page with their curves side by side", runs_plot.add_arguments, runs_plot.run
    ),
    "path": SubVerb("RUN", "print its folder", runs_show.add_path_arguments, runs_show.run_path),
    "remove": SubVerb(
        "RUN… | --unfinished [--force]",
        "remove run folders, or what unfinished trainings keep",
        runs_remove.add_arguments,
        runs_remove.run,
    ),
}
"""The verbs of `beholder runs`. RUN is an id, its beginning, the name of a model, or a path."""
