r"""Labels from the names of files, by a regular expression with a group `label`.

    (?P<label>[a-z]+)_\d+\.jpg                       cat_001.jpg
    (?P<split>train|test)/(?P<label>\w+)-(?P<camera>\d+)    train/cat-2.jpg

It is searched for in the path below the folder. A group `split` gives the split, any other named group is metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from beholder.data.formats.folder import printable
from beholder.data.formats.format import Claim, Format, Options
from beholder.data.listing import counted, images_below, some
from beholder.data.sample import SPLIT_NAMES, Dataset, Sample, Split
from beholder.errors import DatasetNotFound, InvalidAnnotations, NotADataset, UsageError
from beholder.image.input import LeftOut


def _detect(path: Path, options: Options) -> list[Claim]:
    if options.pattern is None or not path.is_dir():
        return []
    return [Claim(path, f"names that match {options.pattern}", certain=True)]


def _read(path: Path, options: Options) -> Dataset:
    if not path.is_dir():
        raise DatasetNotFound(f"{path}: a pattern must be given with a folder, found a file")
    pattern = _compiled(options.pattern)
    left_out = LeftOut()
    samples = list(_samples(path, pattern, left_out))
    unmatched = [sample.name for sample in samples if not sample.labels]
    if not samples:
        raise NotADataset(f"{path}: holds no images{left_out.found_only()}")
    if len(unmatched) == len(samples):
        raise InvalidAnnotations(f"{path}: names must match {pattern.pattern}, found {some(unmatched)}")
    notes = [f"read by names: labels are what {pattern.pattern} finds in the names of files"]
    if unmatched:
        notes.append(f"{counted(len(unmatched), 'image')} whose names do not match left unlabelled: {some(unmatched)}")
    left_out.tell(notes.append, str(path))
    return Dataset.of(samples, root=path, source=path, format="pattern", view=pattern.pattern, notes=notes)


def _samples(root: Path, pattern: re.Pattern[str], left_out: LeftOut) -> Iterator[Sample]:
    for name in images_below(root, left_out):
        shown = printable(name)
        match = pattern.search(shown)
        groups = {} if match is None else {key: value for key, value in match.groupdict().items() if value}
        label, split = groups.pop("label", None), groups.pop("split", None)
        labels = () if label is None else (label,)
        yield Sample(root / name, shown, labels, _split(split, root / name), groups)


def _split(found: str | None, path: Path) -> Split | None:
    if found is None:
        return None
    if found.lower() not in SPLIT_NAMES:
        raise InvalidAnnotations(f"{path}: the group split must find train, validation or test, found {found!r}")
    return SPLIT_NAMES[found.lower()]


def _compiled(pattern: str | None) -> re.Pattern[str]:
    if pattern is None:
        raise UsageError("reading labels from names needs --pattern, such as '(?P<label>[a-z]+)_[0-9]+'")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--pattern must be a regular expression: {error}") from None
    if "label" not in compiled.groupindex:
        raise UsageError(f"--pattern must have a group (?P<label>…), found {pattern}")
    return compiled


FORMAT: Final = Format("pattern", "labels in the names of files, by --pattern", _detect, _read, None)
