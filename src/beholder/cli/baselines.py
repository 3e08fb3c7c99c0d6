"""`beholder baselines`: what features and classifiers from before networks make of the same images."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data

if TYPE_CHECKING:
    from beholder.training.classical import Baseline, Baselines

_STEPS = {
    "reading": "reading files",
    "looking": "looking at images",
    "fitting": "fitting the head",
    "describing": "describing images",
    "comparing": "fitting baselines",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `baselines`."""
    parser.add_argument("data", metavar="DATA", help="folder with a folder for each class, or a CSV or COCO file")
    parser.add_argument(
        "--features", metavar="NAMES", help="of hog, edges, corners, sift, surf, pixels, by commas (all there are)"
    )
    parser.add_argument("--classifiers", metavar="NAMES", help="of linear, bayes, svm, tree, forest, by commas (all)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="change a key of the recipe that the images are split by, as seed, test_share, folds; or the backbone",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the last of the head")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Compare; see the module."""
    from beholder.data import ContentCache
    from beholder.data.listing import some
    from beholder.training import Recipe
    from beholder.training.classical import baselines

    recipe = Recipe().with_settings(args.settings)
    features, classifiers = _names(args.features), _names(args.classifiers)
    dataset = read_data(args.data, args)
    with ContentCache() as contents, printing.steps(_STEPS) as report:
        found = baselines(dataset, recipe, contents, features, classifiers, report)
    material = found.learned.material
    new_notes = material.dataset.notes[len(dataset.notes) :]
    for note in new_notes:
        printing.warn(note)
    if material.failures:
        printing.warn(f"left out, for they cannot be read: {some(list(material.failures), 8)}")
    if args.json:
        for row in (*found.rows, found.head):
            printing.say(printing.as_json({**row.to_dict(), "kind": found.kind, "best": row is found.best}))
    else:
        _tell(found)
    return 1 if material.failures or new_notes else 0


def _names(words: str | None) -> list[str] | None:
    return None if words is None else [word.strip() for word in words.split(",")]


def _tell(found: Baselines) -> None:
    from beholder.evaluation.report import images

    width = max(len(row.feature) for row in (*found.rows, found.head))
    printing.say(f"{'feature':{width}}  classifier   right  (95% interval)      balanced  seconds")
    for row in found.rows:
        printing.say(_line(row, width) + ("  best" if row is found.best else ""))
    printing.say(_line(found.head, width) + "  what train makes")
    count = found.head.top1.count
    if found.kind == "test":
        printing.say(f"on {images(count, 'test image')}, which none of them was fitted on")
    else:
        printing.say(f"on {images(count)}, each left out in turn")


def _line(row: Baseline, width: int) -> str:
    top1 = row.top1
    interval = f"({_percent(top1.low)} to {_percent(top1.high)})"
    balanced = _percent(row.balanced_accuracy.value)
    name = f"{row.feature:{width}}  {row.classifier:10}"
    return f"{name}  {_percent(top1.value):>6}  {interval:18}  {balanced:>8}  {row.seconds:7.1f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
