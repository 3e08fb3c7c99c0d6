"""A linear head on pooled features, fitted in closed form, with out-of-fold scores for everything that must be honest.

Ridge regression on class indicators (Hoerl and Kennard, Technometrics 12, 1970; as a classifier: Rifkin et al., 2003).
Scores for images left out fold by fold follow from the hat matrix without refitting: with residuals `e = (I - H) y`,
those of a fold `F` left out together are `(I - H_FF)^-1 e_F` (Cook and Weisberg, "Residuals and Influence in
Regression", 1982, section 2.2). So regularization, the choice of layers and calibration cost one eigendecomposition for
each view of the layers.

A view weighs the layers: the last alone, all alike, or less the farther from the last. Each view has its best penalty,
and the head is the mean of the views' heads, weighted by how well each does on images left out: what is linear stays
linear when it is averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beholder.training.ridge import Ridge, View

Floats = NDArray[np.float64]

PENALTIES: Final = tuple(10.0**exponent for exponent in np.arange(-4.0, 1.51, 0.5))
"""Candidates for the ridge penalty, as multiples of the mean eigenvalue of the Gram matrix."""

UNCOMPARED_PENALTY: Final = 1.0
"""The penalty where there are too few images to compare any; what cross-validation chooses most often."""

MAX_DUAL: Final = 2000
"""Most images for which penalties are compared in the dual; of more, so many are drawn for the comparison."""

SHARPNESS: Final = 12.0
"""How fast a view's share falls with its loss: by this power of their ratio, so that it is the same for one label and
for several, of which the loss is a mean. Around it heads differ little (benchmarks/README.md)."""

LEAST_SHARE: Final = 0.01
"""A view with a smaller share of the whole is left out."""

_LEAST_LOSS: Final = 1e-3
"""Losses below it are all the same: where every image is right, nothing can be compared."""


Loss = Callable[[Floats, NDArray[np.int64]], Floats]
"""From scores `(m, k)` and the rows of the images they stand for to a loss for each, lower is better."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """How one layer's values are brought to a common scale: `(x - mean) * gain`.

    Each value gets unit variance over the training images, and each layer the same weight whatever its width.

    Attributes:
        mean: float32 `(d,)`.
        gain: float32 `(d,)`.
    """

    mean: NDArray[np.float32]
    gain: NDArray[np.float32]

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale `(n, d)` values."""
        scaled: NDArray[np.float32] = (values - self.mean) * self.gain
        return scaled


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted head.

    Attributes:
        layers: the layers it looks at, in the order of the rows of `weights`.
        scalings: how each of them is scaled.
        shares: of each view that was compared, its share in the head; 0 where it was left out.
        penalties: of each of them, the ridge penalty as a multiple of the mean eigenvalue.
        weights: float32 `(d, k)`, for the scaled layers side by side.
        bias: float32 `(k,)`.
        out_of_fold: float32 `(n, k)`, each image scored by a head that has not seen its fold; NaN where there is none.
    """

    layers: tuple[str, ...]
    scalings: Mapping[str, Scaling]
    shares: tuple[float, ...]
    penalties: tuple[float, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    out_of_fold: NDArray[np.float32]

    @property
    def calibrating(self) -> NDArray[np.bool_]:
        """Which of the fitted images have out-of-fold scores, bool `(n,)`."""
        return ~np.isnan(self.out_of_fold[:, 0])

    def scores(self, features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Scores `(n, k)` of images by their features."""
        columns = [self.scalings[layer].apply(features[layer]) for layer in self.layers]
        scored: NDArray[np.float32] = np.concatenate(columns, axis=1) @ self.weights + self.bias
        return scored


def scaling_of(values: NDArray[np.float32]) -> Scaling:
    """The scaling that one layer's values over the training images ask for."""
    mean = values.mean(axis=0, dtype=np.float64)
    deviation = values.std(axis=0, dtype=np.float64)
    floor = 1e-3 * max(float(deviation.mean()), 1e-6)
    gain = 1.0 / (np.maximum(deviation, floor) * np.sqrt(values.shape[1]))
    return Scaling(mean.astype(np.float32), gain.astype(np.float32))


def fit_head(
    features: Mapping[str, NDArray[np.float32]],
    targets: Floats,
    image_weights: Floats,
    folds: NDArray[np.int64],
    views: Sequence[View],
    loss: Loss,
    seed: int,
) -> Fit:
    """Find each view's penalty and share by the loss of out-of-fold scores, then fit on all images.

    Args:
        features: for each layer, float32 `(n, d)`.
        targets: `(n, k)`, 1 where a label holds and 0 elsewhere.
        image_weights: `(n,)`, how much each image counts.
        folds: `(n,)`, the fold of each image; -1 for one that is never left out, because its class would be lost.
        views: at least one.
        loss: from scores and the rows they stand for to a number for each row, lower is better.
        seed: of the draw of images, where there are too many to compare penalties on all.
    """
    scalings = {layer: scaling_of(values) for layer, values in features.items()}
    scaled = {layer: scalings[layer].apply(values) for layer, values in features.items()}
    rows = _comparison_rows(len(targets), seed)
    compared = _compare(scaled, targets[rows], image_weights[rows], folds[rows], views, loss, rows)
    shares = _shares(compared)
    used = [(choice, share) for choice, share in zip(compared, shares, strict=True) if share > 0]
    layers = tuple(layer for layer in features if any(layer in choice.view for choice, _ in used))
    problem = Ridge({layer: scaled[layer] for layer in layers}, targets, image_weights)
    parts = [(choice.view, choice.penalty, share) for choice, share in used]
    duals = [(choice.view, share, choice.duals) for choice, share in used if choice.duals is not None]
    weights, bias = problem.of_duals(duals) if duals and len(rows) == len(targets) else problem.blend(parts)
    out_of_fold = sum((share * choice.scores for choice, share in used), np.zeros_like(targets[rows]))
    if len(rows) < len(targets):
        out_of_fold = problem.left_out(parts, folds)
    return Fit(
        layers,
        {layer: scalings[layer] for layer in layers},
        shares,
        tuple(choice.penalty for choice in compared),
        weights.astype(np.float32),
        bias.astype(np.float32),
        out_of_fold.astype(np.float32),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    view: View
    penalty: float
    scores: Floats
    losses: Floats
    duals: Floats | None = None


def _comparison_rows(count: int, seed: int) -> NDArray[np.int64]:
    if count <= MAX_DUAL:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MAX_DUAL, replace=False))


def _compare(
    scaled: Mapping[str, NDArray[np.float32]],
    targets: Floats,
    image_weights: Floats,
    folds: NDArray[np.int64],
    views: Sequence[View],
    loss: Loss,
    rows: NDArray[np.int64],
) -> list[_Choice]:
    """The best penalty of each view."""
    grams: dict[str, Floats] = {}
    for layer in {layer for view in views for layer in view}:
        values = scaled[layer][rows]
        grams[layer] = (values @ values.T).astype(np.float64)
    return [
        _best_penalty(
            view,
            _summed(grams, view),
            targets,
            image_weights,
            folds,
            loss,
            rows,
        )
        for view in views
    ]


def _summed(grams: Mapping[str, Floats], view: View) -> Floats:
    """The inner products of the images in a view."""
    total = np.zeros_like(next(iter(grams.values())))
    for layer, weight in view.items():
        total += grams[layer] if weight == 1 else weight * grams[layer]
    return total


def _shares(compared: Sequence[_Choice]) -> tuple[float, ...]:
    """Each view's share in the head, by its loss; all to the first where nothing could be left out."""
    losses = np.array([float(choice.losses.mean()) for choice in compared])
    if np.isnan(losses).any():
        return (1.0, *(0.0 for _ in compared[1:]))
    shares = ((losses.min() + _LEAST_LOSS) / (losses + _LEAST_LOSS)) ** SHARPNESS
    shares[shares < LEAST_SHARE * shares.sum()] = 0
    return tuple(float(share) for share in shares / shares.sum())


def _best_penalty(
    view: View,
    gram: Floats,
    targets: Floats,
    image_weights: Floats,
    folds: NDArray[np.int64],
    loss: Loss,
    rows: NDArray[np.int64],
) -> _Choice:
    """Compare the penalties on one view of the layers: every second one first, then the neighbors of the best."""
    if (folds < 0).all():  # nothing can be left out, so nothing can be compared
        return _Choice(view, UNCOMPARED_PENALTY, np.full_like(targets, np.nan), np.full(1, np.nan))
    spectrum = _Spectrum(gram, targets, image_weights)

    def tried(penalty: float) -> _Choice:
        scores = spectrum.left_out(penalty, folds)
        return _Choice(view, penalty, scores, loss(scores[folds >= 0], rows[folds >= 0]))

    best = min((tried(penalty) for penalty in PENALTIES[1::2]), key=lambda choice: float(choice.losses.mean()))
    place = PENALTIES.index(best.penalty)
    neighbors = [tried(penalty) for penalty in (*PENALTIES[place - 1 : place], *PENALTIES[place + 1 : place + 2])]
    best = min((best, *neighbors), key=lambda choice: float(choice.losses.mean()))
    return replace(best, duals=spectrum.duals(best.penalty))


class _Spectrum:
    """One eigendecomposition, from which the left-out scores for every penalty follow.

    Args:
        gram: inner products of the images in a view, `(n, n)`.
        targets: `(n, k)`.
        image_weights: `(n,)`.
    """

    def __init__(self, gram: Floats, targets: Floats, image_weights: Floats) -> None:
        self._targets = targets
        self._roots = np.sqrt(image_weights / image_weights.mean())
        share = self._roots**2 / (self._roots**2).sum()
        row_means = gram @ share
        centered = gram - row_means[:, None] - row_means[None, :] + share @ row_means
        weighted = centered * self._roots[:, None] * self._roots[None, :]
        # single precision is twice as fast, and its error far below the least penalty that pays
        values, self._vectors = np.linalg.eigh(weighted.astype(np.float32))
        self._values = np.maximum(values, 0.0).astype(np.float64)
        self._mean_value = max(float(self._values.mean()), 1e-12)
        self._response = (targets - share @ targets) * self._roots[:, None]
        self._projected = self._vectors.T @ self._response

    def duals(self, penalty: float) -> Floats:
        """What each image, centered and weighted, adds to the weights of the head on all images, `(n, k)`."""
        solved: Floats = self._vectors @ (self._projected / (self._values + penalty * self._mean_value)[:, None])
        return solved

    def left_out(self, penalty: float, folds: NDArray[np.int64]) -> Floats:
        """Scores `(n, k)` of each image by a head that was fitted without its fold; NaN where there is none."""
        shrink = self._values / (self._values + penalty * self._mean_value)
        fitted = self._vectors @ (shrink[:, None] * self._projected).astype(np.float32)
        residual = self._response - fitted.astype(np.float64)
        left_out = np.full_like(residual, np.nan)
        for fold in np.unique(folds[folds >= 0]):
            members = folds == fold
            part, roots = self._vectors[members], self._roots[members]
            hat = ((part * shrink.astype(np.float32)) @ part.T).astype(np.float64)
            hat += np.outer(roots, roots) / (self._roots**2).sum()
            left_out[members] = np.linalg.solve(np.eye(len(part)) - hat, residual[members])
        scores: Floats = self._targets - left_out / self._roots[:, None]
        return scores
