"""How DATA is read: the options that every verb with a dataset has."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from beholder.cli import printing
from beholder.errors import UsageError

if TYPE_CHECKING:
    from beholder.data import ContentCache, Dataset, Split


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--format`, `--pattern`, `--label`, `--images` and `--similar-labels`."""
    options = parser.add_argument_group("how DATA is read")
    options.add_argument("--format", metavar="NAME", help="folder, csv, coco or pattern, where it cannot be told")
    options.add_argument("--pattern", metavar="REGEX", help="labels from file names: a pattern with (?P<label>…)")
    options.add_argument("--label", metavar="COLUMN", help="column or columns of a table that hold the labels")
    options.add_argument("--images", metavar="DIR", help="folder that the paths in annotations are relative to")
    options.add_argument(
        "--similar-labels",
        choices=("refuse", "merge", "keep"),
        default="refuse",
        help="labels that differ only by case or spaces (refuse)",
    )


def read_data(place: str, args: argparse.Namespace, contents: ContentCache | None = None) -> Dataset:
    """Read a dataset as its options say; what was taken for what is told on standard error.

    Args:
        place: the folder or file.
        args: parsed with `add_data_options`.
        contents: the cache that knows the digests of files; None for the person's own.

    Raises:
        DataError: it cannot be read; see `beholder.data.read`.
    """
    from beholder.data import read

    dataset = read(
        place,
        format=args.format,
        pattern=args.pattern,
        label=args.label,
        images=args.images,
        similar_labels=args.similar_labels,
        contents=contents,
    )
    for note in dataset.notes:
        printing.warn(note)
    return dataset


def add_split_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--split`."""
    parser.add_argument("--split", metavar="NAME", help="only this part of the data: train, validation or test")


def split_of(args: argparse.Namespace) -> Split | None:
    """The part of the data that was asked for, by any of the names that people give it.

    Raises:
        UsageError: there is no such part.
    """
    from beholder.data.sample import SPLIT_NAMES, SPLITS

    if args.split is None:
        return None
    split = SPLIT_NAMES.get(args.split.lower())
    if split is None:
        raise UsageError(f"--split: must be one of {', '.join(SPLITS)}, found {args.split!r}")
    return split


def refuse_swapped(models: Sequence[str], data: str) -> None:
    """Name what was put in the place of something else, before it is found to be none of its kind.

    Raises:
        UsageError: a model stands where data is expected, or data where a model is.
    """
    from beholder.zoo import names

    def is_model(word: str) -> bool:
        return word in names.BUILTIN or names.pulled_path(word).is_file() or word.lower().endswith(".onnx")

    if is_model(data) and not os.path.isdir(data):
        raise UsageError(f"{data}: is a model where a dataset is expected; did you swap MODEL and DATA?")
    swapped = next((word for word in models if os.path.isdir(word) and not is_model(word)), None)
    if swapped is not None:
        raise UsageError(f"{swapped}: is a folder of images where a model is expected; did you swap MODEL and DATA?")
