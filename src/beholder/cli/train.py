"""`beholder train`: from a folder of images to a model file with an honest report."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.evaluation import Estimate
    from beholder.training import Recipe, Run

_STEPS = {
    "reading": "reading files",
    "looking": "looking at images",
    "fitting": "fitting",
    "exporting": "writing the file and checking that it answers alike",
    "done": "done",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    parser.add_argument("data", metavar="DATA", help="folder with a folder for each class, or a CSV or COCO file")
    parser.add_argument("--out", metavar="FILE", help="model file to make (./<folder>.onnx)")
    parser.add_argument("--recipe", metavar="FILE", help="recipe, as a TOML page")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="change a key of the recipe"
    )
    parser.add_argument("--backbone", metavar="FILE|NAME", help="whose features are used (efficientnet-lite0)")
    parser.add_argument("--force", action="store_true", help="replace an existing model file")
    parser.add_argument("--json", action="store_true", help="one JSON object: model, run, metrics")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train; see the module."""
    from beholder.auditing import in_one_line, quick_findings
    from beholder.training import run_training

    started = time.perf_counter()
    recipe = _recipe(args)
    dataset = read_data(args.data, args)
    with printing.steps(_STEPS) as report:
        done = run_training(dataset, args.out, recipe=recipe, overwrite=args.force, report=report)
    material = done.learned.material
    for note in material.dataset.notes[len(dataset.notes) :]:
        printing.warn(note)
    found = in_one_line(quick_findings(done.learned), args.data)
    if found is not None:
        printing.warn(found)
    if args.json:
        printing.say(printing.as_json(done.to_dict()))
    else:
        _tell(done, time.perf_counter() - started)
    return 1 if material.failures or len(material.dataset.notes) > len(dataset.notes) else 0


def _recipe(args: argparse.Namespace) -> Recipe:
    from beholder.training import Recipe

    recipe = Recipe()
    if args.recipe is not None:
        try:
            text = Path(args.recipe).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{args.recipe}: the recipe cannot be read: {error}") from None
        recipe = Recipe.from_toml(text, args.recipe)
    recipe = recipe.with_settings(args.settings)
    return recipe if args.backbone is None else replace(recipe, backbone=args.backbone)


def _tell(done: Run, seconds: float) -> None:
    measured = done.evaluation
    how = (
        "test images, which it has not seen" if measured.kind == "test" else "images, each left out of training in turn"
    )
    if measured.multi_label:
        printing.say(f"mean average precision {_shown(measured.metrics.get('map'))} on {measured.count:,} {how}")
    else:
        printing.say(f"right on {_shown(measured.metrics.get('top1'))} of {measured.count:,} {how}")
    printing.say(f"model   {done.model}")
    printing.say(f"report  {done.report}")
    printing.say(f"use it  beholder predict IMAGES --model {done.model}")
    printing.warn(f"{seconds:.1f} s")


def _shown(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "(not measured)"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} (between {estimate.low:.1%} and {estimate.high:.1%})"
