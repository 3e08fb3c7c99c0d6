"""`beholder dataset convert`: write a dataset in another format."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.data import Dataset

_STEPS: Final = {"writing": "writing images"}
_BY_SUFFIX: Final = {".csv": "csv", ".tsv": "csv", ".json": "coco"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset convert`."""
    parser.add_argument("data", metavar="DATA", help="folder of images, CSV or COCO file, or folder of IDX files")
    parser.add_argument("out", metavar="OUT", help="folder or file to make")
    parser.add_argument(
        "--to", choices=("folder", "csv", "coco"), help="format to write; when left out, OUT's name tells (.csv, .json)"
    )
    parser.add_argument("--link", action="store_true", help="hard links to the images instead of copies")
    parser.add_argument("--force", action="store_true", help="replace an existing CSV or COCO file")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Convert a dataset; see the module."""
    from beholder.data import holds_idx, unpack_idx, write
    from beholder.data.listing import counted

    out = Path(args.out)
    form = args.to or _BY_SUFFIX.get(out.suffix.lower(), "folder")
    if args.link and form != "folder":
        raise UsageError(f"--link: is for a folder, found {form}, which names the images where they are")
    with printing.steps(_STEPS) as report:
        if args.format in (None, "idx") and os.path.exists(args.data) and holds_idx(args.data):
            if form != "folder":
                raise UsageError(
                    f"{args.data}: images packed in IDX files are unpacked into a folder, found --to {form}"
                )
            source = Path(args.data)
            unpack_idx(
                source if source.is_dir() else source.parent,
                out,
                progress=lambda done, total: report("writing", done, total),
            )
            what = "images unpacked"
        else:
            dataset = read_data(args.data, args)
            refuse_inside(dataset, out)
            write(
                dataset,
                out,
                format=form,
                link=args.link,
                overwrite=args.force,
                progress=lambda done, total: report("writing", done, total),
            )
            what = f"{counted(len(dataset.everything()), 'image')} written as {form}"
    printing.say(f"{what}: {out}")
    printing.say(f"next: beholder dataset show {shlex.quote(str(out))}")
    return 0


def refuse_inside(dataset: Dataset, out: Path) -> None:
    """Refuse to write over the file or into the folder that a dataset was read from.

    Data never change; and a folder that holds a table as well could be read in two ways.

    Raises:
        UsageError: `out` is there.
    """
    source = Path(os.path.realpath(dataset.source))
    if Path(os.path.realpath(out)).is_relative_to(source):
        where = "lies in" if source.is_dir() else "is"
        raise UsageError(f"{out}: {where} the dataset itself, which is never changed; choose another place")
