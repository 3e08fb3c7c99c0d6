"""Labels and classes: labels that look wrong, classes that are small, out of balance or alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import numpy as np

from beholder.auditing.detecting.copies import label_of
from beholder.auditing.detecting.pictures import FLAT
from beholder.auditing.evidence import Evidence
from beholder.auditing.finding import Finding
from beholder.data import Change, corrections
from beholder.data.listing import counted
from beholder.errors import RefusedCorrection
from beholder.evaluation.intervals import mean_interval, wilson
from beholder.training import Suspect

FEW: Final = 10
"""Images below which a class cannot be learned and measured."""

UNBALANCED: Final = 10
"""How many times as large as the rarest class the commonest may be."""

ALIKE: Final = 0.65
"""Two classes are alike where images are told apart at most so often, whatever luck there was; 0.5 is guessing."""

ENOUGH_OF_EACH: Final = 8
MOST_CLASSES: Final = 300


def label_issues(evidence: Evidence) -> Iterator[Finding]:
    """Labels that a head contradicts which was fitted without the image.

    Another label is proposed where that is sure, and never for an image that models are measured on: they would be
    measured by what a head says. The others are worth a look; of an image with nothing on it, a head knows nothing.
    """
    flat = {
        sample.digest for sample, fact in zip(evidence.samples, evidence.facts, strict=True) if fact.contrast < FLAT
    }
    for suspect in evidence.judgement.suspects:
        if suspect.sample.digest in flat:
            continue
        sample, change = suspect.sample, _relabeled(suspect)
        yield Finding(
            "label_issue",
            "warning" if change else "notice",
            sample.name,
            label_of(sample),
            f"Labeled {label_of(sample)}, but {suspect.issue.reason}.",
            _advice(suspect),
            change,
            (),
            1 - suspect.probability,
            ", ".join(suspect.labels) or "none",
        )


def _relabeled(suspect: Suspect) -> Change | None:
    """The labels that it looks like; None where a person has to decide."""
    if suspect.tested or not suspect.sure:
        return None
    try:
        return corrections.relabel(suspect.sample, *(suspect.labels or ("_none",)))
    except RefusedCorrection:
        return None


def _advice(suspect: Suspect) -> str:
    other = ", ".join(suspect.labels) or "none"
    if suspect.tested:
        return f"Look whether it is {other}; an image that models are measured on is only relabeled by a person."
    if suspect.sure:
        return f"Look at it, and relabel it as {other} if it is."
    return f"Look whether it is {other}; it may only be hard to tell."


def small_classes(evidence: Evidence) -> Iterator[Finding]:
    """Classes with few images."""
    for name, count in evidence.dataset.counts().items():
        if count < FEW:
            yield Finding(
                "small_class",
                "error" if count == 1 else "warning",
                name,
                name,
                f"It has {counted(count, 'image')}; below {FEW} little can be learned, and nothing can be measured.",
                f"Add at least {FEW - count} more, or merge it with another class.",
                None,
                (),
                1 / max(count, 1),
            )


def unbalanced(evidence: Evidence) -> Iterator[Finding]:
    """One class much larger than another."""
    counts = {name: count for name, count in evidence.dataset.counts().items() if count}
    if len(counts) < 2:
        return
    rare, common = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    ratio = counts[common] / counts[rare]
    if ratio > UNBALANCED:
        yield Finding(
            "unbalanced",
            "warning",
            str(evidence.dataset.source),
            None,
            f"{common} has {counts[common]:,} images and {rare} {counts[rare]:,}: {ratio:.0f} times as many.",
            f"Add images of {rare}; until then look at each class by itself, not at the share of right answers.",
            None,
            (),
            ratio,
        )


def indistinguishable(evidence: Evidence) -> Iterator[Finding]:
    """Two classes that a head cannot tell apart on images it has not seen.

    Of the images of both, each counts as right where its own class has the higher probability of the two; the two
    shares are averaged, so that a rare class counts as much, with the interval made of Wilson's two.
    """
    names = evidence.judgement.classes
    if evidence.dataset.multi_label or not 2 <= len(names) <= MOST_CLASSES:
        return
    column = {name: index for index, name in enumerate(names)}
    truth = np.array([column[sample.labels[0]] for sample in evidence.judgement.judged], np.intp)
    rows = [np.flatnonzero(truth == index) for index in range(len(names))]
    enough = [index for index in range(len(names)) if len(rows[index]) >= ENOUGH_OF_EACH]
    for first, second in combinations(enough, 2):
        ahead = evidence.judgement.unseen[:, first] - evidence.judgement.unseen[:, second]
        right = int((ahead[rows[first]] > 0).sum()), int((ahead[rows[second]] < 0).sum())
        counts = len(rows[first]), len(rows[second])
        shares = [hits / count for hits, count in zip(right, counts, strict=True)]
        interval = mean_interval(shares, [wilson(hits, count) for hits, count in zip(right, counts, strict=True)])
        if interval is not None and interval[1] < ALIKE:
            yield Finding(
                "indistinguishable",
                "warning",
                f"{names[first]}, {names[second]}",
                f"{names[first]}, {names[second]}",
                f"Of {counts[0]:,} and {counts[1]:,} images, {np.mean(shares):.0%} are told apart (at most "
                f"{interval[1]:.0%}), where guessing gives 50%.",
                "Merge the two, or look through their labels.",
                None,
                (),
                1 - float(np.mean(shares)),
            )
