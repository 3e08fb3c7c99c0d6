"""What an audit says: findings, and the audit that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from beholder.data import Change
from beholder.data.listing import counted
from beholder.records import to_json

Kind = Literal[
    "unreadable",
    "duplicate_across_splits",
    "duplicate_across_classes",
    "label_issue",
    "exact_duplicate",
    "near_duplicate",
    "small_class",
    "unbalanced",
    "indistinguishable",
    "shortcut",
    "one_background",
    "one_light",
    "low_information",
    "blurred",
    "too_dark",
    "too_bright",
    "odd_size",
]
"""The kinds of findings, the most important first."""

Severity = Literal["error", "warning", "notice"]
"""An error spoils training or measuring, a warning probably does, a notice is worth a look."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SAFE: Final[frozenset[Kind]] = frozenset(
    {"unreadable", "duplicate_across_splits", "duplicate_across_classes", "exact_duplicate"}
)
"""The kinds whose changes are made without being asked for by name: what is lost by them is a copy or a broken file.
A label is not among them: a model that relabels what it gets wrong only looks better."""

WORDS: Final[dict[Kind, tuple[str, str]]] = {
    "unreadable": ("unreadable file", "unreadable files"),
    "duplicate_across_splits": ("duplicate across splits", "duplicates across splits"),
    "duplicate_across_classes": ("duplicate across classes", "duplicates across classes"),
    "label_issue": ("label to check", "labels to check"),
    "exact_duplicate": ("file that is there twice", "files that are there twice"),
    "near_duplicate": ("near duplicate", "near duplicates"),
    "small_class": ("class with few images", "classes with few images"),
    "unbalanced": ("imbalance of classes", "imbalances of classes"),
    "indistinguishable": ("pair of classes that look alike", "pairs of classes that look alike"),
    "shortcut": ("shortcut to the class", "shortcuts to the class"),
    "one_background": ("background for all", "backgrounds for all"),
    "one_light": ("light for all", "lights for all"),
    "low_information": ("image with nothing on it", "images with nothing on them"),
    "blurred": ("blurred image", "blurred images"),
    "too_dark": ("image that is too dark", "images that are too dark"),
    "too_bright": ("image that is too bright", "images that are too bright"),
    "odd_size": ("image of an odd size", "images of an odd size"),
}
"""Each kind in words: one of it, and many."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        kind: what sort of thing.
        severity: how much it spoils.
        source: the name of the image; that of the class, or of the dataset, where it is about those.
        label: what the image is labelled, several with commas; None where there is no label.
        reason: why it looks wrong, a sentence.
        proposal: what to do, a sentence; None where there is nothing to do.
        change: the correction that does it; None where a person has to decide.
        others: names of the other images concerned.
        score: how suspicious, for the order within a kind.
        proposed_label: what the label might be, where it looks wrong, several with commas.
    """

    kind: Kind
    severity: Severity
    source: str
    label: str | None
    reason: str
    proposal: str | None = None
    change: Change | None = None
    others: tuple[str, ...] = ()
    score: float = 0.0
    proposed_label: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "source": self.source,
            "label": self.label,
            "reason": self.reason,
            "proposal": self.proposal,
            "proposed_label": self.proposed_label,
            "others": list(self.others),
            "change": None if self.change is None else to_json(self.change),
            "score": round(self.score, 6),
        }


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By kind, and the most suspicious first within each."""
    return tuple(sorted(findings, key=lambda found: (KINDS.index(found.kind), -found.score, found.source)))


@dataclass(frozen=True, slots=True)
class Audit:
    """What is wrong with a dataset.

    Attributes:
        name: of the dataset.
        source: what was read.
        version: of the dataset, `sha256:…`.
        images: how many there are, strangers and unreadable ones among them.
        classes: names of its classes.
        findings: ordered by kind, the most suspicious first within each.
        notes: what was taken for what, and what was not looked for.
    """

    name: str
    source: str
    version: str
    images: int
    classes: tuple[str, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """A line for a person."""
        looked = f"{counted(self.images, 'image')}, {counted(len(self.classes), 'class', 'classes')}"
        if not self.findings:
            return f"nothing found: {looked}"
        return f"{counted(len(self.findings), 'finding')} in {looked}: {in_words(self.findings)}"

    def counts(self) -> dict[Kind, int]:
        """How many findings there are of each kind, of those that there are."""
        return counts_of(self.findings)

    def of_kind(self, kind: Kind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(found for found in self.findings if found.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "schema": 1,
            "dataset": self.version,
            "name": self.name,
            "source": self.source,
            "images": self.images,
            "classes": list(self.classes),
            "counts": dict(self.counts()),
            "findings": [found.to_dict() for found in self.findings],
            "notes": list(self.notes),
        }


def counts_of(findings: Sequence[Finding]) -> dict[Kind, int]:
    """How many findings there are of each kind, of those that there are, in the order of the kinds."""
    counted_kinds = [found.kind for found in findings]
    return {kind: counted_kinds.count(kind) for kind in KINDS if kind in counted_kinds}


def in_words(findings: Sequence[Finding]) -> str:
    """`1 unreadable file, 4 labels to check`."""
    return ", ".join(counted(count, *WORDS[kind]) for kind, count in counts_of(findings).items())


def changes_of(findings: Iterable[Finding], kinds: Iterable[Kind] | None = None) -> list[Change]:
    """The changes of findings, at most one for an image; leaving it out comes before another label.

    Args:
        findings: of an audit.
        kinds: those to fix, whatever they propose; None for what is safe.
    """
    wanted = SAFE if kinds is None else frozenset(kinds)
    chosen: dict[str, Change] = {}
    having = [found for found in findings if found.kind in wanted and found.change is not None]
    for found in sorted(having, key=lambda found: found.proposed_label is not None):
        if found.change is not None:
            chosen.setdefault(found.change.name or str(found.change), found.change)
    return list(chosen.values())
