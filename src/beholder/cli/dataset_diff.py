"""`beholder dataset diff`: what changed from one dataset, or version of one, to another."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Any, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data

if TYPE_CHECKING:
    from beholder.data import ContentCache, Difference, Entry, Manifest

_STEPS: Final = {"reading": "reading files"}
_VERSION: Final = re.compile(r"sha256:.*|[0-9a-f]{6,64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset diff`."""
    what = "folder, CSV or COCO file; or a version: sha256:… or its first digits"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", help="another")
    parser.add_argument("--json", action="store_true", help="one JSON object, with every image")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Compare; see the module."""
    from beholder.data import ContentCache, diff

    with ContentCache() as contents:
        before, after = (_manifest(place, args, contents) for place in (args.before, args.after))
    found = diff(before, after)
    if args.json:
        printing.say(printing.as_json(_described(before, after, found)))
        return 0
    for place, manifest in ((args.before, before), (args.after, after)):
        printing.say(f"{manifest.version[:19]}…  {len(manifest.entries):,} images  {place}")
    for line in found.lines():
        printing.say(f"  {line}")
    if not found:
        printing.say("  nothing has changed" if before == after else "  the same images with the same labels")
    return 0


def _manifest(place: str, args: argparse.Namespace, contents: ContentCache) -> Manifest:
    """The manifest of a dataset that is there now, or of a version that was kept."""
    from beholder.data import Manifest, load_version, with_digests

    if _VERSION.fullmatch(place) and not os.path.exists(place):
        return load_version(place)
    dataset = read_data(place, args, contents)
    told = len(dataset.notes)
    with printing.steps(_STEPS) as report:
        dataset = with_digests(dataset, contents, lambda done, total: report("reading", done, total))
    for note in dataset.notes[told:]:
        printing.warn(note)
    return Manifest.of(dataset)


def _described(before: Manifest, after: Manifest, found: Difference) -> dict[str, Any]:
    return {
        "schema": 1,
        "before": before.version,
        "after": after.version,
        "added": [_entry(entry) for entry in found.added],
        "removed": [_entry(entry) for entry in found.removed],
        "relabelled": [
            {"name": new.name, "digest": new.digest, "before": list(old.labels), "after": list(new.labels)}
            for old, new in found.relabelled
        ],
        "moved": [
            {"name": new.name, "digest": new.digest, "before": old.split, "after": new.split}
            for old, new in found.moved
        ],
        "renamed": [{"digest": new.digest, "before": old.name, "after": new.name} for old, new in found.renamed],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "digest": entry.digest, "labels": list(entry.labels), "split": entry.split}
