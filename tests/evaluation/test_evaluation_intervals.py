"""Intervals: known values, and that they hold the truth as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholder.evaluation import NOT_MEASURED, Estimate, metrics, more_needed, proportion
from beholder.evaluation.answering import auroc
from beholder.evaluation.intervals import (
    auroc_interval,
    estimate,
    f1_interval,
    mean_interval,
    wider,
    wilson,
)
from beholder.evaluation.measuring_labels import measure_labels
from beholder.evaluation.predictions import Predictions
from beholder.evaluation.resampling import bootstrap, group_sums, percentile_interval, resampled, weighted_mean
from beholder.records import RecordError


def test_wilson_by_hand():
    """Values of E. B. Wilson's formula as tabulated by R. G. Newcombe, Statistics in Medicine 1998, table I."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(29, 29) == pytest.approx((0.8830, 1), abs=1e-4)


@given(st.integers(1, 3000), st.data())
def test_wilson_as_in_scipy(count, data):
    stats = pytest.importorskip("scipy.stats")
    right = data.draw(st.integers(0, count))
    wanted = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right, count) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_proportion_lies_in_its_interval(right, wrong):
    found = proportion(right, right + wrong)
    if right + wrong == 0:
        assert found == NOT_MEASURED
    else:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high


def test_a_number_has_six_decimals_and_its_interval_contains_it():
    assert estimate(1 / 3, (0.4, 0.5), 7) == Estimate(0.333333, 0.333333, 0.5, 7)
    assert estimate(None, (0.1, 0.2), 7) == Estimate(None, None, None, 7)
    assert estimate(0.5, (0.1, 0.9), 0) == NOT_MEASURED
    assert math.copysign(1, estimate(-0.0, (-0.0, 0.0), 3).low) == 1


@pytest.mark.parametrize("values", [(0.5, 0.6, 0.7, 3), (0.5, None, None, 3), (None, 0.1, 0.2, 3), (0.5, 0.4, 0.6, -1)])
def test_an_estimate_that_contradicts_itself_is_refused(values):
    with pytest.raises(RecordError):
        Estimate(*values)


def test_estimates_say_what_they_are():
    assert str(Estimate(0.94, 0.91, 0.96, 1372)) == "0.940 (0.910 to 0.960, 1,372)"
    assert str(NOT_MEASURED) == "not measured"
    assert NOT_MEASURED.half_width is None


def test_more_needed_by_hand():
    assert more_needed(Estimate(0.5, 0.4, 0.6, 100)) == 300
    assert more_needed(Estimate(0.5, 0.4, 0.6, 100), half_width=0.1) == 0
    assert more_needed(Estimate(0.9, 0.89, 0.91, 100)) == 0
    assert more_needed(NOT_MEASURED) is None


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_as_many_more_images_do_bring_the_interval_down(share):
    few = proportion(round(40 * share), 40)
    count = 40 + more_needed(few)
    assert proportion(round(count * share), count).half_width == pytest.approx(0.05, rel=0.25)


def test_f1_interval_by_hand():
    low, high = wilson(6, 10)
    assert f1_interval(6, 3, 1) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert f1_interval(0, 0, 0) is None


def test_mean_interval_by_hand():
    assert mean_interval([0.5, 0.7], [(0.4, 0.7), (0.7, 0.7)]) == pytest.approx((0.55, 0.7))
    assert mean_interval([], []) is None


def test_wider_holds_all():
    assert wider((0.2, 0.4), None, (0.3, 0.6)) == (0.2, 0.6)
    assert wider(None) is None


def test_auroc_interval_stays_open_where_all_is_apart():
    low, high = auroc_interval(1.0, 30, 20)
    assert 0.8 < low < 0.95
    assert high == 1
    assert auroc_interval(0.0, 30, 20) == pytest.approx((0, 1 - low))


def test_bootstrap_is_that_of_its_seed():
    values = np.random.default_rng(0).random(50)
    first, again, other = (bootstrap(weighted_mean(values), 50, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first == pytest.approx(other, abs=0.02)
    assert first[0] < values.mean() < first[1]


def test_resamples_within_strata_keep_their_sizes():
    strata = np.array([0, 1, 1, 0, 2, 1])
    sizes = resampled(lambda weights: group_sums(strata, 4)(weights).ravel(), 6, seed=0, strata=strata)
    assert np.array_equal(sizes.reshape(-1, 4), np.tile([2, 3, 1, 0], (1000, 1)))


def test_resamples_draw_as_many_images_as_there_are():
    assert (resampled(lambda weights: weights.sum(axis=1), 37, seed=0) == 37).all()


def test_a_statistic_that_is_mostly_undefined_has_no_interval():
    assert percentile_interval(np.array([np.nan, np.nan, 0.5])) is None
    assert percentile_interval(np.array([])) is None
    assert percentile_interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert bootstrap(weighted_mean(np.zeros(0)), 0, seed=0) is None


def certain(truth, said, classes):
    """Predictions that are as sure as can be."""
    names, sources = tuple(map(str, range(classes))), tuple(map(str, range(len(truth))))
    return Predictions(classes=names, sources=sources, probabilities=np.eye(classes)[said], truth=truth)


@pytest.mark.parametrize(("sizes", "skill"), [([12, 12], 0.98), ([37] * 6, 0.9), ([100, 15, 15], 0.8), ([5] * 8, 0.85)])
def test_intervals_over_classes_hold_the_truth(sizes, skill):
    """A plain bootstrap holds it 39 times of 100 in the first case."""
    random = np.random.default_rng(11)
    classes, truth = len(sizes), np.repeat(np.arange(len(sizes)), sizes)
    chances = np.full((classes, classes), (1 - skill) / (classes - 1))
    np.fill_diagonal(chances, skill)
    shares = np.array(sizes) / len(truth)
    f1 = (2 * shares * skill / (shares + shares @ chances)).mean()
    held = {"balanced_accuracy": 0, "macro_f1": 0}
    for seed in range(60):
        said = (random.random(len(truth))[:, None] > chances[truth].cumsum(axis=1)).sum(axis=1)
        found = measure_labels(certain(truth, np.minimum(said, classes - 1), classes), seed=seed)
        for name, value in (("balanced_accuracy", skill), ("macro_f1", f1)):
            held[name] += found[name].low <= value <= found[name].high
    assert min(held.values()) >= 52


@pytest.mark.parametrize("skill", [2.0, 5.0])
def test_the_interval_of_mean_average_precision_holds_the_truth(skill):
    random = np.random.default_rng(12)

    def draw(count):
        truth = random.random((count, 4)) < 0.25
        return 1 / (1 + np.exp(-random.normal(size=truth.shape) - skill * truth)), truth

    value = float(metrics.mean_of_defined(metrics.average_precision(*draw(50_000))))
    held = 0
    for seed in range(40):
        probabilities, truth = draw(80)
        said = Predictions(
            classes=tuple("abcd"),
            sources=tuple(map(str, range(80))),
            probabilities=probabilities,
            truth=truth,
            accepted=probabilities > 0.5,
        )
        found = measure_labels(said, seed=seed)["map"]
        held += found.low <= value <= found.high
    assert held >= 36


@pytest.mark.parametrize("gap", [1.0, 3.0])
def test_the_interval_of_auroc_holds_the_truth(gap):
    random = np.random.default_rng(13)
    value, held = 0.5 * (1 + math.erf(gap / 2)), 0
    for _ in range(200):
        area = auroc(random.normal(size=60) + gap, random.normal(size=25))
        low, high = auroc_interval(area, 60, 25)
        held += low <= value <= high
    assert held >= 184
