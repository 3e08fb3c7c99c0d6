"""Files that cannot be read, and images that are there more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from beholder.auditing.evidence import Evidence
from beholder.auditing.finding import Finding
from beholder.auditing.sameness import Copy
from beholder.data import Sample, corrections

_HELD_OUT: Final = {None: -1, "train": 0, "validation": 1, "test": 2}
"""How much a split is kept from training: of two copies the one that is kept less has to go."""


def unreadable(evidence: Evidence) -> Iterator[Finding]:
    """Files that are damaged, empty, or no images, and files that cannot be opened."""
    for sample, reason in evidence.failures:
        change = corrections.exclude(sample) if sample.digest else None
        proposal = "Leave it out, or put a good copy in its place." if change else "Put a good copy in its place."
        yield Finding("unreadable", "error", sample.name, label_of(sample), _unusable(reason), proposal, change)
    for name, reason, proposal in evidence.unopened:
        yield Finding("unreadable", "error", name, None, _unusable(reason), proposal)


def _unusable(reason: str) -> str:
    return f"Cannot be used: {reason}{'' if reason.endswith(('.', '?', '!')) else '.'}"


def across_splits(evidence: Evidence) -> Iterator[Finding]:
    """Copies on both sides of a split: what is measured on one was learned from the other.

    The copy that is learned from goes, so that the test stays as its owner gave it.
    """
    for number, sample in enumerate(evidence.samples):
        if sample.split is None:
            continue
        same = [
            (other, copy)
            for other, copy in evidence.same(number)
            if _held_out(evidence, other) > _held_out(evidence, number)
        ]
        if not same:
            continue
        other, copy = max(same, key=lambda found: _likeness(found[1]))
        split = evidence.samples[other].split
        yield Finding(
            "duplicate_across_splits",
            "error",
            sample.name,
            label_of(sample),
            f"It is in {sample.split}, and {evidence.samples[other].name} in {split} {_how(copy)}: what is measured "
            f"there {'was' if copy is None else 'may have been'} seen before.",
            f"Leave out this one of the two, so that {split} stays as it is.",
            corrections.exclude(sample),
            _names(evidence, same),
            _likeness(copy),
        )


def across_classes(evidence: Evidence) -> Iterator[Finding]:
    """The same picture under different labels: one of them is wrong, or both apply.

    Where a head that was fitted without both agrees with one of the labels, the other image goes, unless models are
    measured on it.
    """
    wrong = {one.sample.name: set(one.labels) for one in evidence.judgement.suspects if not one.tested}
    for number, sample in enumerate(evidence.samples):
        same = [(other, copy) for other, copy in evidence.same(number) if _disagree(sample, evidence.samples[other])]
        right = [found for found in same if wrong.get(sample.name) == set(evidence.samples[found[0]].said)]
        refuted = any(wrong.get(evidence.samples[other].name) == set(sample.said) for other, _ in same)
        if right and refuted:  # each is said to be what the other is labeled: nobody knows
            right, refuted = [], False
        earlier = [found for found in same if found[0] < number]
        if refuted or not (right or earlier):
            continue
        other, copy = max(right or earlier, key=lambda found: _likeness(found[1]))
        kept = evidence.samples[other]
        proposal = "Look at both, keep the one whose label is right, and leave out the other."
        if right:
            proposal = f"Leave this one out: a head that was fitted without it says {label_of(kept)} too."
        yield Finding(
            "duplicate_across_classes",
            "error",
            sample.name,
            label_of(sample),
            f"It is labeled {label_of(sample)}, and {kept.name}, labeled {label_of(kept)}, {_how(copy)}.",
            proposal,
            corrections.exclude(sample) if right else None,
            _names(evidence, same),
            _likeness(copy),
        )


def exact(evidence: Evidence) -> Iterator[Finding]:
    """The same file twice in one class and split; the first is kept."""
    first_of: dict[tuple[str | None, str | None, tuple[str, ...]], int] = {}
    for number, sample in sorted(enumerate(evidence.samples), key=lambda one: (not one[1].labelled, one[0])):
        key = (sample.digest, sample.split, sample.said)
        kept = first_of.setdefault(key, number)
        if kept == number and not sample.labelled:  # of an unlabelled file and a labelled one the latter is kept
            same = (
                other for other, copy in evidence.same(number) if copy is None and not _apart(evidence, number, other)
            )
            kept = next(same, number)
        if kept != number:
            name = evidence.samples[kept].name
            yield Finding(
                "exact_duplicate",
                "notice",
                sample.name,
                label_of(sample),
                f"It is the same file as {name}, and counts twice.",
                "Leave this one out.",
                corrections.exclude(sample),
                (name,),
                1.0,
            )


def near(evidence: Evidence) -> Iterator[Finding]:
    """The same picture in another file of the same class and split; the larger is kept."""
    kept: set[int] = set()
    having = sorted({number for copy in evidence.copies for number in _equals(evidence, copy)})
    for number in sorted(having, key=lambda number: _worth(evidence, number)):
        near = [(other, copy) for other, copy in evidence.same(number) if copy is not None and other in kept]
        near = [found for found in near if not _apart(evidence, number, found[0])]
        if not near:
            kept.add(number)
            continue
        sample, (other, copy) = evidence.samples[number], max(near, key=lambda found: _likeness(found[1]))
        name = evidence.samples[other].name
        yield Finding(
            "near_duplicate",
            "notice",
            sample.name,
            label_of(sample),
            f"Beside {name} it {_how(copy)} ({_likeness(copy):.0%} alike), and would count twice.",
            "Keep one of the two; this one is not the larger.",
            corrections.exclude(sample),
            _names(evidence, near),
            _likeness(copy),
        )


_Same = tuple[int, Copy | None]


def _equals(evidence: Evidence, copy: Copy) -> Iterator[int]:
    """The samples that a copy speaks of: of equal files the first in each class and split."""
    for number in (copy.first, copy.second):
        yield number
        yield from (other for other, near in evidence.same(number) if near is None and evidence.is_first(other))


def _apart(evidence: Evidence, first: int, second: int) -> bool:
    """Whether two are in different splits, or under labels that disagree."""
    one, other = evidence.samples[first], evidence.samples[second]
    return one.split != other.split or _disagree(one, other)


def _disagree(one: Sample, other: Sample) -> bool:
    return one.labelled and other.labelled and set(one.said) != set(other.said)


def _held_out(evidence: Evidence, number: int) -> int:
    return _HELD_OUT[evidence.samples[number].split]


def _how(copy: Copy | None) -> str:
    return "is the same file" if copy is None else f"looks like {copy.how}"


def _likeness(copy: Copy | None) -> float:
    return 1.0 if copy is None else min(copy.likeness, 0.9999)


def _names(evidence: Evidence, same: Sequence[_Same]) -> tuple[str, ...]:
    return tuple(evidence.samples[other].name for other, _ in same)


def _worth(evidence: Evidence, number: int) -> tuple[bool, int, int]:
    """The order in which copies are kept: labeled ones, large ones, the first."""
    height, width = evidence.facts[number].size_hw
    return not evidence.samples[number].labelled, -height * width, number


def label_of(sample: Sample) -> str | None:
    """Its labels in words; None where it has none."""
    return ", ".join(sample.said) or None
