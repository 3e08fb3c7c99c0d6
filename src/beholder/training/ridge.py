"""Weighted ridge regression with an intercept, on several layers seen in several ways at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

View = Mapping[str, float]
"""The weight of each layer's inner products; layers that are not in it are not looked at."""

Part = tuple[View, float, float]
"""A view, its penalty as a multiple of the mean eigenvalue of the Gram matrix, and its share in the whole."""


class Ridge:
    """Weighted ridge regression with an intercept on several layers, solved for any view, whichever way is smaller.

    Args:
        scaled: for each layer, float32 `(n, d)`.
        targets: `(n, k)`.
        image_weights: `(n,)`.
    """

    def __init__(self, scaled: Mapping[str, NDArray[np.float32]], targets: Floats, image_weights: Floats) -> None:
        self._widths = {layer: values.shape[1] for layer, values in scaled.items()}
        self._values = np.concatenate(list(scaled.values()), axis=1)
        self._targets = targets
        self._weights = image_weights / image_weights.mean()

    def blend(self, parts: Sequence[Part]) -> tuple[Floats, Floats]:
        """The mean of the views' heads by their shares: weights `(d, k)` and bias `(k,)`."""
        count, width = self._values.shape
        if count > width:
            return self._blended(_Moments.of(self._values, self._targets, self._weights), parts)
        mean, target_mean, left, right = self._centered()
        weights = np.zeros((width, self._targets.shape[1]))
        for view, penalty, share in parts:
            seen = left * self._gains(view)
            gram = (seen @ seen.T).astype(np.float64)
            gram[np.diag_indices(count)] += penalty * np.trace(gram) / count
            weights += share * (seen * self._gains(view)).T @ np.linalg.solve(gram, right)
        return weights, target_mean - mean @ weights

    def of_duals(self, parts: Sequence[tuple[View, float, Floats]]) -> tuple[Floats, Floats]:
        """As `blend`, where it is known what each image adds to the weights in each view, `(n, k)`."""
        mean, target_mean, left, _ = self._centered()
        weights = np.zeros((left.shape[1], self._targets.shape[1]))
        start = 0
        for layer, width in self._widths.items():
            added = sum((share * view.get(layer, 0.0) * duals for view, share, duals in parts), np.zeros(()))
            weights[start : start + width] = left[:, start : start + width].T @ added.astype(np.float32)
            start += width
        return weights, target_mean - mean @ weights

    def _centered(self) -> tuple[Floats, Floats, NDArray[np.float32], Floats]:
        """The means of values and targets, and both about them, each image multiplied by the root of its weight."""
        share_of_each = self._weights / len(self._weights)
        mean, target_mean = share_of_each @ self._values, share_of_each @ self._targets
        roots = np.sqrt(self._weights)[:, None]
        left = ((self._values - mean.astype(np.float32)) * roots.astype(np.float32)).astype(np.float32)
        return mean, target_mean, left, (self._targets - target_mean) * roots

    def left_out(self, parts: Sequence[Part], folds: NDArray[np.int64]) -> Floats:
        """The scores `(n, k)` of each image by a head that was fitted without its fold; NaN where there is none."""
        scores = np.full(self._targets.shape, np.nan)
        moments = {
            int(fold): _Moments.of(
                self._values[folds == fold], self._targets[folds == fold], self._weights[folds == fold]
            )
            for fold in np.unique(folds)
        }
        for fold in moments:
            if fold < 0:
                continue
            others = [part for other, part in moments.items() if other != fold]
            weights, bias = self._blended(_Moments.together(others), parts)
            scores[folds == fold] = self._values[folds == fold] @ weights + bias
        return scores

    def _blended(self, moments: _Moments, parts: Sequence[Part]) -> tuple[Floats, Floats]:
        weights = np.zeros((self._values.shape[1], self._targets.shape[1]))
        for view, penalty, share in parts:
            gains = self._gains(view).astype(np.float64)
            seen = gains > 0
            own = gains[seen]
            system = moments.scatter[np.ix_(seen, seen)] * own[:, None] * own[None, :]
            system[np.diag_indices(len(own))] += penalty * np.trace(system) / moments.count
            weights[seen] += share * own[:, None] * np.linalg.solve(system, own[:, None] * moments.products[seen])
        return weights, moments.target_mean - moments.mean @ weights

    def _gains(self, view: View) -> NDArray[np.float32]:
        """What each value is multiplied by in a view, `(d,)`: the root of its layer's weight."""
        roots = [np.full(width, np.sqrt(view.get(layer, 0.0))) for layer, width in self._widths.items()]
        return np.concatenate(roots).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """What ridge regression needs of some images, in place of the images.

    Attributes:
        count: how many.
        weight: of all together.
        mean: `(d,)`.
        target_mean: `(k,)`.
        scatter: `(d, d)`, weighted, about the mean.
        products: `(d, k)`, of values and targets about their means.
    """

    count: int
    weight: float
    mean: Floats
    target_mean: Floats
    scatter: Floats
    products: Floats

    @classmethod
    def of(cls, values: NDArray[np.float32], targets: Floats, weights: Floats) -> Self:
        total = float(weights.sum())
        mean, target_mean = (weights / total) @ values, (weights / total) @ targets
        left = (values - mean.astype(np.float32)) * np.sqrt(weights).astype(np.float32)[:, None]
        right = (targets - target_mean) * np.sqrt(weights)[:, None]
        scatter = (left.T @ left).astype(np.float64)
        return cls(len(values), total, mean, target_mean, scatter, left.T.astype(np.float64) @ right)

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Of the images of several parts (Chan, Golub and LeVeque, The American Statistician 37, 1983)."""
        count, weight = sum(part.count for part in parts), sum(part.weight for part in parts)
        mean = np.sum([part.weight * part.mean for part in parts], axis=0) / weight
        target_mean = np.sum([part.weight * part.target_mean for part in parts], axis=0) / weight
        scatter, products = np.zeros_like(parts[0].scatter), np.zeros_like(parts[0].products)
        for part in parts:
            away, target_away = part.mean - mean, part.target_mean - target_mean
            scatter += part.scatter + part.weight * np.outer(away, away)
            products += part.products + part.weight * np.outer(away, target_away)
        return cls(count, weight, mean, target_mean, scatter, products)
