"""Classifiers of scikit-learn, with parameters that are fixed: chosen once, on other images than those of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from beholder.model.runtime import available_cores

SVM_IMAGES: Final = 10_000
"""Most images that a support vector machine is fitted on: its time grows with their square."""

_BAYES_PARTS: Final = 64
_SVM_PARTS: Final = 256


def _linear(images: int, width: int, seed: int) -> list[Any]:
    from sklearn.linear_model import LogisticRegression

    return [LogisticRegression(C=0.01, max_iter=200)]


def _bayes(images: int, width: int, seed: int) -> list[Any]:
    """On principal components: naive Bayes takes its values to be independent, and those are at least uncorrelated."""
    from sklearn.naive_bayes import GaussianNB

    return [_components(_BAYES_PARTS, images, width, seed), GaussianNB()]


def _svm(images: int, width: int, seed: int) -> list[Any]:
    """On principal components: as good, in a fraction of the time."""
    from sklearn.svm import SVC

    return [_components(_SVM_PARTS, images, width, seed), SVC(C=10)]


def _tree(images: int, width: int, seed: int) -> list[Any]:
    from sklearn.tree import DecisionTreeClassifier

    return [DecisionTreeClassifier(min_samples_leaf=5, random_state=seed)]


def _forest(images: int, width: int, seed: int) -> list[Any]:
    from sklearn.ensemble import RandomForestClassifier

    return [RandomForestClassifier(100, n_jobs=available_cores(), random_state=seed)]  # in threads


CLASSIFIERS: Final[Mapping[str, Callable[[int, int, int], list[Any]]]] = {
    "linear": _linear,
    "bayes": _bayes,
    "svm": _svm,
    "tree": _tree,
    "forest": _forest,
}
"""What a classifier is made of after scaling, by its name: for so many images, values and with this seed.

Logistic regression, Gaussian naive Bayes, a support vector machine with a radial kernel, a decision tree, and 100 of
those (random forest).
"""


def classifier(name: str, images: int, width: int, seed: int) -> Any:
    """A classifier that is not fitted yet, each value scaled to mean 0 and variance 1 before it.

    Args:
        name: one of `CLASSIFIERS`.
        images: how many it will be fitted on.
        width: how many values an image has.
        seed: of what is drawn at random.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), *CLASSIFIERS[name](images, width, seed))


def _components(most: int, images: int, width: int, seed: int) -> Any:
    from sklearn.decomposition import PCA

    return PCA(min(most, images, width), random_state=seed)
