"""`beholder demo`: recognize some photographs and write a page about it."""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from beholder.cli import printing
from beholder.errors import MissingPackage

PHOTOGRAPHS: Final = (
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
    "camera.png",
    "brick.png",
    "astronaut.png",
    "grass.png",
)
"""Pictures that scikit-image installs with itself; the last ones show what the model does not know."""

_LEAD: Final = (
    "Photographs that scikit-image installs, answered on this machine, without a network. The model knows 1,000 kinds "
    "of things, not people; where it is not sure of the exact kind it gives the broad group, or says so."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder of the page (demo)")
    parser.add_argument("--force", action="store_true", help="replace an earlier page")


def run(args: argparse.Namespace) -> int:
    """Recognize and write the page; see the module."""
    from beholder.cli.answers import printer
    from beholder.cli.gallery import Gallery
    from beholder.zoo import load

    started = time.perf_counter()
    photographs = _photographs()
    model = load()
    show = printer("table")
    page = Path(args.out) / "index.html"
    with Gallery(args.out, model.card, overwrite=args.force, title="What Beholder sees", lead=_LEAD) as gallery:
        for answer in model.predict_many(photographs):
            show(answer)
            gallery.add(answer)
    seconds = time.perf_counter() - started
    printing.say("")
    printing.say(f"{len(photographs)} photographs recognized in {seconds:.1f} s; look at them: {page.resolve()}")
    printing.say("now yours: beholder predict FOLDER --report PAGE")
    return 0


def _photographs() -> list[Path]:
    """The pictures' files, found without importing scikit-image."""
    spec = find_spec("skimage")
    folder = Path(spec.origin).with_name("data") if spec and spec.origin else None
    found = [folder / name for name in PHOTOGRAPHS if (folder / name).is_file()] if folder else []
    if not found:
        raise MissingPackage(
            "the demo looks at photographs that scikit-image installs; "
            "install it with: pip install --no-deps scikit-image"
        )
    return found
