"""`beholder dataset sets` and `fetch`: well-known public sets by name."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from beholder.cli import printing

if TYPE_CHECKING:
    from beholder.data.public import PublicSet

_WIDTH: Final = 100


def add_sets_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset sets`."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run_sets(args: argparse.Namespace) -> int:
    """List the public sets; see the module."""
    from beholder.data.public import PUBLIC_SETS

    for found in PUBLIC_SETS.values():
        if args.json:
            printing.say(printing.as_json(_described(found)))
        else:
            _show(found)
    if not args.json:
        printing.warn("fetch one: beholder dataset fetch NAME")
    return 0


def add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset fetch`."""
    parser.add_argument("name", metavar="NAME", help="a name of: beholder dataset sets")
    parser.add_argument("out", metavar="DIR", nargs="?", help="folder to make (./NAME)")
    parser.add_argument("--json", action="store_true", help="one JSON object: what is known of the set, and its path")


def run_fetch(args: argparse.Namespace) -> int:
    """Fetch a public set; see the module."""
    from beholder.data.public import PUBLIC_SETS, fetch
    from beholder.data.writing import refuse_existing

    known = PUBLIC_SETS.get(args.name.lower())
    out = Path(args.out or (known.name if known is not None else args.name))
    if known is not None:
        refuse_existing(out)
        if not args.json:
            _show(known)  # its terms before its bytes: who does not agree can stop here
    line = printing.StatusLine()

    def draw(done: int, total: int) -> None:
        line.draw(f"{args.name}: {done / max(total, 1):4.0%}")

    try:
        found = fetch(known or args.name, out, progress=draw)
    finally:
        line.make_room()
    if args.json:
        printing.say(printing.as_json({**_described(found), "path": str(out)}))
        return 0
    printing.say(f"fetched: {out}")
    printing.say(f"next: beholder dataset show {shlex.quote(str(out))}")
    return 0


def _show(found: PublicSet) -> None:
    size = printing.shown_size(sum(file.size for file in found.files))
    printing.say(f"{found.name}  ({found.title}: {found.images:,} images, {found.classes:,} classes, {size})")
    _paragraph("license", found.license)
    _paragraph("not in it", found.not_represented)
    if found.elsewhere:
        _paragraph("elsewhere", found.elsewhere)


def _paragraph(name: str, text: str) -> None:
    printing.say_lines(
        textwrap.fill(
            f"  {name:<11}{text}", _WIDTH, subsequent_indent=" " * 13, break_on_hyphens=False, break_long_words=False
        )
    )


def _described(found: PublicSet) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "images": found.images,
        "classes": found.classes,
        "bytes": sum(file.size for file in found.files),
        "license": found.license,
        "not_represented": found.not_represented,
        "citation": found.citation,
        "elsewhere": found.elsewhere or None,
    }
