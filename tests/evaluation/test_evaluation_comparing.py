"""Two models on the same images."""

import json
import math

import numpy as np
import pytest
from evaluated import DATASET, one_label, several_labels
from hypothesis import given
from hypothesis import strategies as st

from beholder.errors import UsageError
from beholder.evaluation import Predictions, compare_predictions
from beholder.evaluation.comparing import mcnemar_p, paired_interval

MODELS = ("old.onnx", "new.onnx")


def said(right, classes=("cat", "dog")):
    """Predictions of cats, right or wrong as told."""
    said = np.where(right, 0, 1)
    sources = tuple(f"{index}.jpg" for index in range(len(said)))
    return Predictions(
        classes=classes, sources=sources, probabilities=np.eye(2)[said], truth=np.zeros(len(said), np.int64)
    )


def compared(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return compare_predictions(said(np.array(first)), said(np.array(second)), models=MODELS, dataset=DATASET)


def test_mcnemar_by_hand():
    assert mcnemar_p(0, 0) == 1
    assert mcnemar_p(5, 0) == pytest.approx(2 / 32)
    assert mcnemar_p(1, 5) == pytest.approx(2 * 7 / 64)
    assert mcnemar_p(3, 3) == 1
    assert 0 < mcnemar_p(5200, 4800) < 1e-4


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_as_the_binomial_test_of_scipy(only_first, only_second):
    stats = pytest.importorskip("scipy.stats")
    if only_first + only_second == 0:
        return
    wanted = stats.binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert mcnemar_p(only_first, only_second) == pytest.approx(wanted)


def test_a_model_that_is_better():
    found = compared(both=80, only_first=2, only_second=14, neither=4)
    assert found.verdict == "better"
    assert (found.only_first_right, found.only_second_right) == (2, 14)
    assert (found.first.value, found.second.value) == (0.82, 0.94)
    assert found.difference.value == pytest.approx(0.12)
    assert found.difference.low > 0
    assert found.p == pytest.approx(mcnemar_p(2, 14), abs=1e-6)
    assert found.more_images is None


def test_the_other_way_round_it_is_worse():
    assert compared(both=80, only_first=14, only_second=2, neither=4).verdict == "worse"


def test_where_it_cannot_be_told_so_many_more_images_would_tell():
    found = compared(both=80, only_first=5, only_second=11, neither=4)
    assert found.verdict == "cannot tell"
    assert found.difference.low <= 0 <= found.difference.high
    assert found.more_images > 0
    times = 1 + found.more_images / 100
    enough = compared(*(round(part * times) for part in (80, 5, 11, 4)))
    assert enough.verdict == "better"


def test_without_a_difference_no_number_of_images_is_promised():
    assert compared(both=90, only_first=3, only_second=3, neither=4).more_images is None
    assert compared(both=100, only_first=0, only_second=0, neither=0).verdict == "cannot tell"


@given(st.integers(0, 60), st.integers(0, 25), st.integers(0, 25), st.integers(0, 20))
def test_verdict_interval_and_test_agree(both, only_first, only_second, neither):
    if both + only_first + only_second + neither == 0:
        return
    found = compared(both, only_first, only_second, neither)
    assert found.difference.low <= found.difference.value <= found.difference.high
    told = {"better": found.difference.low > 0, "worse": found.difference.high < 0}
    assert told.get(found.verdict, found.difference.low <= 0 <= found.difference.high)
    assert found.verdict == "cannot tell" or found.p < 0.05


def test_the_paired_interval_holds_the_truth():
    random, held = np.random.default_rng(4), 0
    for _ in range(300):
        _, only_first, only_second, _ = random.multinomial(60, (0.7, 0.05, 0.15, 0.1))
        low, high = paired_interval(only_first, only_second, 60)
        held += low <= 0.1 <= high
    assert held >= 276


@pytest.mark.parametrize("metric", ["map", "macro_f1", "micro_f1"])
def test_several_labels_by_resamples(metric):
    good, poor = several_labels(count=120, skill=5.0), several_labels(count=120, skill=2.0)
    assert np.array_equal(good.truth, poor.truth)
    found = compare_predictions(poor, good, models=MODELS, dataset=DATASET, metric=metric)
    assert found.metric == metric
    assert found.verdict == "better"
    assert found.p < 0.01
    assert found.difference.value == pytest.approx(found.second.value - found.first.value, abs=2e-6)
    assert (found.only_first_right, found.more_images) == (None, None)
    same = compare_predictions(good, good, models=MODELS, dataset=DATASET, metric=metric)
    assert (same.verdict, same.p, same.difference.value) == ("cannot tell", 1, 0)


def test_several_labels_where_it_cannot_be_told():
    first, second = several_labels(count=40, seed=1), several_labels(count=40, seed=1, skill=3.2)
    found = compare_predictions(first, second, models=MODELS, dataset=DATASET)
    assert found.metric == "map"
    assert found.verdict == "cannot tell"
    assert found.more_images > 0
    deviations = abs(found.difference.value) / (found.difference.half_width / 1.96)
    assert found.p == pytest.approx(math.erfc(deviations / math.sqrt(2)), rel=0.35)  # were it normal


def test_to_json():
    values = json.loads(json.dumps(compared(80, 5, 11, 4).to_dict(), allow_nan=False))
    assert list(values)[:3] == ["schema", "models", "dataset"]
    assert (values["schema"], values["models"], values["verdict"]) == (1, list(MODELS), "cannot tell")
    assert set(values["difference"]) == {"value", "low", "high", "count"}


def test_classes_may_stand_in_another_order():
    first = said(np.array([True, False, True]))
    second = Predictions(
        classes=("dog", "cat"), sources=first.sources, probabilities=np.eye(2)[[1, 1, 1]], truth=np.ones(3, np.int64)
    )
    found = compare_predictions(first, second, models=MODELS, dataset=DATASET)
    assert (found.only_first_right, found.only_second_right) == (0, 1)


def test_what_cannot_be_compared_is_refused():
    cats = said(np.array([True, False]))
    dogs = said(np.array([True, False]), classes=("dog", "cat"))
    others = Predictions(classes=cats.classes, sources=("x", "y"), probabilities=cats.probabilities, truth=cats.truth)
    empty = said(np.zeros(0, bool))
    several = several_labels(count=2)
    for first, second, reason in (
        (cats, others, "the same images"),
        (cats, dogs, "the truth of each image"),
        (empty, empty, "at least one image"),
    ):
        with pytest.raises(UsageError, match=reason):
            compare_predictions(first, second, models=MODELS, dataset=DATASET)
    with pytest.raises(UsageError, match="must be top1"):
        compare_predictions(cats, cats, models=MODELS, dataset=DATASET, metric="map")
    with pytest.raises(UsageError, match="map, macro_f1 or micro_f1"):
        compare_predictions(several, several, models=MODELS, dataset=DATASET, metric="top1")
    with pytest.raises(UsageError, match="the same classes"):
        other = several_labels(classes=("a", "b", "c"), count=2)
        compare_predictions(several, other, models=MODELS, dataset=DATASET)
    nothing = several_labels(count=2, truth=np.zeros((2, 3), bool), accepted=np.zeros((2, 3), bool))
    with pytest.raises(UsageError, match="cannot be measured"):
        compare_predictions(nothing, nothing, models=MODELS, dataset=DATASET)


def test_made_up_models_of_equal_skill_are_not_told_apart():
    first, second = one_label(each=30), one_label(each=30, seed=1)
    assert compare_predictions(first, second, models=MODELS, dataset=DATASET).verdict == "cannot tell"
