"""What a dataset is made of: samples, and the dataset that holds them.

A sample is the path of an image with what is known about it. Nothing here opens an image, and nothing is ever changed
in place: what is corrected, filtered or merged is another dataset.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from beholder.data.listing import counted, natural

Split = Literal["train", "validation", "test"]

SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")
SPLIT_NAMES: Final[Mapping[str, Split]] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What people call the splits, in lower case."""

UNKNOWN: Final = "_unknown"
"""The folder or label of images that show nothing known; they are strangers, never a class."""

NONE: Final = "_none"
"""The label, where several are allowed, of images that show none of the classes."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sample:
    """An image's path with its annotations.

    Attributes:
        path: where the file is.
        name: what people are shown: the path below the dataset's root, with `/`; one name, one sample.
        labels: names of the classes that apply, in natural order; empty where they are not known.
        split: `train`, `validation` or `test`, as its owner gave it; None where nothing was given.
        metadata: whatever else the annotations say, by column; read-only.
        negative: known to show none of the classes, which only a dataset with several labels per image can say.
        digest: content digest `sha256:…`; None until the file has been read.
    """

    path: Path
    name: str
    labels: tuple[str, ...] = ()
    split: Split | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    negative: bool = False
    digest: str | None = None

    def __post_init__(self) -> None:
        if type(self.metadata) is not MappingProxyType:
            object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)) if self.metadata else _NOTHING)

    @property
    def labelled(self) -> bool:
        """Whether it is known which classes apply."""
        return bool(self.labels) or self.negative

    @property
    def said(self) -> tuple[str, ...]:
        """Its labels as they are written down: `_none` where none of the classes applies."""
        return (NONE,) if self.negative else self.labels

    def __reduce__(self) -> tuple[Any, ...]:
        """To other processes: read-only mappings cannot be pickled."""
        values = (self.path, self.name, self.labels, self.split, dict(self.metadata), self.negative, self.digest)
        return Sample, values


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples that were read from one place.

    Attributes:
        root: the folder that the names of samples are relative to.
        samples: in natural order of their names, or in the order of the annotations. classes: names of the classes in
            natural order; each applies to a sample, unless the dataset is a part of another.
        multi_label: whether several classes may apply to one image.
        format: the name of the format it was read as.
        source: the folder or file that was read.
        view: which of the labels there were read, where there are several.
        notes: lines for a person: what was taken for what, and what was left out.
        strangers: images of nothing known, without labels.
        missing: names in the annotations that no file has.
    """

    root: Path
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    multi_label: bool
    format: str
    source: Path
    view: str = ""
    notes: tuple[str, ...] = ()
    strangers: tuple[Sample, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        samples: Iterable[Sample],
        *,
        root: Path,
        source: Path,
        format: str,
        view: str = "",
        multi_label: bool | None = None,
        notes: Sequence[str] = (),
        missing: Sequence[str] = (),
    ) -> Self:
        """Gather samples; those labelled `_unknown` become the strangers, those labelled `_none` negative.

        The arguments are as the attributes; without `multi_label` the samples tell.
        """
        known: list[Sample] = []
        strangers: list[Sample] = []
        for sample in samples:
            if sample.labels == (UNKNOWN,):
                strangers.append(replace(sample, labels=()))
            elif sample.labels == (NONE,):
                known.append(replace(sample, labels=(), negative=True))
            else:
                known.append(sample)
        classes = sorted({label for sample in known for label in sample.labels}, key=natural)
        several = any(len(sample.labels) > 1 or sample.negative for sample in known)
        return cls(
            root=root,
            samples=tuple(known),
            classes=tuple(classes),
            multi_label=several if multi_label is None else multi_label,
            format=format,
            source=source,
            view=view,
            notes=tuple(notes),
            strangers=tuple(strangers),
            missing=tuple(missing),
        )

    @property
    def identity(self) -> str:
        """What its corrections are kept under: the digest of where it is and of which labels there were read."""
        place = f"{os.path.realpath(self.source)}\0{self.view}"
        return hashlib.sha256(os.fsencode(place)).hexdigest()

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that samples or strangers are in, train first."""
        found = {sample.split for sample in (*self.samples, *self.strangers)}
        return tuple(split for split in SPLITS if split in found)

    def labelled(self) -> Dataset:
        """The part of which the classes are known; strangers stay."""
        return self.with_samples(sample for sample in self.samples if sample.labelled)

    def in_split(self, split: Split | None) -> Dataset:
        """The part in one split, or in none; its classes stay those of the whole, so that their numbers agree."""
        part = self.with_samples(sample for sample in self.samples if sample.split == split)
        return replace(part, strangers=tuple(stranger for stranger in self.strangers if stranger.split == split))

    def counts(self) -> dict[str, int]:
        """How many samples each class has, in the order of the classes."""
        found = Counter(label for sample in self.samples for label in sample.labels)
        return {name: found[name] for name in self.classes}

    def with_samples(self, samples: Iterable[Sample]) -> Dataset:
        """The same dataset with other samples; its classes stay."""
        return replace(self, samples=tuple(samples))

    def regathered(self, samples: Iterable[Sample], notes: Iterable[str] = ()) -> Dataset:
        """The same dataset with other samples, those labelled `_unknown` as strangers; its classes are those left."""
        return Dataset.of(
            samples,
            root=self.root,
            source=self.source,
            format=self.format,
            view=self.view,
            multi_label=self.multi_label or None,
            notes=(*self.notes, *notes),
            missing=self.missing,
        )

    def with_notes(self, *notes: str) -> Dataset:
        """The same dataset with more to say."""
        return replace(self, notes=(*self.notes, *notes))

    def everything(self) -> tuple[Sample, ...]:
        """Samples and strangers, the latter labelled `_unknown`; the opposite of `of`."""
        return (*self.samples, *(replace(stranger, labels=(UNKNOWN,)) for stranger in self.strangers))

    def __len__(self) -> int:
        return len(self.samples)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        strangers = f", {counted(len(self.strangers), 'stranger')}" if self.strangers else ""
        kinds = counted(len(self.classes), "class", "classes") if self.classes else "no labels"
        samples = counted(len(self.samples), "sample")
        return f"<Dataset {str(self.root)!r}: {samples}, {kinds}{strangers}, read as {self.format}>"
