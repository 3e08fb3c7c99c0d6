"""`beholder dataset relabel`, `exclude`, `include` and `move`: corrections of single images."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli.dataset_classes import require_class
from beholder.cli.dataset_log import add_data_arguments, add_to_log, read_correctable
from beholder.errors import RefusedCorrection

if TYPE_CHECKING:
    from beholder.data import Change, Dataset, Sample

_SPLITS: Final = ("train", "validation", "test", "none")
_COMPARED: Final = 20_000
"""The most names that a wrong one is compared with; more take seconds."""


def add_images_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset exclude` and `include`."""
    add_data_arguments(parser)
    parser.add_argument("names", metavar="IMAGE", nargs="+", help="name of an image below DATA, or its path")


def add_relabel_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset relabel`."""
    add_data_arguments(parser)
    parser.add_argument("image", metavar="IMAGE", help="name of an image below DATA, or its path")
    parser.add_argument(
        "labels",
        metavar="LABEL",
        nargs="+",
        help="what it shows; _unknown for a stranger, _none for none of the classes",
    )
    parser.add_argument("--new", action="store_true", help="a label may be a class that is not there yet")


def add_move_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset move`."""
    add_data_arguments(parser)
    parser.add_argument("image", metavar="IMAGE", help="name of an image below DATA, or its path")
    parser.add_argument("split", metavar="SPLIT", choices=_SPLITS, help="train, validation, test, or none")


def run_relabel(args: argparse.Namespace) -> int:
    """Give an image other labels; see the module."""
    from beholder.data import NONE, UNKNOWN, corrections

    dataset = read_correctable(args)
    (sample,) = _samples(dataset, [args.image])
    for label in args.labels:
        if label not in (UNKNOWN, NONE) and not args.new:
            require_class(label, dataset.classes, "; for a new class pass --new")
    _check_number(dataset, sample, set(args.labels))
    return add_to_log(dataset, args, [corrections.relabel(sample, *args.labels)])


def run_exclude(args: argparse.Namespace) -> int:
    """Leave images out; see the module."""
    from beholder.data import corrections

    dataset = read_correctable(args)
    return add_to_log(dataset, args, [corrections.exclude(sample) for sample in _samples(dataset, args.names)])


def run_include(args: argparse.Namespace) -> int:
    """Take images in again; see the module."""
    dataset = read_correctable(args)
    excluded = _excluded(dataset)
    changes = []
    for image in dict.fromkeys(args.names):
        name = _name_of(image, excluded, dataset.root)
        if name is None:
            is_in = _name_of(image, (sample.name for sample in dataset.everything()), dataset.root) is not None
            hint = "" if is_in else _nearest_image(image, list(excluded))
            raise RefusedCorrection(f"{image!r}: is not excluded{hint}")
        changes.append(excluded[name].inverse)
    return add_to_log(dataset, args, changes)


def run_move(args: argparse.Namespace) -> int:
    """Put an image into another split; see the module."""
    from beholder.data import corrections

    dataset = read_correctable(args)
    (sample,) = _samples(dataset, [args.image])
    return add_to_log(dataset, args, [corrections.move(sample, None if args.split == "none" else args.split)])


def _check_number(dataset: Dataset, sample: Sample, labels: set[str]) -> None:
    """Refuse labels that would make a dataset of one label per image one of several, for all its images."""
    from beholder.data import NONE, UNKNOWN

    if dataset.multi_label:
        return
    if len(labels) > 1:
        raise RefusedCorrection(
            f"{sample.name}: must have one label, as all images of {dataset.source}, found {len(labels)}"
        )
    if NONE in labels and len(dataset.classes) > 1:
        raise RefusedCorrection(
            f"{sample.name}: must show one of the classes, as all images of {dataset.source}, found {NONE}; "
            f"relabel it {UNKNOWN}, or exclude it"
        )


def _excluded(dataset: Dataset) -> dict[str, Change]:
    """The corrections by which images are left out now, by name."""
    from beholder.data import CorrectionLog

    found: dict[str, Change] = {}
    for entry in CorrectionLog.of(dataset).read().effective():
        if entry.change.what == "exclude":
            found[entry.change.name or ""] = entry.change
        elif entry.change.what == "include":
            found.pop(entry.change.name or "", None)
    return found


def _samples(dataset: Dataset, images: Sequence[str]) -> list[Sample]:
    """The samples that a person names, each once.

    Raises:
        RefusedCorrection: there is none of a name; the text names the nearest.
    """
    by_name = {sample.name: sample for sample in dataset.everything()}
    found = []
    for image in dict.fromkeys(images):
        name = _name_of(image, by_name, dataset.root) or _name_at(image, by_name.values())
        if name is None:
            if _name_of(image, _excluded(dataset), dataset.root) is not None:
                raise RefusedCorrection(f"{image!r}: is excluded; to take it in again: beholder dataset include")
            raise RefusedCorrection(f"{image!r}: no image is named so{_nearest_image(image, list(by_name))}")
        found.append(by_name[name])
    return list({sample.name: sample for sample in found}.values())


def _name_of(image: str, names: Iterable[str], root: Path) -> str | None:
    """Of some names, the one that a person means by a name or by a path below the root."""
    known = set(names)
    tried = [image, os.path.normpath(image).replace(os.sep, "/")]
    for place in (os.path.abspath, os.path.realpath):
        folder, path = Path(place(root)), Path(place(image))
        if path.is_relative_to(folder):
            tried.append(path.relative_to(folder).as_posix())
    return next((name for name in tried if name in known), None)


def _name_at(image: str, samples: Iterable[Sample]) -> str | None:
    """The name of the sample whose file a path leads to, wherever that lies."""
    if not os.path.isfile(image):
        return None
    path = os.path.realpath(image)
    return next((sample.name for sample in samples if os.path.realpath(sample.path) == path), None)


def _nearest_image(image: str, names: Sequence[str]) -> str:
    """The end of an error, with the image that a person may have meant; empty where none is near."""
    import difflib

    file = image.replace(os.sep, "/").rpartition("/")[2].casefold()
    near = [name for name in names if name.rpartition("/")[2].casefold() == file]
    near = near or difflib.get_close_matches(image, names[:_COMPARED], n=1, cutoff=0.5)
    if not near:
        return ""
    more = f", or one of {len(near) - 1:,} others of this file name" if len(near) > 1 else ""
    best = difflib.get_close_matches(image, near[:_COMPARED], n=1, cutoff=0.0)[0]
    return f"; did you mean {best!r}{more}?"
