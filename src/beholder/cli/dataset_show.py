"""`beholder dataset show`: what is in a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.errors import DataError, ImageError, OutputExists, OutputFailed, UsageError

if TYPE_CHECKING:
    from beholder.data import ContentCache, Dataset, Facts, Statistics
    from beholder.data.statistics import Spread

_STEPS: Final = {"reading": "reading files", "looking": "looking at images"}
_INDENT: Final = 13
_BAR: Final = 24
_NAME: Final = 32
_CLASSES: Final = 30
"""The most classes that are listed; of more, the largest and the smallest."""

_NAMES: Final = 10
"""The most images that cannot be read, or are missing, that are named."""

_MEAN_SIDE: Final = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset show`."""
    parser.add_argument("data", metavar="DATA", help="folder of images, or a CSV or COCO file")
    parser.add_argument("--quick", action="store_true", help="count only: open no file of an image")
    parser.add_argument("--mean-image", metavar="FILE", help="also write the mean of all images, as PNG")
    parser.add_argument("--force", action="store_true", help="replace an earlier mean image")
    parser.add_argument("--json", action="store_true", help="one JSON object: version, classes, statistics, notes")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Show a dataset; see the module."""
    from beholder.data import ContentCache, statistics_of

    if args.mean_image is not None:
        _check_mean_image(args)
    with ContentCache() as contents:
        dataset = read_data(args.data, args, contents)
        told = len(dataset.notes)
        version: str | None = None
        facts: Mapping[str, Facts] = {}
        failures: Mapping[str, ImageError] = {}
        if not args.quick:
            dataset, facts, failures = _looked_at(dataset, contents)
            version = _kept(dataset)
        for note in (*dataset.notes[told:], *contents.notes):
            printing.warn(note)
        statistics = statistics_of(dataset, facts)
        if args.json:
            printing.say(printing.as_json(_described(dataset, version, statistics, failures)))
        else:
            _show(dataset, version, statistics, failures)
        if args.mean_image is not None:
            _write_mean(dataset, contents, args)
    return 1 if failures else 0


def _looked_at(dataset: Dataset, contents: ContentCache) -> tuple[Dataset, dict[str, Facts], dict[str, ImageError]]:
    """The dataset with digests, the facts of its images by digest, and why some cannot be read, by name."""
    from beholder.data import look_at, with_digests

    with printing.steps(_STEPS) as report:
        dataset = with_digests(dataset, contents, lambda done, total: report("reading", done, total))
        looked = look_at(
            (*dataset.samples, *dataset.strangers),
            contents,
            progress=lambda done, total: report("looking", done, total),
        )
    return dataset, looked.facts, looked.failures


def _kept(dataset: Dataset) -> str:
    """The version; it is kept, so that it can be compared with later ones."""
    from beholder.data import Manifest, save_version

    try:
        return save_version(dataset)
    except OutputFailed as error:
        printing.warn(f"{error}; so it cannot be compared with later versions")
        return Manifest.of(dataset).version


def _described(
    dataset: Dataset, version: str | None, statistics: Statistics, failures: Mapping[str, ImageError]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "dataset": version,
        "source": str(dataset.source),
        "format": dataset.format,
        "multi_label": dataset.multi_label,
        "classes": list(dataset.classes),
        "statistics": statistics.to_dict(),
        "unreadable": [
            {"source": name, "error": {"kind": error.kind, "message": error.reason}} for name, error in failures.items()
        ],
        "missing": list(dataset.missing),
        "notes": list(dataset.notes),
    }


def _show(dataset: Dataset, version: str | None, statistics: Statistics, failures: Mapping[str, ImageError]) -> None:
    from beholder.data.listing import counted

    printing.say(str(dataset.source))
    several = ", several per image" if dataset.multi_label else ""
    kinds = counted(len(dataset.classes), "class", "classes") + several if dataset.classes else "no labels"
    size = f", {printing.shown_size(statistics.bytes)}" if statistics.looked_at else ""
    _line(
        "images", f"{statistics.samples:,} in {kinds}{size}" if dataset.classes else f"{statistics.samples:,}, {kinds}"
    )
    _line("read as", dataset.format)
    if statistics.labelled < statistics.samples and dataset.classes:
        _line("unlabelled", f"{statistics.samples - statistics.labelled:,}")
    if dataset.splits:
        order = (*dataset.splits, "none")
        _line("splits", _ranking({name: statistics.splits[name] for name in order if name in statistics.splits}))
    if dataset.strangers:
        _line("strangers", f"{counted(len(dataset.strangers), 'image')} of nothing known, to test 'unknown' with")
    if statistics.looked_at:
        _show_looks(statistics)
    if version is not None:
        _line("version", version)
    if dataset.classes:
        _show_classes(dataset, statistics.classes)
    _show_names("unreadable", [f"{name}: {error.reason}" for name, error in failures.items()])
    _show_names("missing", [f"{name}: is named, but no file has the name" for name in dataset.missing])
    _warn_untrainable(dataset)


def _show_looks(statistics: Statistics) -> None:
    """What the images look like."""
    if statistics.widths is not None and statistics.heights is not None and statistics.aspect_ratios is not None:
        _line("width", _spread(statistics.widths))
        _line("height", _spread(statistics.heights))
    _line("sizes", _ranking(statistics.commonest_sizes, shown=3))
    _line("shapes", _ranking({name: count for name, count in statistics.shapes.items() if count}))
    _line("formats", _ranking(statistics.formats))
    _line("channels", _ranking(statistics.modes))
    if statistics.mean_rgb is not None and statistics.deviation_rgb is not None:
        pairs = zip(("red", "green", "blue"), statistics.mean_rgb, statistics.deviation_rgb, strict=True)
        _line("colors", ", ".join(f"{name} {mean:.2f} ± {deviation:.2f}" for name, mean, deviation in pairs))


def _show_classes(dataset: Dataset, counts: Mapping[str, int]) -> None:
    """A table: a line for each class, with a column for each split where there are any, and a bar."""
    listed = list(counts)
    if len(listed) > _CLASSES:
        ranked = sorted(listed, key=lambda name: -counts[name])
        listed = [*ranked[: _CLASSES // 2], "", *ranked[-(_CLASSES // 2) :]]
    splits = dataset.splits
    parts = {split: dataset.in_split(split).counts() for split in splits}
    width = max(len(_shortened(name)) for name in (*listed, "class"))
    most = max(counts.values(), default=0) or 1
    printing.say("")
    printing.say(f"  {'class':<{width}}  {'images':>7}  {''.join(f'{split:>10}  ' for split in splits)}".rstrip())
    for name in listed:
        if not name:
            printing.say(f"  … {len(counts) - _CLASSES:,} more classes, of sizes between")
            continue
        columns = "".join(f"{parts[split][name]:>10,}  " for split in splits)
        printing.say(f"  {_shortened(name):<{width}}  {counts[name]:>7,}  {columns}{_bar(counts[name] / most)}")


def _show_names(what: str, names: Sequence[str]) -> None:
    if names:
        printing.say("")
        printing.say(f"  {what} ({len(names):,})")
        for name in names[:_NAMES]:
            printing.say(f"    {name}")
        if len(names) > _NAMES:
            printing.say(f"    … and {len(names) - _NAMES:,} more: see --json")


def _warn_untrainable(dataset: Dataset) -> None:
    from beholder.data import require_trainable

    try:
        require_trainable(dataset)
    except DataError as error:
        printing.warn(f"no classifier can be trained on it yet: {error}")


def _line(name: str, text: str) -> None:
    printing.say(f"  {name:<{_INDENT}}{text}")


def _ranking(counts: Mapping[str, int], shown: int = 6) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    parts = [f"{name} ({count:,})" for name, count in list(counts.items())[:shown]]
    return ", ".join(parts) + (", …" if len(counts) > shown else "")


def _spread(spread: Spread) -> str:
    if spread.least == spread.most:
        return f"{spread.median:,.0f} pixels"
    return f"{spread.median:,.0f} pixels in the middle, from {spread.least:,.0f} to {spread.most:,.0f}"


def _bar(share: float) -> str:
    halves = max(round(share * 2 * _BAR), 1) if share else 0
    return "█" * (halves // 2) + "▌" * (halves % 2)


def _shortened(name: str) -> str:
    from beholder.errors import one_line

    shown = one_line(name)
    return shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}…"


def _check_mean_image(args: argparse.Namespace) -> None:
    """Refuse before the work what would be refused after it."""
    if args.quick:
        raise UsageError("--mean-image: cannot go with --quick, which opens no image")
    if Path(args.mean_image).suffix.lower() != ".png":
        raise UsageError(f"--mean-image: must end in .png, found {args.mean_image}")
    if Path(args.mean_image).exists() and not args.force:
        raise OutputExists(f"{args.mean_image}: exists already; choose another name or pass --force")


def _write_mean(dataset: Dataset, contents: ContentCache, args: argparse.Namespace) -> None:
    from PIL import Image

    from beholder.data import mean_image
    from beholder.files import write_atomic

    pixels = mean_image(dataset, contents)
    if pixels is None:
        raise DataError(f"{args.data}: no image can be read, so there is no mean of them")
    enlarged = Image.fromarray(pixels).resize((_MEAN_SIDE, _MEAN_SIDE), Image.Resampling.BICUBIC)
    with write_atomic(args.mean_image, overwrite=args.force) as stream:
        enlarged.save(stream, "PNG")
    printing.warn(f"mean image  {args.mean_image}")
