"""Calibration, risk against coverage, sets and strangers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholder.evaluation import answering, calibration


def test_calibration_error_by_hand():
    # Two bins: 0.5 and 0.7 with one of two right, 0.8 and 1.0 with both right.
    confidences, right = np.array([0.7, 1.0, 0.5, 0.8]), np.array([True, True, False, True])
    binned = calibration.equal_mass_bins(confidences, right, bins=2)
    assert binned.sizes.tolist() == [2, 2]
    assert binned.confidence.tolist() == pytest.approx([0.6, 0.9])
    assert binned.right.tolist() == [0.5, 1]
    assert calibration.calibration_error(confidences, right, bins=2) == pytest.approx((0.1 + 0.1) / 2)


def test_equal_confidences_share_a_bin():
    confidences = np.array([0.2, *[1.0] * 30])
    binned = calibration.equal_mass_bins(confidences, np.ones(31, bool))
    assert set(binned.of[1:]) == {binned.of[1]}
    assert calibration.calibration_error(confidences, np.ones(31, bool)) == pytest.approx(0.8 / 31)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(16, 200))
def test_bins_as_in_scikit_learn(seed, count):
    reference = pytest.importorskip("sklearn.calibration")
    random = np.random.default_rng(seed)
    confidences = random.random(count)
    right = random.random(count) < confidences
    binned = calibration.equal_mass_bins(confidences, right)
    share, mean = reference.calibration_curve(right, confidences, n_bins=calibration.BINS, strategy="quantile")
    np.testing.assert_allclose(binned.right, share)
    np.testing.assert_allclose(binned.confidence, mean)
    assert binned.error == pytest.approx(np.abs(share - mean) @ binned.sizes / count)


def test_a_perfectly_calibrated_model_shows_an_error_too():
    random = np.random.default_rng(3)
    confidences = random.beta(8, 1, 372)
    errors = []
    for _ in range(200):
        right = random.random(372) < confidences
        errors.append(calibration.calibration_error(confidences, right))
    binned = calibration.equal_mass_bins(confidences, right)
    perfect = calibration.perfect_calibration(confidences, binned, seed=0)
    assert perfect.mean_error == pytest.approx(np.mean(errors), rel=0.05)
    assert perfect.high_error == pytest.approx(np.percentile(errors, 95), rel=0.1)
    inside = (binned.right >= perfect.low_right) & (binned.right <= perfect.high_right)
    assert inside.sum() >= len(inside) - 3


@pytest.mark.parametrize("gap", [0.0, 0.03, 0.1])
def test_the_interval_of_the_calibration_error_holds_the_truth(gap):
    random = np.random.default_rng(5)

    def truly_right(confidences):
        return np.clip(confidences - gap * (confidences - 0.3), 0, 1)

    many = random.beta(8, 1, 100_000)
    bins = calibration.equal_mass_bins(many, np.zeros(len(many), bool))
    reality = np.bincount(bins.of, truly_right(many)) / bins.sizes
    error = float((bins.sizes * np.abs(reality - bins.confidence)).sum() / len(many))
    held = 0
    for seed in range(40):
        confidences = random.beta(8, 1, 120)
        right = random.random(120) < truly_right(confidences)
        binned = calibration.equal_mass_bins(confidences, right)
        perfect = calibration.perfect_calibration(confidences, binned, seed=seed)
        low, high = calibration.calibration_error_interval(
            confidences, right, binned, np.arange(120), perfect, seed=seed
        )
        held += low <= error <= high
    assert held >= 35


def test_risk_coverage_by_hand():
    curve = answering.risk_coverage(np.array([0.9, 0.5, 0.9, 0.7]), np.array([True, False, False, True]))
    assert curve.confidence.tolist() == [0.9, 0.7, 0.5]
    assert curve.answered.tolist() == [2, 3, 4]
    assert curve.wrong.tolist() == [1, 1, 2]


def test_area_under_risk_by_hand():
    right = np.array([True, True, False, True])
    area = answering.area_under_risk(np.array([0.9, 0.8, 0.7, 0.6]), right)(np.ones((1, 4)))[0]
    assert area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


def test_among_equal_confidences_the_order_is_left_open():
    right = np.array([True, False, True, False])
    area = answering.area_under_risk(np.full(4, 0.5), right)(np.ones((1, 4)))[0]
    assert area == pytest.approx(0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_area_under_risk_as_its_definition(seed, count):
    random = np.random.default_rng(seed)
    confidences, right = random.random(count), random.random(count) < 0.7
    wrong = ~right[np.argsort(-confidences)]
    risks = [wrong[: answered + 1].mean() for answered in range(count)]
    found = answering.area_under_risk(confidences, right)(np.ones((2, count)))
    assert found.tolist() == pytest.approx([np.mean(risks)] * 2)


def test_area_under_risk_of_a_resample():
    """An image drawn twice counts twice; within the two copies the risk is taken at their middle."""
    confidences, right = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    found = answering.area_under_risk(confidences, right)(np.array([[1.0, 2.0, 1.0]]))[0]
    exact = np.mean([0, 1 / 2, 2 / 3, 2 / 4])
    assert found == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(("error", "count"), [(0.02, 100), (0.3, 60)])
def test_the_interval_of_the_area_holds_the_truth(error, count):
    random = np.random.default_rng(6)

    def draw(size):
        confidences = random.beta(8, 1, size)
        return confidences, random.random(size) > error * (1 - confidences) * 9

    confidences, right = draw(100_000)
    area = float(answering.area_under_risk(confidences, right)(np.ones((1, 100_000)))[0])
    intervals = [answering.area_under_risk_interval(*draw(count), seed=seed) for seed in range(40)]
    assert sum(low <= area <= high for low, high in intervals) >= 35


def test_prediction_sets_by_hand():
    sets = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
    assert answering.covered(sets, np.array([1, 0, 2])).tolist() == [True, False, True]
    assert answering.set_sizes(sets).tolist() == [2, 0, 1]


def test_sets_of_one_size_leave_a_doubt():
    low, high = answering.set_size_interval(np.ones(20, np.int64), 3, seed=0)
    assert low < 1 < high < 1.2


def test_auroc_by_hand():
    assert answering.auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx((2 + 1.5) / 4)
    assert answering.auroc(np.array([2.0]), np.array([1.0, 0.0])) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30))
def test_auroc_as_in_scikit_learn(seed, positives, negatives):
    reference = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    known, strange = random.integers(0, 8, positives) / 8 + 0.25, random.integers(0, 8, negatives) / 8
    wanted = reference.roc_auc_score([1] * positives + [0] * negatives, [*known, *strange])
    assert answering.auroc(known, strange) == pytest.approx(wanted)
