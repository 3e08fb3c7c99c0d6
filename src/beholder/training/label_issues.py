"""Labels that look wrong: where heads that have not seen an image find the label it has implausible.

As in confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70, 2021) the measure is the mean probability of a class over the images labelled so: a class that is hard to tell
has a low one. A label is an issue where it is less than a quarter as probable as that, and issues are ranked by the
probability of the label (their self-confidence). Confident learning itself asks for more, that another class be as
probable as it is on average, and misses wrong labels where classes are easy and that average is near 1; against it and
against the margin to the best other label this rule and rank found more of labels that had been changed at random
(benchmarks/label_issues.py).

Many of the issues are images that are only hard. A *sure* one meets more: its label is half as probable as that, and
the other label is convincing by confident learning's condition, relaxed, because wrong labels make easy classes look
less sure. Of hard classes most of the sure ones are no mistakes either: docs/audit.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.evaluation.report import LabelIssue
from beholder.training.learned import Learned

IMPLAUSIBLE_BELOW: Final = 0.25
"""How probable a label must be to be plausible, beside the mean of the images labelled so."""

CONVINCING_FROM: Final = 0.75
"""How probable another label must be to be convincing, beside the mean of the images labelled so."""

REFUTED_BELOW: Final = 0.125
"""How probable a label must be not to be refuted, beside the mean of the images labelled so."""

_HELD_OUT: Final = ("validation", "test")


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that looks wrong.

    Attributes:
        sample: the image.
        issue: what looks wrong, in words.
        labels: what it looks like in place of the labels it has.
        probability: of the label it has, or of the least probable one.
        sure: whether that label is quite improbable, and what it looks like convincing.
        tested: whether models are measured on the image: in the test part, or the owner's test or validation split.
    """

    sample: Sample
    issue: LabelIssue
    labels: tuple[str, ...]
    probability: float
    sure: bool
    tested: bool


def find_label_issues(learned: Learned) -> list[Suspect]:
    """The labels of a dataset that look wrong, the most suspicious first.

    Only images are judged that have an answer by a head which was fitted without them.
    """
    material = learned.material
    probabilities = learned.unseen_probabilities()
    rows = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    judge = _several if material.dataset.multi_label else _one
    found = judge(probabilities[rows], material.targets[rows], material.dataset.classes)
    samples = material.dataset.samples
    suspects = []
    for row, words, labels, probability, is_sure in found:
        sample = samples[rows[row]]
        is_tested = bool(material.tested[rows[row]]) or sample.split in _HELD_OUT
        suspects.append(Suspect(sample, LabelIssue(sample.name, *words), labels, probability, is_sure, is_tested))
    return sorted(suspects, key=lambda suspect: suspect.probability)


_Found = tuple[int, tuple[str, str | None, str], tuple[str, ...], float, bool]


def implausible(of_given: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which labels are implausible, `(n,)`.

    Args:
        of_given: `(n,)`, the probability of the label that each image has, by a head that has not seen it.
        given: `(n,)`, that label.
    """
    found: NDArray[np.bool_] = of_given < IMPLAUSIBLE_BELOW * _means(of_given, given)[given]
    return found


def convincing(
    of_other: NDArray[np.float64], other: NDArray[np.int64], of_given: NDArray[np.float64], given: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which other labels are convincing in place of those given, `(n,)`; none that no image has.

    Args:
        of_other: `(n,)`, the probability of another label of each image.
        other: `(n,)`, that label.
        of_given: `(n,)`, the probability of the label that each image has.
        given: `(n,)`, that label.
    """
    means = np.full(int(max(other.max(initial=0), given.max(initial=0))) + 1, np.inf)
    having = np.unique(given)
    means[having] = _means(of_given, given)[having]
    found: NDArray[np.bool_] = (of_given < REFUTED_BELOW * means[given]) & (of_other >= CONVINCING_FROM * means[other])
    return found


def _means(of_given: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean probability of each label over the images that have it; 0 where none does."""
    means: NDArray[np.float64] = np.bincount(given, of_given) / np.maximum(np.bincount(given), 1)
    return means


def _one(probabilities: NDArray[np.float64], targets: NDArray[np.bool_], classes: tuple[str, ...]) -> list[_Found]:
    given = targets.argmax(axis=1).astype(np.int64)
    of_given = probabilities[np.arange(len(given)), given]
    best = probabilities.argmax(axis=1).astype(np.int64)
    sure = convincing(probabilities.max(axis=1), best, of_given, given)
    found: list[_Found] = []
    for row in np.flatnonzero(implausible(of_given, given) & (best != given)):
        own, other = classes[given[row]], classes[best[row]]
        reason = f"looks like {other} ({probabilities[row, best[row]]:.0%}) rather than {own} ({of_given[row]:.0%})"
        found.append((int(row), (own, other, reason), (other,), float(of_given[row]), bool(sure[row])))
    return found


def _several(probabilities: NDArray[np.float64], targets: NDArray[np.bool_], classes: tuple[str, ...]) -> list[_Found]:
    """Of several labels each is judged by itself; an image is as suspicious as its most suspicious label."""
    of_given, given = np.where(targets, probabilities, 1 - probabilities), targets.astype(np.int64)
    columns = range(len(classes))
    wrong = np.stack([implausible(of_given[:, k], given[:, k]) for k in columns], axis=1)
    sure = np.stack([convincing(1 - of_given[:, k], 1 - given[:, k], of_given[:, k], given[:, k]) for k in columns], 1)
    found: list[_Found] = []
    for row in np.flatnonzero(wrong.any(axis=1)):
        said = tuple(classes[k] for k in np.flatnonzero(targets[row] ^ wrong[row]))
        worst = int(np.where(wrong[row], of_given[row], np.inf).argmin())
        verb = "does not look like" if targets[row, worst] else "looks like"
        reason = f"{verb} {classes[worst]} ({probabilities[row, worst]:.0%})"
        own = ", ".join(classes[k] for k in np.flatnonzero(targets[row])) or "none"
        words = (own, ", ".join(said) or "none", reason)
        found.append((int(row), words, said, float(of_given[row, worst]), bool(sure[row, wrong[row]].all())))
    return found
