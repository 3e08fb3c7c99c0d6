"""Metrics against hand-computed cases, and against scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from beholder.evaluation import metrics
from beholder.evaluation.metrics import Counts

# Of class 0 two are right and one is taken for 1, of class 1 both are right, of class 2 one is taken for 0.
TRUTH = np.array([0, 0, 0, 1, 1, 2])
SAID = np.array([0, 0, 1, 1, 1, 0])

LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], bool)
ACCEPTED = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], bool)
SCORES = np.array([[0.9, 0.1, 0.2], [0.6, 0.4, 0.3], [0.7, 0.8, 0.1], [0.2, 0.9, 0.0]])


def test_the_most_probable_class_is_the_first_of_equals():
    assert metrics.most_probable(np.array([[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])).tolist() == [0, 2]


def test_among_the_top_the_first_of_equals_come_first():
    probabilities = np.array([[0.4, 0.3, 0.3], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
    assert metrics.among_top(probabilities, np.array([1, 2, 1]), 2).tolist() == [True, False, False]
    assert metrics.among_top(probabilities, np.array([1, 2, 1]), 3).all()


def test_confusion_matrix_by_hand():
    assert metrics.confusion_matrix(TRUTH, SAID, 3).tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_counts_by_hand():
    counts = metrics.class_counts(TRUTH, SAID, 4)
    assert [counts.right.tolist(), counts.true.tolist(), counts.said.tolist()] == [
        [2, 2, 0, 0],
        [3, 2, 1, 0],
        [3, 3, 0, 0],
    ]
    assert metrics.precision(counts)[:2].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert np.isnan(metrics.precision(counts)[2:]).all()
    assert metrics.recall(counts)[:3].tolist() == pytest.approx([2 / 3, 1, 0])
    assert np.isnan(metrics.recall(counts)[3])
    assert metrics.f1(counts)[:3].tolist() == pytest.approx([2 / 3, 4 / 5, 0])
    assert np.isnan(metrics.f1(counts)[3])


def test_means_over_classes_by_hand():
    counts = metrics.class_counts(TRUTH, SAID, 4)
    assert metrics.balanced_accuracy(counts) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.macro_f1(counts) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert metrics.micro_f1(counts) == pytest.approx(4 / 6)


def test_a_class_without_images_is_not_part_of_macro_f1():
    counts = Counts(np.array([2.0, 0.0]), np.array([2.0, 0.0]), np.array([2.0, 5.0]))
    assert metrics.macro_f1(counts) == 1


def test_nothing_is_undefined_rather_than_zero():
    counts = metrics.class_counts(np.array([], int), np.array([], int), 2)
    for metric in (metrics.macro_f1, metrics.micro_f1, metrics.balanced_accuracy, metrics.micro_precision):
        assert np.isnan(metric(counts))
    assert np.isnan(metrics.average_precision(np.zeros((0, 2)), np.zeros((0, 2), bool))).all()


def test_several_labels_by_hand():
    counts = metrics.class_counts(LABELS, ACCEPTED, 3)
    assert counts.right.tolist() == [2, 1, 0]
    assert metrics.micro_precision(counts) == pytest.approx(3 / 4)
    assert metrics.micro_recall(counts) == pytest.approx(3 / 4)
    assert metrics.micro_f1(counts) == pytest.approx(3 / 4)
    assert metrics.macro_f1(counts) == pytest.approx((1 + 1 / 2) / 2)
    assert metrics.exact_match(LABELS, ACCEPTED).tolist() == [True, False, False, True]


def test_average_precision_by_hand():
    # Class 0: ranked 0.9 yes, 0.7 no, 0.6 yes. Class 1: 0.9 yes, 0.8 no, 0.4 yes. Class 2 does not occur.
    found = metrics.average_precision(SCORES, LABELS)
    assert found[:2].tolist() == pytest.approx([(1 + 2 / 3) / 2, (1 + 2 / 3) / 2])
    assert np.isnan(found[2])
    mean = metrics.mean_average_precision(SCORES, LABELS)(np.ones((1, 4)))
    assert mean.tolist() == pytest.approx([5 / 6])


def test_equal_scores_enter_together():
    scores, truth = np.array([[0.5], [0.5], [0.5], [0.1]]), np.array([[True], [False], [False], [True]])
    assert metrics.average_precision(scores, truth)[0] == pytest.approx((1 / 3 + 2 / 4) / 2)


@st.composite
def single(draw):
    classes, count = draw(st.integers(2, 7)), draw(st.integers(1, 30))
    indices = st.integers(0, classes - 1)
    truth, said = (np.array(draw(st.lists(indices, min_size=count, max_size=count))) for _ in range(2))
    return classes, truth, said


@st.composite
def multi(draw):
    shape = draw(st.integers(1, 25)), draw(st.integers(1, 5))
    truth = draw(arrays(bool, shape))
    levels = draw(arrays(np.int64, shape, elements=st.integers(0, 10)))
    return truth, levels / 10


@pytest.fixture(scope="module")
def reference():
    return pytest.importorskip("sklearn.metrics")


@settings(max_examples=60, deadline=None)
@given(single())
def test_classes_as_in_scikit_learn(reference, case):
    classes, truth, said = case
    present = sorted(set(truth.tolist()))
    counts = metrics.class_counts(truth, said, classes)
    assert np.array_equal(
        metrics.confusion_matrix(truth, said, classes),
        reference.confusion_matrix(truth, said, labels=range(classes)),
    )
    wanted = reference.precision_recall_fscore_support(truth, said, labels=range(classes), zero_division=np.nan)
    for found, expected in zip((metrics.precision(counts), metrics.recall(counts)), wanted[:2], strict=True):
        np.testing.assert_allclose(found, expected)
    defined = np.isfinite(metrics.f1(counts))
    scores = reference.f1_score(truth, said, labels=range(classes), average=None, zero_division=0)
    np.testing.assert_allclose(metrics.f1(counts)[defined], scores[defined])
    macro = reference.f1_score(truth, said, labels=present, average="macro", zero_division=0)
    assert metrics.macro_f1(counts) == pytest.approx(macro)
    assert metrics.micro_f1(counts) == pytest.approx(reference.accuracy_score(truth, said))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and do not occur
        assert metrics.balanced_accuracy(counts) == pytest.approx(reference.balanced_accuracy_score(truth, said))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(3, 9), st.integers(1, 5))
def test_top_k_as_in_scikit_learn(reference, seed, count, classes, k):
    random = np.random.default_rng(seed)
    probabilities, truth = random.random((count, classes)), random.integers(0, classes, count)
    found = metrics.among_top(probabilities, truth, min(k, classes - 1)).mean()
    wanted = reference.top_k_accuracy_score(truth, probabilities, k=min(k, classes - 1), labels=range(classes))
    assert found == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(multi())
def test_several_labels_as_in_scikit_learn(reference, case):
    truth, scores = case
    accepted = scores >= 0.5
    counts = metrics.class_counts(truth, accepted, truth.shape[1])
    occurs = truth.any(axis=0)
    for index in np.flatnonzero(occurs):
        found = metrics.average_precision(scores, truth)[index]
        assert found == pytest.approx(reference.average_precision_score(truth[:, index], scores[:, index]))
    assert np.isnan(metrics.average_precision(scores, truth)[~occurs]).all()
    if (truth | accepted).any():
        pairs = truth.ravel(), accepted.ravel()
        assert metrics.micro_f1(counts) == pytest.approx(reference.f1_score(*pairs))
    if truth.any():
        kept = truth[:, occurs].astype(int), accepted[:, occurs].astype(int)
        average = "binary" if occurs.sum() == 1 else "macro"
        shape = [part.ravel() if occurs.sum() == 1 else part for part in kept]
        wanted = reference.f1_score(*shape, average=average, zero_division=0)
        assert metrics.macro_f1(counts) == pytest.approx(wanted)
    exact = reference.accuracy_score(truth.astype(int), accepted.astype(int))
    assert metrics.exact_match(truth, accepted).mean() == pytest.approx(exact)


@settings(max_examples=30, deadline=None)
@given(multi(), st.integers(0, 2**32))
def test_weights_count_images_several_times(reference, case, seed):
    truth, scores = case
    weights = np.random.default_rng(seed).integers(0, 4, len(truth))
    again = np.repeat(np.arange(len(truth)), weights)
    found = metrics.mean_average_precision(scores, truth)(weights[None].astype(float))[0]
    wanted = metrics.average_precision(scores[again], truth[again])
    assert found == pytest.approx(metrics.mean_of_defined(wanted), nan_ok=True)
