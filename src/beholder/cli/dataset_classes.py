"""`beholder dataset merge` and `rename`: corrections of classes."""

from __future__ import annotations

import argparse
import shlex
from typing import Final

from beholder.cli.dataset_log import add_data_arguments, add_to_log, read_correctable
from beholder.errors import RefusedCorrection
from beholder.records import nearest

_LISTED: Final = 30
"""The most classes that an error lists."""


def add_merge_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset merge`."""
    add_data_arguments(parser)
    parser.add_argument("classes", metavar="CLASS", nargs="+", help="a class that ends")
    parser.add_argument("--into", metavar="CLASS", required=True, help="the class that their images have then")


def add_rename_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset rename`."""
    add_data_arguments(parser)
    parser.add_argument("name", metavar="CLASS", help="the class")
    parser.add_argument("--to", metavar="NAME", required=True, help="its new name")


def run_merge(args: argparse.Namespace) -> int:
    """Make several classes one; see the module."""
    from beholder.data import corrections

    dataset = read_correctable(args)
    for name in args.classes:
        require_class(name, dataset.classes)
    return add_to_log(dataset, args, [corrections.merge(args.classes, into=args.into)])


def run_rename(args: argparse.Namespace) -> int:
    """Give a class another name; see the module."""
    from beholder.data import corrections

    dataset = read_correctable(args)
    require_class(args.name, dataset.classes)
    if args.to in dataset.classes and args.to != args.name:
        raise RefusedCorrection(
            f"class {args.to!r}: is there already; to make them one: "
            f"beholder dataset merge {shlex.quote(args.data)} {shlex.quote(args.name)} --into {shlex.quote(args.to)}"
        )
    return add_to_log(dataset, args, [corrections.rename(args.name, args.to)])


def require_class(name: str, classes: tuple[str, ...], otherwise: str = "") -> None:
    """Refuse a class that is not there.

    Raises:
        RefusedCorrection: it is not; the text names the nearest, and ends with what else can be done.
    """
    if name not in classes:
        hint = nearest(name, classes)
        if not hint.startswith("did you mean") and len(classes) > _LISTED:
            hint = f"there are {len(classes):,}, see: beholder dataset show"
        raise RefusedCorrection(f"{name!r}: no class is named so; {hint}{otherwise}")
