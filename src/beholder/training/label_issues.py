"""Labels that look wrong: where heads that have not seen an image find the label it has implausible.

As in confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70, 2021) the measure is the mean probability of a class over the images labelled so: a class that is hard to tell
has a low one. A label is an issue where it is less than a quarter as probable as that, and issues are ranked by the
probability of the label (their self-confidence). Confident learning itself asks for more, that another class be as
probable as it is on average, and misses wrong labels where classes are easy and that average is near 1; against it and
against the margin to the best other label this rule and rank found more of labels that had been changed at random
(benchmarks/label_issues.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.evaluation.report import LabelIssue
from beholder.training.learning import Learned

IMPLAUSIBLE_BELOW: Final = 0.25
"""How probable a label must be to be plausible, beside the mean of the images labelled so."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that looks wrong.

    Attributes:
        sample: the image.
        issue: what looks wrong, in words.
        labels: what it looks like in place of the labels it has.
        probability: of the label it has, or of the least probable one.
    """

    sample: Sample
    issue: LabelIssue
    labels: tuple[str, ...]
    probability: float


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
    suspects = [
        Suspect(samples[rows[row]], LabelIssue(samples[rows[row]].name, *issue), labels, probability)
        for row, issue, labels, probability in found
    ]
    return sorted(suspects, key=lambda suspect: suspect.probability)


_Found = tuple[int, tuple[str, str | None, str], tuple[str, ...], float]


def implausible(of_given: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which labels are implausible, `(n,)`.

    Args:
        of_given: `(n,)`, the probability of the label that each image has, by a head that has not seen it.
        given: `(n,)`, that label.
    """
    counts = np.bincount(given)
    means = np.bincount(given, of_given) / np.maximum(counts, 1)
    found: NDArray[np.bool_] = of_given < IMPLAUSIBLE_BELOW * means[given]
    return found


def _one(probabilities: NDArray[np.float64], targets: NDArray[np.bool_], classes: tuple[str, ...]) -> list[_Found]:
    given = targets.argmax(axis=1).astype(np.int64)
    of_given = probabilities[np.arange(len(given)), given]
    best = probabilities.argmax(axis=1)
    found: list[_Found] = []
    for row in np.flatnonzero(implausible(of_given, given) & (best != given)):
        own, other = classes[given[row]], classes[best[row]]
        reason = f"looks like {other} ({probabilities[row, best[row]]:.0%}) rather than {own} ({of_given[row]:.0%})"
        found.append((int(row), (own, other, reason), (other,), float(of_given[row])))
    return found


def _several(probabilities: NDArray[np.float64], targets: NDArray[np.bool_], classes: tuple[str, ...]) -> list[_Found]:
    """Of several labels each is judged by itself; an image is as suspicious as its most suspicious label."""
    of_given = np.where(targets, probabilities, 1 - probabilities)
    wrong = np.stack([implausible(of_given[:, k], targets[:, k].astype(np.int64)) for k in range(len(classes))], axis=1)
    found: list[_Found] = []
    for row in np.flatnonzero(wrong.any(axis=1)):
        said = tuple(classes[k] for k in np.flatnonzero(targets[row] ^ wrong[row]))
        worst = int(np.where(wrong[row], of_given[row], np.inf).argmin())
        verb = "does not look like" if targets[row, worst] else "looks like"
        reason = f"{verb} {classes[worst]} ({probabilities[row, worst]:.0%})"
        given = ", ".join(classes[k] for k in np.flatnonzero(targets[row])) or "none"
        found.append((int(row), (given, ", ".join(said) or "none", reason), said, float(of_given[row, worst])))
    return found
