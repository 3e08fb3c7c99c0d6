"""A dataset written as a table; see `table`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from beholder.data.formats.columns import LABEL_NAMES, PATH_NAMES, SPLIT_COLUMN_NAMES
from beholder.data.formats.format import Writing
from beholder.data.listing import some
from beholder.data.sample import Dataset, Sample
from beholder.errors import UsageError
from beholder.files import write_atomic

_SEPARATORS: Final = frozenset("|;")
_RESERVED: Final = frozenset((*PATH_NAMES, *LABEL_NAMES, *SPLIT_COLUMN_NAMES))


def write_table(dataset: Dataset, out: Path, how: Writing) -> None:
    """Write CSV: a path, labels, a split where there is one, and all metadata; TSV where `out` is named so.

    Several labels stand in one cell with `|` between them.

    Raises:
        OutputExists: there is something at `out`.
        OutputFailed: it cannot be written.
        UsageError: a class has a name that a table cannot hold.
    """
    samples = dataset.everything()
    bad = [name for name in dataset.classes if _SEPARATORS.intersection(name) or name != name.lstrip()]
    if bad:
        raise UsageError(f"{some(map(repr, bad))}: would be read from a table as something else; rename the class")
    label = "labels" if dataset.multi_label else "label"
    metadata = sorted({name for sample in samples for name in sample.metadata})
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if out.suffix.lower() == ".tsv" else ",", lineterminator="\n")
    writer.writerow(["path", label, *(["split"] if dataset.splits else []), *free_names(metadata, _RESERVED)])
    for sample in samples:
        splits = [sample.split or ""] if dataset.splits else []
        values = [sample.metadata.get(name, "") for name in metadata]
        writer.writerow([written_path(sample, out), "|".join(sample.said), *splits, *values])
    with write_atomic(out, overwrite=how.overwrite) as stream:
        stream.write(text.getvalue().encode("utf-8", "backslashreplace"))


def written_path(sample: Sample, out: Path) -> str:
    """A sample's path as it is written: relative to the file where it lies beside or below it, else whole."""
    path, folder = Path(os.path.abspath(sample.path)), Path(os.path.abspath(out)).parent
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def free_names(metadata: Sequence[str], reserved: Iterable[str]) -> list[str]:
    """Names for metadata that are not taken for something else."""
    taken = set(reserved)
    names: list[str] = []
    for name in metadata:
        free = name.strip() or "column"
        while free.lower() in taken:
            free = f"{free}_"
        taken.add(free.lower())
        names.append(free)
    return names
