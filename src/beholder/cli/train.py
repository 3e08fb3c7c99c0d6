"""`beholder train`: from a folder of images to a model file with an honest report."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.cli.evaluate import shown, warn_of_left_out
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.data import Dataset
    from beholder.evaluation import Evaluation
    from beholder.training import Recipe, Run
    from beholder.training.ranking import Ranking

_STEPS = {
    "reading": "reading files",
    "looking": "looking at images",
    "fitting": "fitting",
    "decoding": "decoding images",
    "exporting": "writing the file and checking that it answers alike",
    "done": "done",
}


_CHOSEN_HERE = (
    "The recipe was chosen among several on images that are measured on too, for there is no test part: on new ones "
    "expect a little less."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    parser.add_argument("data", metavar="DATA", help="folder with a folder for each class, or a CSV or COCO file")
    parser.add_argument("--out", metavar="FILE", help="model file to make (./<folder>.onnx)")
    parser.add_argument("--recipe", metavar="FILE", help="recipe, as a TOML page")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="change a key of the recipe"
    )
    parser.add_argument("--backbone", metavar="FILE|NAME", help="whose features are used (efficientnet-lite0)")
    parser.add_argument(
        "--compare", metavar="A,B,…", help="train several on a part, and the best on all: head, ARCHITECTURE[@WIDTH]"
    )
    parser.add_argument("--part", type=float, metavar="SHARE", help="of the images to compare on (0.25)")
    parser.add_argument("--preview", metavar="FILE", help="only write how a network's images are varied, as a JPEG")
    parser.add_argument("--force", action="store_true", help="replace an existing model file")
    parser.add_argument("--json", action="store_true", help="one JSON object: model, run, metrics, ranking")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train; see the module."""
    from beholder.auditing import in_one_line, quick_findings

    started = time.perf_counter()
    _refuse_what_excludes(args)
    recipe = _recipe(args)
    recipes = _compared(args, recipe)
    if args.preview is not None:
        return _preview(recipe, args)
    dataset = read_data(args.data, args)
    with _going_on_later():
        done, ranking = _trained(dataset, recipe, recipes, args)
    material = done.learned.material
    for note in material.dataset.notes[len(dataset.notes) :]:
        printing.warn(note)
    measured = done.evaluation
    warn_of_left_out(measured.left_out, [note for note in measured.notes if note not in material.dataset.notes])
    found = in_one_line(quick_findings(done.learned), args.data)
    if found is not None:
        printing.warn(found)
    if args.json:
        compared = {} if ranking is None else {"ranking": ranking.to_dict()}
        printing.say(printing.as_json({**done.to_dict(), **compared}))
    else:
        _tell(done, time.perf_counter() - started)
    return 1 if material.failures else 0


def _refuse_what_excludes(args: argparse.Namespace) -> None:
    if args.part is not None and args.compare is None:
        raise UsageError("--part: is the share of the images that --compare compares on; name what to compare")
    if args.part is not None and not 0 < args.part <= 1:
        raise UsageError(f"--part: must be above 0 and at most 1, found {args.part:g}")
    if args.preview is not None and args.compare is not None:
        raise UsageError("--preview: trains nothing, and --compare trains several; leave one of them out")


def _compared(args: argparse.Namespace, recipe: Recipe) -> dict[str, Recipe]:
    """The recipes that are to be compared, by name; none where nothing is."""
    if args.compare is None:
        return {}
    from beholder.training.ranking import recipes_of

    return recipes_of([name.strip() for name in args.compare.split(",") if name.strip()], recipe)


def _trained(
    dataset: Dataset, recipe: Recipe, recipes: dict[str, Recipe], args: argparse.Namespace
) -> tuple[Run, Ranking | None]:
    """The run, by the recipe or by the one that did best on a part; and how all did."""
    from beholder.training import run_training

    ranking = None
    if recipes:
        ranking = _ranked(dataset, recipes, args)
        recipe = ranking.best.recipe
        if not ranking.tested:
            dataset = dataset.with_notes(_CHOSEN_HERE)
    with printing.steps(_STEPS) as report:
        told = report if ranking is None else ranking.outcomes.while_told(report)
        done = run_training(dataset, args.out, recipe=recipe, overwrite=args.force, report=told, say=printing.warn)
    if ranking is not None:
        _keep(ranking, done)
    return done, ranking


def _ranked(dataset: Dataset, recipes: dict[str, Recipe], args: argparse.Namespace) -> Ranking:
    """How recipes do on a part of the images; it is told."""
    from beholder.data import ContentCache
    from beholder.files import require_writable
    from beholder.training.part import PART
    from beholder.training.ranking import rank_recipes
    from beholder.training.runs import target_of

    require_writable(target_of(dataset, args.out), overwrite=args.force)
    part = PART if args.part is None else args.part
    with printing.steps(_STEPS) as report, ContentCache() as contents:
        ranking = rank_recipes(dataset, recipes, contents, part=part, report=report, say=printing.warn)
    _tell_ranking(ranking, printing.warn if args.json else printing.say)
    return ranking


def _keep(ranking: Ranking, done: Run) -> None:
    """Put a ranking into the run that came of it; what was kept to go on from has done its service."""
    from beholder.files import write_atomic

    with write_atomic(done.folder / "ranking.json", overwrite=True) as stream:
        stream.write(json.dumps(ranking.to_dict(), indent=1).encode())
    ranking.outcomes.remove()


@contextmanager
def _going_on_later() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        printing.warn("what is done so far is kept: the same command goes on from there")
        raise


def _preview(recipe: Recipe, args: argparse.Namespace) -> int:
    """Write the contact sheet of a network's images, and train nothing."""
    from beholder.data import ContentCache
    from beholder.files import require_writable, write_atomic
    from beholder.training.networks import require_packages

    if recipe.method != "network":
        raise UsageError("--preview: shows how a network's images are varied; name one with --set architecture=NAME")
    require_packages()
    require_writable(args.preview, overwrite=args.force)
    from beholder.training.networks.training import preview

    dataset = read_data(args.data, args)
    with printing.steps(_STEPS) as report, ContentCache() as contents:
        sheet = preview(dataset, recipe, contents, report)
    with write_atomic(args.preview, overwrite=args.force) as stream:
        stream.write(sheet)
    printing.say(printing.as_json({"preview": args.preview}) if args.json else args.preview)
    return 0


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
    return recipe if args.backbone is None else recipe.with_settings([f"backbone={json.dumps(args.backbone)}"])


def _tell_ranking(ranking: Ranking, tell: Callable[[str], None]) -> None:
    width = max(len(candidate.name) for candidate in ranking.candidates)
    tell(f"fitted on {ranking.fitted:,} images, measured on {ranking.held_out:,} others:")
    for candidate in ranking.candidates:
        beside = candidate.beside_best
        words = "best" if beside is None else "worse" if beside.verdict == "worse" else "cannot be told from the best"
        tell(f"  {candidate.name:<{width}}  {shown(candidate.measured)}  {candidate.seconds:6.1f} s  {words}")
    tell(f"training {ranking.best.name} on all images")


def _tell(done: Run, seconds: float) -> None:
    from beholder.evaluation.report import headlines

    measured = done.evaluation
    for headline in headlines(measured):
        printing.say(str(headline))
    printing.say(f"on      {_measured_on(measured)}")
    printing.say(f"model   {done.model}")
    printing.say(f"report  {done.report}")
    printing.say(f"use it  beholder predict IMAGES --model {done.model}")
    printing.warn(f"{seconds:.1f} s")


def _measured_on(measured: Evaluation) -> str:
    """On which images, in a few words; the report has more."""
    from beholder.evaluation.report import images

    if measured.tuned_here:
        tuned = "; its labels' thresholds were chosen on them too" if measured.multi_label else ""
        how = "held out of training" if measured.kind == "held-out" else "each left out of training in turn"
        return f"{images(measured.count)}, {how}{tuned}"
    seen = "which it has not seen" if measured.copies_apart else "whose files it was not fitted on"
    return f"{images(measured.count, 'test image')}, {seen}"
