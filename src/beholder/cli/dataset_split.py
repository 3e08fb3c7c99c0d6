"""`beholder dataset split`: choose images to test on, and write who is where as a table.

A table, and not corrections: a split is made once, given to others and kept with the data, and a log is for what
people change one by one. The table names the images where they lie.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.cli import printing
from beholder.cli.data_options import add_data_options, read_data
from beholder.cli.dataset_convert import refuse_inside
from beholder.cli.parsing import share, whole
from beholder.errors import ImpossibleSplit, OutputExists, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from beholder.data import ContentCache, Dataset, Sample, Split
    from beholder.errors import ImageError

_STEPS: Final = {"reading": "reading files", "looking": "looking at images", "parting": "finding what shows the same"}
_BACKBONE: Final = "efficientnet-lite0"
_FEW: Final = 20
"""Images of a class to test on, below which what is measured of it says little."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `dataset split`."""
    parser.add_argument("data", metavar="DATA", help="folder of images, or a CSV or COCO file")
    parser.add_argument("out", metavar="OUT.csv", help="table to write: paths, labels, split")
    parser.add_argument("--test", metavar="SHARE", type=share, required=True, help="of the images, to test on: 0.2")
    parser.add_argument(
        "--validation", metavar="SHARE", type=share, default=0.0, help="of the images, to choose by (0)"
    )
    parser.add_argument("--seed", metavar="N", type=whole(0), default=0, help="another for another choice (0)")
    parser.add_argument("--force", action="store_true", help="replace OUT.csv, and a split that DATA has already")
    parser.add_argument("--json", action="store_true", help="one JSON object: path, images of each split, groups")
    add_data_options(parser)


def run(args: argparse.Namespace) -> int:
    """Split a dataset; see the module."""
    from beholder.data import ContentCache, write

    out = Path(args.out)
    _check(args, out)
    with ContentCache() as contents, printing.steps(_STEPS) as report:
        dataset = read_data(args.data, args, contents)
        refuse_inside(dataset, out)
        if dataset.splits and not args.force:
            raise UsageError(
                f"{args.data}: has a split already ({', '.join(dataset.splits)}); pass --force to choose anew"
            )
        samples, groups, failures = _seen(dataset, contents, report)
        report("parting", 0, 0)
        parts = choose(samples, groups, test=args.test, validation=args.validation, seed=args.seed)
        made = dataset.regathered(replace(sample, split=part) for sample, part in zip(samples, parts, strict=True))
        write(made, out, format="csv", overwrite=args.force)
    for name, error in failures.items():
        printing.warn(f"left out: {name}: {error.reason}")
    _tell(made, out, groups, args)
    return 1 if failures else 0


def choose(
    samples: Sequence[Sample], groups: NDArray[np.intp], *, test: float, validation: float = 0.0, seed: int = 0
) -> list[Split]:
    """Choose the split of each image: the share of every class is kept, and no group is parted.

    Args:
        samples: images; those that are unlabelled or strangers are dealt out by their number only.
        groups: the number of each image's group, `(n,)`.
        test: share of the images to test on, above 0.
        validation: share of the images to choose by.
        seed: of the luck.

    Raises:
        ImpossibleSplit: a class shows too few different things to be in every part.
    """
    import numpy as np

    from beholder.data import UNKNOWN, groups_per_class, take_test

    labels = [() if sample.labels == (UNKNOWN,) else sample.labels for sample in samples]
    parts = 3 if validation else 2
    counts = groups_per_class(labels, groups)
    scarce = next((name for name, count in counts.items() if count < parts), None)
    if scarce is not None:
        raise ImpossibleSplit(
            f"class {scarce!r}: must show at least {parts} different things, to be in every part, found "
            f"{counts[scarce]}; near duplicates count once; add images, or leave the class out"
        )
    found: list[Split] = ["train"] * len(samples)
    rows = np.arange(len(samples))
    taken = 0.0
    wishes: tuple[tuple[Split, float], ...] = (("test", test), ("validation", validation))
    for part, wanted in wishes:
        if not wanted:
            continue
        here = [labels[row] for row in rows]
        chosen = take_test(here, groups[rows], share=wanted / (1 - taken), seed=seed, minimum_per_class=1)
        if chosen is None:
            raise ImpossibleSplit(f"{part}: no choice of {wanted:.0%} keeps every class in every part; choose more")
        for row in rows[chosen]:
            found[row] = part
        rows, taken = np.delete(rows, chosen), taken + wanted
    return found


def _check(args: argparse.Namespace, out: Path) -> None:
    """Refuse before the work what would be refused after it."""
    if not args.test or args.test + args.validation >= 1:
        raise UsageError(
            "--test: must be above 0 and leave something to train on, "
            f"found {args.test:g} to test on and {args.validation:g} for validation"
        )
    if out.suffix.lower() not in (".csv", ".tsv"):
        raise UsageError(f"{out}: must end in .csv or .tsv; the split is written as a table")
    if out.exists() and not args.force:
        raise OutputExists(f"{out}: exists already; choose another name or pass --force")


def _seen(
    dataset: Dataset, contents: ContentCache, report: Callable[[str, int, int], None]
) -> tuple[list[Sample], NDArray[np.intp], dict[str, ImageError]]:
    """The readable images with their digests, the group of each, and why others cannot be read, by name."""
    import numpy as np

    from beholder.data import require_trainable, with_digests
    from beholder.training.features import Backbone
    from beholder.training.layers import LAST
    from beholder.training.material import groups_of
    from beholder.zoo import find

    require_trainable(dataset)
    told = len(dataset.notes)
    dataset = with_digests(dataset, contents, lambda done, total: report("reading", done, total))
    for note in dataset.notes[told:]:
        printing.warn(note)
    everything = dataset.everything()
    backbone = Backbone(find(_BACKBONE))
    seen = backbone.see(everything, contents, progress=lambda done, total: report("looking", done, total))
    failures = {
        sample.name: seen.failures[key] for sample in everything if (key := sample.digest or "") in seen.failures
    }
    readable = [sample for sample in everything if sample.name not in failures]
    if not readable:
        raise ImpossibleSplit(f"{dataset.source}: images must be readable, found none that is")
    embeddings = backbone.split(np.stack([seen.vectors[sample.digest or ""] for sample in readable]))[LAST]
    return readable, groups_of(readable, seen.facts, embeddings), failures


def _tell(made: Dataset, out: Path, groups: NDArray[np.intp], args: argparse.Namespace) -> None:
    parts = {split: made.in_split(split) for split in made.splits}
    sizes = {split: len(part.samples) + len(part.strangers) for split, part in parts.items()}
    distinct = int(groups.max()) + 1
    if args.json:
        printing.say(printing.as_json({"schema": 1, "path": str(out), "splits": sizes, "groups": distinct}))
        return
    whole_size = sum(sizes.values())
    for split, size in sizes.items():
        printing.say(f"{split:<12}{size:>7,} images  {size / whole_size:.0%}")
    _warn_few(parts)
    if distinct < whole_size:
        printing.say(f"{whole_size:,} images show {distinct:,} different things; what shows the same is in one part")
    printing.say(f"next: beholder train {shlex.quote(str(out))}")


def _warn_few(parts: Mapping[Split, Dataset]) -> None:
    few = {name: count for name, count in parts["test"].counts().items() if count < _FEW}
    if few:
        name = min(few, key=lambda name: few[name])
        which = f"class {name!r} has" if len(few) == 1 else f"{len(few):,} classes have"
        printing.warn(f"{which} fewer than {_FEW} images to test on ({name!r}: {few[name]}): a rough measure of them")
