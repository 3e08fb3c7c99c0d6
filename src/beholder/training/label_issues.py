"""Labels that look wrong: where a head that has not seen an image is sure of another label than the one it has.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR
70, 2021): a class is claimed by an image whose probability of it is at least the mean of those labelled so, and an
image that claims another class than its own, and not its own more, is an issue. Where classes are easy that mean is
near 1, and a wrong label whose own class is also likely would be missed: an image whose best other label is far ahead
is an issue too. Issues are ranked by how far ahead it is (their normalized margin).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.evaluation.report import LabelIssue
from beholder.training.learning import Learned

FAR_AHEAD: Final = 0.5
"""The margin from which a label is an issue whatever its class is like."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that looks wrong.

    Attributes:
        sample: the image.
        issue: what looks wrong, in words.
        labels: what it looks like in place of the labels it has.
        margin: how far ahead that is, -1 to 1: the difference of the two probabilities.
    """

    sample: Sample
    issue: LabelIssue
    labels: tuple[str, ...]
    margin: float


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
        Suspect(samples[rows[row]], LabelIssue(samples[rows[row]].name, *issue), labels, margin)
        for row, issue, labels, margin in found
    ]
    return sorted(suspects, key=lambda suspect: -suspect.margin)


_Found = tuple[int, tuple[str, str | None, str], tuple[str, ...], float]


def rank_margins(probabilities: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the best other label is ahead of the given one, `(n,)`."""
    rows = np.arange(len(given))
    of_given = probabilities[rows, given]
    others = probabilities.copy()
    others[rows, given] = -1.0
    margins: NDArray[np.float64] = others.max(axis=1) - of_given
    return margins


def confident_issues(probabilities: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images claim another class than the one given, `(n,)`.

    Args:
        probabilities: `(n, k)`, of heads that have not seen the image.
        given: `(n,)`, the label it has.
    """
    count = probabilities.shape[1]
    members = [probabilities[given == k, k] for k in range(count)]
    thresholds = np.array([float(own.mean()) if len(own) else np.inf for own in members])
    claims = np.where(probabilities >= thresholds, probabilities, -1.0)
    claimed = claims.argmax(axis=1)
    issues: NDArray[np.bool_] = (claims.max(axis=1) >= 0) & (claimed != given)
    return issues


def _one(probabilities: NDArray[np.float64], targets: NDArray[np.bool_], classes: tuple[str, ...]) -> list[_Found]:
    given = targets.argmax(axis=1).astype(np.int64)
    margins = rank_margins(probabilities, given)
    found: list[_Found] = []
    claims = confident_issues(probabilities, given) & (margins > 0)
    for row in np.flatnonzero(claims | (margins >= FAR_AHEAD)):
        best = int(probabilities[row].argmax())
        own, other = probabilities[row, given[row]], probabilities[row, best]
        reason = f"looks like {classes[best]} ({other:.0%}) rather than {classes[given[row]]} ({own:.0%})"
        labels = (classes[best],)
        found.append((int(row), (classes[given[row]], classes[best], reason), labels, float(margins[row])))
    return found


def _several(probabilities: NDArray[np.float64], targets: NDArray[np.bool_], classes: tuple[str, ...]) -> list[_Found]:
    """Of several labels each is judged by itself; an image is as suspicious as its most suspicious label."""
    wrong = np.zeros(targets.shape, np.bool_)
    ahead = np.where(targets, 1 - 2 * probabilities, 2 * probabilities - 1)
    for k in range(len(classes)):
        of_label = np.stack([1 - probabilities[:, k], probabilities[:, k]], axis=1)
        claims = confident_issues(of_label, targets[:, k].astype(np.int64)) & (ahead[:, k] > 0)
        wrong[:, k] = claims | (ahead[:, k] >= FAR_AHEAD)
    found: list[_Found] = []
    for row in np.flatnonzero(wrong.any(axis=1)):
        said = tuple(classes[k] for k in np.flatnonzero(targets[row] ^ wrong[row]))
        worst = int(np.where(wrong[row], ahead[row], -1).argmax())
        probability = probabilities[row, worst]
        if targets[row, worst]:
            reason = f"does not look like {classes[worst]} ({probability:.0%})"
        else:
            reason = f"looks like {classes[worst]} too ({probability:.0%})"
        given = ", ".join(classes[k] for k in np.flatnonzero(targets[row])) or "none"
        found.append((int(row), (given, ", ".join(said) or "none", reason), said, float(ahead[row, worst])))
    return found
