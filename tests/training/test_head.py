"""The head against plain ridge regression, refitted fold by fold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from beholder.training.confidence import (
    OF_INDICATORS,
    OF_LOGITS,
    find_prototypes,
    fit_confidence,
    fit_slopes,
    fit_temperature,
    log_losses,
    set_threshold,
    tune_thresholds,
    unknown_thresholds,
)
from beholder.training.head import MAX_DUAL, fit_head
from beholder.training.ridge import Ridge


def squared(targets: NDArray[np.float64]):
    return lambda scores, rows: ((targets[rows] - scores) ** 2).sum(axis=1)


def problem(count: int, width: int, classes: int = 3, seed: int = 0):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, count)
    values = random.normal(size=(count, width)).astype(np.float32) + 5
    values[:, 0] += 2 * truth
    return values, np.eye(classes)[truth], truth, random


@pytest.mark.parametrize(("count", "width"), [(90, 30), (60, 150)])
def test_left_out_scores_are_those_of_heads_fitted_without_the_fold(count: int, width: int) -> None:
    values, targets, _, random = problem(count, width)
    weights, folds = random.uniform(0.5, 2, count), random.permutation(count) % 5
    fit = fit_head({"a": values}, targets, weights, folds, [{"a": 1.0}], squared(targets), 0)
    scaled = fit.scalings["a"].apply(values).astype(np.float64)
    share = weights / weights.sum()
    whole = (scaled - share @ scaled) * np.sqrt(weights / weights.mean())[:, None]
    ridge = fit.penalties[0] * (whole**2).sum() / count
    for fold in range(5):
        kept = folds != fold
        w = (weights / weights.mean())[kept]
        mean, target_mean = (w / w.sum()) @ scaled[kept], (w / w.sum()) @ targets[kept]
        left = (scaled[kept] - mean) * np.sqrt(w)[:, None]
        right = (targets[kept] - target_mean) * np.sqrt(w)[:, None]
        solution = np.linalg.solve(left.T @ left + ridge * np.eye(width), left.T @ right)
        expected = (scaled[~kept] - mean) @ solution + target_mean
        np.testing.assert_allclose(fit.out_of_fold[~kept], expected, atol=2e-4)


def test_a_class_that_one_image_holds_is_never_left_out() -> None:
    values, targets, _, random = problem(40, 10)
    folds = random.permutation(40) % 4
    folds[:5] = -1
    fit = fit_head({"a": values}, targets, np.ones(40), folds, [{"a": 1.0}], squared(targets), 0)
    assert np.isnan(fit.out_of_fold[:5]).all()
    assert np.isfinite(fit.out_of_fold[5:]).all()


def test_nothing_to_leave_out_is_fitted_all_the_same() -> None:
    values, targets, truth, _ = problem(6, 10)
    fit = fit_head({"a": values}, targets, np.ones(6), np.full(6, -1), [{"a": 1.0}], squared(targets), 0)
    assert (fit.scores({"a": values}).argmax(axis=1) == truth).mean() > 0.5


def test_a_layer_that_says_nothing_is_not_taken() -> None:
    values, targets, _, random = problem(200, 20)
    noise = random.normal(size=(200, 20)).astype(np.float32)
    folds = random.permutation(200) % 5
    features = {"good": values, "noise": noise}
    views = [{"good": 1.0}, {"noise": 1.0}]
    loss = squared(targets)
    fit = fit_head(features, targets, np.ones(200), folds, views, lambda scores, rows: loss(scores, rows) ** 3, 0)
    assert fit.layers == ("good",)
    assert fit.shares == (1.0, 0.0)


def test_views_that_do_equally_well_share_the_head() -> None:
    values, targets, _, random = problem(200, 20)
    folds = random.permutation(200) % 5
    features = {"a": values, "b": values.copy()}
    views = [{"a": 1.0}, {"b": 1.0}]
    fit = fit_head(features, targets, np.ones(200), folds, views, squared(targets), 0)
    alone = fit_head(features, targets, np.ones(200), folds, views[:1], squared(targets), 0)
    assert fit.shares == (0.5, 0.5)
    np.testing.assert_allclose(fit.scores(features), alone.scores(features), atol=1e-5)
    np.testing.assert_allclose(fit.out_of_fold, alone.out_of_fold, atol=1e-5)


@pytest.mark.parametrize("count", [300, 60])
def test_a_view_is_ridge_on_layers_multiplied_by_the_roots_of_its_weights(count: int) -> None:
    values, targets, _, random = problem(count, 40)
    weights = random.uniform(0.5, 2, count)
    scaled = {"a": values[:, :30], "b": values[:, 30:]}
    seen = np.concatenate([scaled["a"], scaled["b"] * 0.5], axis=1).astype(np.float64)
    w = weights / weights.mean()
    mean, target_mean = (w / w.sum()) @ seen, (w / w.sum()) @ targets
    left, right = (seen - mean) * np.sqrt(w)[:, None], (targets - target_mean) * np.sqrt(w)[:, None]
    system = left.T @ left + 0.3 * (left**2).sum() / count * np.eye(40)
    expected = (seen - mean) @ np.linalg.solve(system, left.T @ right) + target_mean
    found, bias = Ridge(scaled, targets, weights).blend([({"a": 1.0, "b": 0.25}, 0.3, 1.0)])
    np.testing.assert_allclose(values @ found + bias, expected, atol=2e-4)


@pytest.mark.parametrize("count", [300, 60])
def test_the_head_of_the_comparison_is_that_of_solving_again(count: int) -> None:
    values, targets, _, random = problem(count, 40)
    weights, folds = random.uniform(0.5, 2, count), random.permutation(count) % 5
    features = {"a": values[:, :30], "b": values[:, 30:]}
    views = [{"a": 1.0}, {"a": 1.0, "b": 0.25}]
    fit = fit_head(features, targets, weights, folds, views, squared(targets), 0)
    scaled = {layer: fit.scalings[layer].apply(part) for layer, part in features.items()}
    parts = list(zip(views, fit.penalties, fit.shares, strict=True))
    expected, bias = Ridge(scaled, targets, weights).blend(parts)
    np.testing.assert_allclose(fit.weights, expected, atol=2e-4)
    np.testing.assert_allclose(fit.bias, bias, atol=2e-4)


def test_more_images_than_can_be_compared_are_all_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.training.head.MAX_DUAL", 100)
    assert MAX_DUAL > 100
    values, targets, truth, random = problem(300, 20)
    folds = random.permutation(300) % 5
    weights = random.uniform(0.5, 2, 300)
    fit = fit_head({"a": values}, targets, weights, folds, [{"a": 1.0}], squared(targets), 0)
    assert (fit.out_of_fold.argmax(axis=1) == truth).mean() > 0.6
    for fold in range(5):
        kept, scaled = folds != fold, fit.scalings["a"].apply(values)
        part = Ridge({"a": scaled[kept]}, targets[kept], weights[kept])
        found, bias = part.blend([({"a": 1.0}, fit.penalties[0], 1.0)])
        np.testing.assert_allclose(fit.out_of_fold[~kept], scaled[~kept] @ found + bias, atol=2e-4)


def test_a_constant_value_does_no_harm() -> None:
    values, targets, _, random = problem(50, 5)
    values[:, 3] = 7
    fit = fit_head({"a": values}, targets, np.ones(50), random.permutation(50) % 5, [{"a": 1.0}], squared(targets), 0)
    assert np.isfinite(fit.weights).all()


def test_temperature_makes_scores_as_sure_as_they_are_right() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 4))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([random.choice(4, p=p) for p in chances])
    temperature = fit_temperature(logits * 3, truth)
    assert temperature == pytest.approx(3, rel=0.1)
    assert log_losses(logits * 3, truth, temperature).mean() <= log_losses(logits * 3, truth, 1.0).mean()


def test_slopes_recover_each_labels_own() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(size=(6000, 2))
    slopes, shifts = np.array([2.0, 0.5]), np.array([-1.0, 0.3])
    truth = random.random((6000, 2)) < 1 / (1 + np.exp(-(scores * slopes + shifts)))
    found_slopes, found_shifts = fit_slopes(scores, truth)
    np.testing.assert_allclose(found_slopes, slopes, atol=0.15)
    np.testing.assert_allclose(found_shifts, shifts, atol=0.1)


def test_slopes_of_labels_that_are_told_apart_perfectly_stay_finite() -> None:
    scores = np.array([[-1.0], [-0.5], [0.5], [1.0]])
    slopes, shifts = fit_slopes(scores, np.array([[False], [False], [True], [True]]))
    assert np.isfinite(slopes).all()
    assert np.isfinite(shifts).all()
    assert slopes[0] > 0


def test_thresholds_meet_their_aim() -> None:
    probabilities = np.array([[0.9], [0.8], [0.7], [0.6], [0.5], [0.4]])
    truth = np.array([[True], [True], [False], [True], [False], [False]])

    def accepted(aim: str, value: float) -> int:
        return int((probabilities >= tune_thresholds(probabilities, truth, aim, value)).sum())  # type: ignore[arg-type]

    assert accepted("precision", 1.0) == 2
    assert accepted("recall", 1.0) == 4
    assert accepted("recall", 0.6) == 2
    assert accepted("f1", 0) == 4


def test_prediction_sets_cover_as_often_as_they_promise() -> None:
    random = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        calibration, new = random.random(99), random.random(50)
        covered.append((new >= set_threshold(calibration, 0.9)).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)
    assert set_threshold(np.array([0.2, 0.4]), 0.9) == 0


@pytest.mark.parametrize("budget", [0.0, 0.05, 0.2])
def test_both_signs_of_a_stranger_share_one_budget(budget: float) -> None:
    random = np.random.default_rng(3)
    familiarity, evidence = random.random(500), random.random(500)
    least_familiar, least_evidence = unknown_thresholds(familiarity, evidence, budget)
    unanswered = ((familiarity < least_familiar) | (evidence < least_evidence)).mean()
    assert budget - 0.01 <= unanswered <= budget


def test_prototypes_stand_near_what_they_stand_for() -> None:
    random = np.random.default_rng(4)
    centers = random.normal(size=(5, 20))
    points = np.repeat(centers, 30, axis=0) + random.normal(size=(150, 20)) * 0.05
    prototypes = find_prototypes(points.astype(np.float32), 5, 0)
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert (units @ prototypes.T).max(axis=1).min() > 0.99
    np.testing.assert_allclose(np.linalg.norm(prototypes, axis=1), 1, atol=1e-5)
    assert len(find_prototypes(points[:3].astype(np.float32), 5, 0)) == 3


def test_a_label_that_no_left_out_image_has_is_not_accepted_everywhere() -> None:
    random = np.random.default_rng(5)
    scores = random.normal(size=(300, 3)) * 0.2
    truth = random.random((300, 3)) < 0.3
    scores += truth
    truth[:, 2] = False
    scores[:, 2] = -0.3 + random.normal(size=300) * 0.05
    slopes, shifts = fit_slopes(scores, truth)
    probabilities = 1 / (1 + np.exp(-(scores * slopes + shifts)))
    assert probabilities[:, 2].max() < 0.5
    for aim in ("f1", "precision", "recall"):
        thresholds = tune_thresholds(probabilities, truth, aim, 0.9)  # type: ignore[arg-type]
        assert thresholds[2] == 0.5
        assert (thresholds[:2] != 0.5).all()


@pytest.mark.parametrize("multi_label", [False, True])
def test_with_nothing_to_calibrate_on_scores_are_taken_for_what_they_are(multi_label: bool) -> None:
    """A logit of 2 is 88% sure, or 0.88 of two classes; an indicator of 1 is of a head that found its class."""
    nothing, truth = np.empty((0, 2)), np.empty((0, 2), np.bool_)
    logits = fit_confidence(nothing, truth, multi_label, OF_LOGITS)
    assert logits.probabilities(np.array([[2, 0]], np.float32))[0, 0] == pytest.approx(0.881, abs=1e-3)
    indicators = fit_confidence(nothing, truth, multi_label)
    assert np.array_equal(indicators.gain, fit_confidence(nothing, truth, multi_label, OF_INDICATORS).gain)
    expected = 1 / (1 + np.exp(-2)) if multi_label else 1 / (1 + np.exp(-4))
    assert indicators.probabilities(np.array([[1, 0]], np.float32))[0, 0] == pytest.approx(expected, abs=1e-3)
