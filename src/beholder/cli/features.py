"""`beholder features`: a page of what a network sees, stage by stage."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data, refuse_swapped
from beholder.cli.parsing import whole
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.training.units import Study

_STEPS: Final = {
    "reading": "reading files",
    "looking": "looking at images",
    "measuring": "measuring units",
    "drawing": "drawing what excites them",
}
_MOST_UNITS: Final = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `features`."""
    parser.add_argument("model", metavar="MODEL", help="model file or name (see: beholder zoo)")
    parser.add_argument("data", metavar="DATA", help="images, best in a folder for each class, or a CSV or COCO file")
    parser.add_argument("--image", metavar="FILE", help="the image that is shown on its way; one of DATA when left out")
    parser.add_argument("--out", metavar="FILE.html", help="page to make (./<model>-features.html)")
    parser.add_argument("--units", type=whole(1), default=4, metavar="N", help="units shown of each stage, 1 to 12 (4)")
    parser.add_argument("--force", action="store_true", help="replace an existing page")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each stage; a page with --out")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, … (see: beholder doctor)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the choice of images (0)")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Look into the network; see the module."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would only stand in the way of the model's
    refuse_swapped([args.model], args.data)
    if args.image == "-":
        raise UsageError("--image: must be a file, found -, which can be read only once")
    out = _out(args)
    from beholder.files import require_writable
    from beholder.training.units import study, write_page

    if args.units > _MOST_UNITS:
        raise UsageError(f"--units: must be at most {_MOST_UNITS}, so that the page stays small, found {args.units}")
    dataset = read_data(args.data, args)
    if out is not None:
        require_writable(out, overwrite=args.force)
    with printing.steps(_STEPS) as report:
        seen = study(
            args.model,
            dataset,
            image=args.image,
            units=args.units,
            seed=args.seed,
            device=args.device,
            report=report,
        )
    if out is not None:
        write_page(seen, out, answer=_answer(args, seen), overwrite=args.force)
    for note in seen.notes:
        printing.warn(note)
    for error in seen.failures.values():
        printing.warn(str(error))
    _tell(seen, out, as_json=args.json)
    return 1 if seen.failures else 0


def _out(args: argparse.Namespace) -> Path | None:
    """The page to make; None where only JSON is wanted."""
    if args.out is None:
        return None if args.json else Path(f"{Path(args.model).name.removesuffix('.onnx')}-features.html")
    if not args.out.lower().endswith((".html", ".htm")):
        raise UsageError(f"--out: must be the name of a page, ending in .html, found {args.out!r}")
    return Path(args.out)


def _answer(args: argparse.Namespace, seen: Study) -> str:
    """What the model says of the image on its way."""
    from beholder.cli.headline import headline
    from beholder.zoo import load

    with load(args.model, device=args.device) as model:
        said = headline(model.predict(str(seen.image_path)))
    sure = f", {said.confidence:.0%} sure" if said.kind in ("label", "accepted") else ""
    note = f": {said.note}" if said.note else ""
    return f"{said.text}{sure}{note}"


def _tell(seen: Study, out: Path | None, *, as_json: bool) -> None:
    """A line for each stage, and where the page is."""
    for found in seen.stages:
        if as_json:
            printing.say(printing.as_json(found.to_dict()))
            continue
        size = "" if found.map_hw is None else f", maps of {found.map_hw[1]} x {found.map_hw[0]}"
        line = f"{found.stage.name:<9}  {found.units:>5,} units{size}"
        if found.selectivity is not None:
            line += f"; selectivity {found.selectivity:.2f}"
        if found.probe.value is not None:
            line += f"; a linear head tells {found.probe.value:.1%} right"
        printing.say(line)
    if out is not None:
        tell = printing.warn if as_json else printing.say
        tell(f"page  {out}")
