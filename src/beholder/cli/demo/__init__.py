"""`beholder demo`: the main job from end to end on real photographs, and one page that shows it."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from beholder.cli import printing
from beholder.cli.parsing import whole
from beholder.errors import OutputExists, OutputFailed

MARK: Final = '<meta name="generator" content="beholder demo">'

_STEPS: Final = {
    "reading": "reading files",
    "looking": "looking at tiles",
    "fitting": "fitting",
    "exporting": "writing the file and checking that it answers alike",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder of images, model and page (demo)")
    parser.add_argument(
        "--seed", type=whole(0), default=0, metavar="N", help="which tiles are held out and spoiled (0)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object: faults found, accuracy, seconds")
    parser.add_argument("--force", action="store_true", help="replace an earlier demo")


def run(args: argparse.Namespace) -> int:
    """Do the main job and write the page; see the module."""
    from beholder.cli.demo.page import write_page
    from beholder.cli.demo.story import tell_story
    from beholder.cli.demo.tiles import STRANGERS, photograph

    for name in ("brick.png", *STRANGERS.values()):
        photograph(name)  # before anything is made
    with _new_demo(Path(args.out), args.force) as folder:
        with printing.steps(_STEPS) as tell:
            story = tell_story(folder, args.seed, tell)
        page = write_page(story, folder)
    if args.json:
        printing.say(printing.as_json({**story.to_dict(), "page": str(page)}))
        return 0
    printing.say(f"{story.found_count} of {len(story.faults)} planted faults found and fixed")
    wrong = len(story.answers) - story.right_count - story.unanswered_count
    printing.say(
        f"{story.right_count} of {len(story.answers)} tiles that it has never seen answered rightly, "
        f"{story.unanswered_count} unknown, {wrong or 'none'} wrong"
    )
    for one in story.strangers:
        printing.say(f"the {one.what} is {'unknown' if one.answer.unknown else one.answer.label}")
    printing.say(f"all of it on one page, after {story.seconds:.0f} s: {page.resolve()}")
    printing.say("now yours: beholder train FOLDER, with a folder of images for each class")
    return 0


@contextmanager
def _new_demo(folder: Path, overwrite: bool) -> Iterator[Path]:
    """The folder, empty; taken away again when the demo fails.

    Raises:
        OutputExists: it holds something else, or an earlier demo that may not be replaced.
        OutputFailed: it cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputExists(f"{folder}: is a file; name a new folder for the demo")
    if folder.is_dir() and any(folder.iterdir()):
        page = folder / "index.html"
        if not (page.is_file() and MARK in page.read_text(encoding="utf-8", errors="replace")[:2000]):
            raise OutputExists(f"{folder}: holds other files; name a new folder for the demo")
        if not overwrite:
            raise OutputExists(f"{folder}: holds an earlier demo; choose another name or pass --force")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise OutputFailed(f"{folder}: cannot be written: {error.strerror or error}") from None
        raise
