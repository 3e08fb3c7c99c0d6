"""What a practitioner does by hand with scikit-learn: a scaler and a logistic regression on a backbone's embedding."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTHS = 10.0 ** np.arange(-4.0, 3.0)
"""Candidates for scikit-learn's `C`."""

ITERATIONS = 200


def fit_probe(values: NDArray[np.float32], truth: NDArray[np.int64]) -> Any:
    """A pipeline with `predict_proba`; its strength is chosen by five folds, or as many as the rarest class allows."""
    count = min(5, int(np.bincount(truth)[np.unique(truth)].min()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence where the penalty is tiny: such a C is not chosen
        if count < 2:
            return make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS)).fit(values, truth)
        folds = StratifiedKFold(count, shuffle=True, random_state=0)
        chosen = LogisticRegressionCV(
            Cs=STRENGTHS, cv=folds, max_iter=ITERATIONS, l1_ratios=(0,), use_legacy_attributes=True
        )
        return make_pipeline(StandardScaler(), chosen).fit(values, truth)


def left_out_probabilities(values: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each image by a probe that has not seen it, `(n, k)`: cleanlab's recipe, `cross_val_predict` of five folds."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cross_val_predict(probe, values, truth, cv=5, method="predict_proba")
    return np.asarray(found, np.float64)


def fit_one_against_rest(values: NDArray[np.float32], truth: NDArray[np.bool_]) -> Any:
    """From values to probabilities `(n, k)` of labels that do not exclude each other: a probe for each label."""
    probes = [fit_probe(values, truth[:, label].astype(np.int64)) for label in range(truth.shape[1])]
    return lambda seen: np.stack([probe.predict_proba(seen)[:, 1] for probe in probes], axis=1)
