"""`beholder runs plot`: a page with the curves of runs side by side, what differs, and what came of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from beholder.cli import printing
from beholder.cli.runs_wording import add_runs
from beholder.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `runs plot`."""
    add_runs(parser, "+")
    parser.add_argument("--out", metavar="FILE.html", default="runs.html", help="page to make (./runs.html)")
    parser.add_argument("--force", action="store_true", help="replace an existing page")


def run(args: argparse.Namespace) -> int:
    """Write the page; see the module."""
    out = Path(args.out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out: must name a page, ending in .html, found {args.out}")
    from beholder.files import require_writable
    from beholder.training.history import find_run, write_runs_page

    require_writable(out, overwrite=args.force)
    found = {one.folder.resolve(): one for one in (find_run(text, printing.warn) for text in args.runs)}
    write_runs_page(list(found.values()), out, overwrite=args.force)
    printing.say(f"page    {out}")
    without = [one.name for one in found.values() if not one.curve]
    if without:
        printing.warn(f"{', '.join(without)}: fitted at once, without steps, so there is no curve")
    return 0
