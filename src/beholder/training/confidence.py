"""What a model's scores mean: calibration, thresholds, prediction sets, the unknown rule; from out-of-fold scores.

Nothing here sees the scores that a model gives to images it was fitted on: those are too good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from beholder.model.confidence import UNTUNED_THRESHOLD

Floats = NDArray[np.float64]

MINIMUM_FOR_CLASS_SETS: Final = 19
"""Images of a class from which on a 95% threshold of its own is possible: 1 in 20, with the image itself."""

FEWEST_FOR_SLOPE: Final = 5
"""Images that have a label, and that lack it, from which on it has a slope and a shift of its own."""

OF_INDICATORS: Final = (4.0, -2.0)
"""Usual gain and shift of scores that lie about 0 to 1, as those of a head that was fitted to indicators."""

OF_LOGITS: Final = (1.0, 0.0)
"""Those of scores that are logits already, as of a network."""

_GAINS: Final = (0.02, 1000.0)
"""Between which the inverse of a temperature lies."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """What turns a model's scores into probabilities, inside the graph.

    Attributes:
        gain: float32 `(k,)`: what each score is multiplied by; the inverse temperature, or each label's own slope.
        shift: float32 `(k,)`: what is then added; 0 where one label holds of an image.
        multi_label: whether each label has its own probability (sigmoid) or all share one (softmax).
    """

    gain: NDArray[np.float32]
    shift: NDArray[np.float32]
    multi_label: bool

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities `(n, k)` of scores `(n, k)`, as the graph computes them."""
        values = scores * self.gain + self.shift
        if self.multi_label:
            return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def log_losses(scores: Floats, truth: NDArray[np.int64], temperature: float) -> Floats:
    """Negative log likelihood `(n,)` of the true classes under softmax of `scores / temperature`."""
    values = scores / temperature
    values = values - values.max(axis=1, keepdims=True)
    losses: Floats = np.log(np.exp(values).sum(axis=1)) - values[np.arange(len(truth)), truth]
    return losses


def fit_confidence(
    scores: Floats, truth: NDArray[np.bool_], multi_label: bool, usual: tuple[float, float] = OF_INDICATORS
) -> Confidence:
    """From what a model scored without having seen it to what turns its scores into probabilities.

    Args:
        scores: out-of-fold `(n, k)`; there may be none.
        truth: `(n, k)`, whether each label holds.
        multi_label: whether several may.
        usual: gain and shift that are taken where there are no scores; the shift where several labels may hold.
    """
    width, (gain, shift) = truth.shape[1], usual
    if multi_label:
        slopes, shifts = fit_slopes(scores, truth) if len(scores) else (np.full(width, gain), np.full(width, shift))
        return Confidence(slopes.astype(np.float32), shifts.astype(np.float32), True)
    if len(scores):
        gain = 1 / fit_temperature(scores, truth.argmax(axis=1))
    return Confidence(np.full(width, gain, np.float32), np.zeros(width, np.float32), False)


def fit_temperature(scores: Floats, truth: NDArray[np.int64]) -> float:
    """The temperature with the least log loss.

    Args:
        scores: out-of-fold `(n, k)`.
        truth: true class of each image, `(n,)`.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. The loss is convex in the
    gain, the inverse of the temperature: by Newton's method, and by halving where a step would leave the bracket.
    """
    low, high = _GAINS
    of_truth = scores[np.arange(len(truth)), truth]
    gain = float(np.sqrt(low * high))
    for _ in range(60):
        values = gain * scores
        chances = np.exp(values - values.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        means = (chances * scores).sum(axis=1)
        slope = float((means - of_truth).mean())
        curvature = float(((chances * scores**2).sum(axis=1) - means**2).mean())
        low, high = (low, gain) if slope > 0 else (gain, high)
        step = gain - slope / curvature if curvature > 0 else 0.0
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - gain) <= 1e-9 * gain:
            break
        gain = following
    return 1 / gain


def fit_slopes(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """For each label of several, slope and shift that make `sigmoid(slope * score + shift)` its probability.

    A label that too few images have, or lack, gets those of all labels together.

    Args:
        scores: out-of-fold `(n, k)`.
        truth: `(n, k)`, whether each label holds.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with the targets drawn in as there, by
    Newton's method (Lin, Lin and Weng, Machine Learning 68, 2007).
    """
    pooled = _fit_slope(scores.ravel(), truth.ravel())
    slopes, shifts = np.full(scores.shape[1], pooled[0]), np.full(scores.shape[1], pooled[1])
    for label in range(scores.shape[1]):
        if min(truth[:, label].sum(), (~truth[:, label]).sum()) >= FEWEST_FOR_SLOPE:
            slopes[label], shifts[label] = _fit_slope(scores[:, label], truth[:, label])
    return slopes, shifts


def _fit_slope(scores: Floats, truth: NDArray[np.bool_]) -> tuple[float, float]:
    positives, negatives = int(truth.sum()), int((~truth).sum())
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    center, spread = float(scores.mean()), max(float(scores.std()), 1e-9)
    values = (scores - center) / spread
    parameters = np.array([1.0, np.log((positives + 1) / (negatives + 1))])
    design = np.stack([values, np.ones_like(values)])
    loss = _sigmoid_loss(design, targets, parameters)
    for _ in range(100):
        probabilities = 1 / (1 + np.exp(-(parameters @ design)))
        gradient = design @ (probabilities - targets)
        hessian = (design * (probabilities * (1 - probabilities))) @ design.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-8 and _sigmoid_loss(design, targets, parameters - size * step) > loss:
            size /= 2
        parameters = parameters - size * step
        loss = _sigmoid_loss(design, targets, parameters)
        if np.abs(size * step).max() < 1e-9:
            break
    slope = float(parameters[0]) / spread
    return slope, float(parameters[1]) - slope * center


def _sigmoid_loss(design: Floats, targets: Floats, parameters: Floats) -> float:
    values = parameters @ design
    return float((np.logaddexp(0, values) - targets * values).sum())


def tune_thresholds(
    probabilities: Floats, truth: NDArray[np.bool_], aim: Literal["f1", "precision", "recall"], value: float
) -> Floats:
    """For each label of several: the probability from which it is accepted.

    Args:
        probabilities: out-of-fold `(n, k)`.
        truth: `(n, k)`.
        aim: the best F1; the lowest threshold with the wanted precision; or the highest with the wanted recall.
        value: the precision or recall wanted.

    Returns:
        The thresholds `(k,)`; `UNTUNED_THRESHOLD` for a label that no image has, for which nothing can be tuned.
    """
    thresholds = np.full(probabilities.shape[1], UNTUNED_THRESHOLD)
    for label in np.flatnonzero(truth.any(axis=0)):
        order = np.argsort(-probabilities[:, label], kind="stable")
        sorted_values = probabilities[order, label]
        hits = np.cumsum(truth[order, label])
        ends = np.append(np.flatnonzero(np.diff(sorted_values)), len(sorted_values) - 1)  # equal values go together
        accepted, found = ends + 1, hits[ends]
        precision, recall = found / accepted, found / hits[-1]
        if aim == "f1":
            chosen = int(np.argmax(2 * found / (accepted + hits[-1])))
        elif aim == "precision":
            good = np.flatnonzero(precision >= value)
            chosen = int(good[-1]) if len(good) else int(np.argmax(precision))
        else:
            chosen = int(np.flatnonzero(recall >= min(value, recall[-1]))[0])
        below = sorted_values[ends[chosen] + 1] if ends[chosen] + 1 < len(sorted_values) else 0.0
        thresholds[label] = (sorted_values[ends[chosen]] + below) / 2
    return thresholds


def set_threshold(true_probabilities: Floats, coverage: float) -> float:
    """The probability from which a label belongs to the prediction set, so that the set holds the truth so often.

    Args:
        true_probabilities: out-of-fold probability of the true class of each image, `(n,)`.
        coverage: the share of images whose set must hold the truth.

    Returns:
        The `floor((1 - coverage) * (n + 1))`-th smallest; 0, which takes every label, where there are too few images.

    Source: Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers With Bounded Error Levels", JASA 114,
    2019.
    """
    rank = int(np.floor((1 - coverage) * (len(true_probabilities) + 1) + 1e-9))
    return float(np.sort(true_probabilities)[rank - 1]) if rank >= 1 else 0.0


def unknown_thresholds(familiarity: Floats, evidence: Floats, budget: float) -> tuple[float, float]:
    """Thresholds under which an image is unknown, so that together they leave the budget of known images unanswered.

    Args:
        familiarity: of known images to prototypes made without them, `(n,)`.
        evidence: largest out-of-fold score of known images, `(n,)`.
        budget: share of known images that may go unanswered.

    Returns:
        The least familiarity and the least evidence of what is known: the same quantile of each, the largest that keeps
        the share of images under either within the budget.
    """
    allowed = int(np.floor(budget * len(familiarity)))
    ranks = np.minimum(np.argsort(np.argsort(familiarity)), np.argsort(np.argsort(evidence)))
    # the images under the q-th smallest of either are those whose smaller rank is under q
    quantile = int(np.sort(ranks)[allowed]) if allowed < len(ranks) else len(ranks) - 1
    return float(np.sort(familiarity)[quantile]), float(np.sort(evidence)[quantile])


def find_prototypes(embeddings: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Points of length 1 that stand for the embeddings: spherical k-means.

    Args:
        embeddings: float32 `(n, d)`.
        count: how many points, at most n.
        seed: of the first points, which are drawn far apart (k-means++).

    Source: Dhillon and Modha, "Concept Decompositions for Large Sparse Text Data Using Clustering", Machine Learning
    42, 2001.
    """
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    if len(units) <= count:
        return np.ascontiguousarray(units, np.float32)
    centers = _spread_out(units, count, np.random.default_rng(seed))
    for _ in range(20):
        nearest = (units @ centers.T).argmax(axis=1)
        sums = np.stack([units[nearest == center].sum(axis=0) for center in range(count)])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        moved = np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-12), centers).astype(np.float32)
        if np.allclose(moved, centers, atol=1e-6):
            break
        centers = moved
    return centers


def _spread_out(units: NDArray[np.float32], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    chosen = [int(random.integers(len(units)))]
    distance = 1 - units @ units[chosen[0]]
    for _ in range(count - 1):
        weights = np.maximum(distance, 0).astype(np.float64)
        total = weights.sum()
        chosen.append(int(random.choice(len(units), p=weights / total)) if total > 0 else len(chosen))
        distance = np.minimum(distance, 1 - units @ units[chosen[-1]])
    return units[chosen].copy()
