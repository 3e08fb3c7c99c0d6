"""`beholder pull`: bring a model from a hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from beholder.cli import printing

if TYPE_CHECKING:
    from beholder.model import ModelCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pull`."""
    parser.add_argument("name", metavar="NAME", help="repository of the Hugging Face Hub, such as organization/name")
    parser.add_argument("--revision", default="main", metavar="REV", help="branch, tag or commit (main)")
    parser.add_argument("--file", metavar="PATH", help="which of its ONNX files, where there are several")
    parser.add_argument("--force", action="store_true", help="fetch it again and replace the one that is here")
    parser.add_argument("--json", action="store_true", help="one JSON object: path, digests and the whole card")


def run(args: argparse.Namespace) -> int:
    """Bring a model; see the module."""
    from beholder.model import read_card
    from beholder.zoo.hub.pulling import find_pulled, pull

    path = None if args.force else find_pulled(args.name, revision=args.revision, file=args.file)
    fetched = path is None
    if path is None:
        line = printing.StatusLine()

        def draw(done: int, total: int) -> None:
            line.draw(f"{args.name}: {done / max(total, 1):4.0%} of {printing.shown_size(total)}")

        try:
            path = pull(args.name, revision=args.revision, file=args.file, force=args.force, progress=draw)
        finally:
            line.make_room()
    if args.json:
        printing.say(printing.as_json({**made(path), "fetched": fetched}))
        return 0
    card = read_card(path)
    if fetched:
        printing.say(f"{args.name}: pulled, {summary(path, card)}; license: {_license(card)}")
    else:
        printing.say(f"{args.name}: is here already, {summary(path, card)}")
    printing.say(f"next: beholder predict photo.jpg --model {args.name}")
    return 0


def made(path: Path) -> dict[str, object]:
    """What `info` says of a model file in JSON."""
    from beholder.files import file_digest
    from beholder.model import graph_digest, read_card

    digests = {"file_digest": file_digest(path), "graph_digest": graph_digest(path)}
    return {"path": str(path), **digests, "card": read_card(path).to_dict()}


def summary(path: Path, card: ModelCard) -> str:
    """What was made, in a few words."""
    knows = f"{len(card.labels):,} labels" if card.labels else f"{card.embedding.dim if card.embedding else 0:,} values"
    return f"{card.task}, {knows}, {printing.shown_size(path.stat().st_size)}, {path}"


def _license(card: ModelCard) -> str:
    return card.provenance.weights_license or "not stated, so ask its authors"
