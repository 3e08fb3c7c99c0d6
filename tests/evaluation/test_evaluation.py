"""Evaluations: from predictions to the record and its JSON."""

import json

import numpy as np
import pytest
from evaluated import DATASET, evaluated, everything, one_label, several_labels

from beholder.errors import UsageError
from beholder.evaluation import Estimate, Evaluation, LeftOut, Predictions, Strangers, evaluate_predictions
from beholder.evaluation.collecting import collect_next
from beholder.evaluation.parts import Confused
from beholder.records import RecordError

SINGLE = [
    *("top1", "top5", "balanced_accuracy", "macro_f1", "micro_f1", "ece", "aurc"),
    *("coverage_90", "set_size_90", "coverage_95", "set_size_95"),
    *("unanswered_share", "answered_top1", "right_share", "unknown_auroc", "unknown_share"),
]
MULTI = [
    *("map", "micro_f1", "macro_f1", "micro_precision", "micro_recall", "exact_match", "ece"),
    *("unanswered_share", "unknown_auroc", "unknown_share"),
]

PROBABILITIES = np.array([[0.7, 0.3], [0.6, 0.4], [0.8, 0.2], [0.1, 0.9]])


def by_hand(**changed):
    """Four images: two cats, of which one is called a dog with 90%, and two dogs, called cats with 60 and 80%."""
    values = {
        "classes": ("cat", "dog"),
        "sources": ("a.jpg", "b.jpg", "c.jpg", "d.jpg"),
        "probabilities": PROBABILITIES,
        "truth": np.array([0, 1, 1, 0]),
    }
    return Predictions(**{**values, **changed})


def test_one_label_by_hand():
    found = evaluated(by_hand())
    assert list(found.metrics) == SINGLE
    assert found.top1 == found.micro_f1
    assert (found.top1.value, found.top1.count) == (0.25, 4)
    assert (found.top1.low, found.top1.high) == pytest.approx((0.0456, 0.6994), abs=1e-4)
    assert found.top5 == Estimate(None, None, None, 4)
    assert (found.balanced_accuracy.value, found.macro_f1.value) == (0.25, 0.2)
    cat, dog = found.per_class
    assert (cat.name, cat.count, cat.said, cat.right, dog.count, dog.said, dog.right) == ("cat", 2, 3, 1, 2, 1, 0)
    assert (cat.precision.value, cat.recall.value, cat.f1.value) == (0.333333, 0.5, 0.4)
    assert (cat.precision.count, cat.recall.count, cat.f1.count) == (3, 2, 4)
    assert cat.average_precision is None
    assert [(pair.truth, pair.predicted, pair.count) for pair in found.confusion] == [
        ("dog", "cat", 2),
        ("cat", "cat", 1),
        ("cat", "dog", 1),
    ]
    assert found.confusion_matrix().tolist() == [[1, 1], [2, 0]]
    assert [(one.source, one.truth, one.predicted, one.confidence) for one in found.mistakes] == [
        ("d.jpg", "cat", "dog", 0.9),
        ("c.jpg", "dog", "cat", 0.8),
        ("b.jpg", "dog", "cat", 0.6),
    ]
    curve = [(point.confidence, point.coverage, point.risk.value, point.risk.count) for point in found.risk_coverage]
    assert curve == [(0.9, 0.25, 1, 1), (0.8, 0.5, 1, 2), (0.7, 0.75, 0.666667, 3), (0.6, 1, 0.75, 4)]
    assert found.aurc.value == pytest.approx((1 + 1 + 2 / 3 + 3 / 4) / 4, abs=1e-6)
    assert found.unanswered == found.strangers == found.set_sizes == found.slices == ()


def test_among_five_classes_the_truth_is_always_among_the_first_five():
    assert evaluated(one_label(tuple("abcde"), each=2)).top5.value is None
    assert evaluated(one_label(tuple("abcdef"), each=2)).top5.value is not None


def test_what_was_not_given_is_not_measured():
    found = evaluated(by_hand())
    for name in SINGLE[-9:]:
        assert found.metrics[name] == Estimate(None, None, None, 0), name


def test_sets_by_hand():
    all_of_them = np.ones((4, 2), bool)
    found = evaluated(by_hand(sets={90: PROBABILITIES > 0.5, 95: all_of_them}))
    assert (found.coverage_90.value, found.set_size_90.value) == (0.25, 1)
    assert (found.coverage_95.value, found.set_size_95.value) == (1, 2)
    assert [(one.promised, [(size.size, size.count) for size in one.sizes]) for one in found.set_sizes] == [
        (90, [(1, 4)]),
        (95, [(2, 4)]),
    ]


def test_unanswered_by_hand():
    found = evaluated(by_hand(unanswered=np.array([False, True, False, True])))
    assert (found.unanswered_share.value, found.unanswered_share.count) == (0.5, 4)
    assert (found.answered_top1.value, found.answered_top1.count) == (0.5, 2)
    assert (found.right_share.value, found.right_share.count) == (0.25, 4)
    assert [(one.source, one.truth, one.nearest, one.confidence) for one in found.unanswered] == [
        ("d.jpg", "cat", "dog", 0.9),
        ("b.jpg", "dog", "cat", 0.6),
    ]


def test_strangers_by_hand():
    far = Strangers(
        kind="far",
        scores=np.array([0.1, 0.2]),
        known_scores=np.array([0.5, 0.6, 0.7, 0.8]),
        unanswered=np.array([True, False]),
        sources=("x.jpg", "y.jpg"),
        probabilities=PROBABILITIES[:2],
    )
    near = Strangers(
        kind="near",
        scores=np.array([2.5] * 6),
        known_scores=np.array([1.0, 2.0, 3.0, 4.0]),
        unanswered=np.array([True] * 3 + [False] * 3),
    )
    found = evaluated(by_hand(strangers=(far, near)))
    assert [(one.kind, one.auroc.value, one.share.value) for one in found.strangers] == [
        ("far", 1, 0.5),
        ("near", 0.5, 0.5),
    ]
    assert (found.unknown_auroc.value, found.unknown_auroc.count) == (pytest.approx((1 * 2 + 0.5 * 6) / 8), 8)
    assert (found.unknown_share.value, found.unknown_share.count) == (0.5, 8)
    assert [(one.source, one.kind, one.predicted, one.confidence) for one in found.answered_strangers] == [
        ("y.jpg", "far", "cat", 0.6)
    ]


def test_strangers_without_a_rule_have_a_score_only():
    strangers = (Strangers(kind="given", scores=np.array([0.1]), known_scores=np.ones(4)),)
    found = evaluated(by_hand(strangers=strangers))
    assert found.unknown_auroc.value == 1
    assert found.unknown_share.value is None
    assert found.strangers[0].share.value is None


def test_several_labels_by_hand():
    truth = np.array([[True, False], [True, True], [False, True]])
    probabilities = np.array([[0.9, 0.7], [0.2, 0.8], [0.1, 0.6]])
    said = Predictions(
        classes=("sun", "rain"),
        sources=("a.jpg", "b.jpg", "c.jpg"),
        probabilities=probabilities,
        truth=truth,
        accepted=probabilities >= 0.5,
        unanswered=np.array([False, True, False]),
    )
    found = evaluated(said)
    assert list(found.metrics) == MULTI
    assert found.multi_label
    assert (found.micro_precision.value, found.micro_recall.value) == (0.75, 0.75)
    assert found.exact_match.value == pytest.approx(1 / 3, abs=1e-6)
    assert found.map.value == pytest.approx((1 + (1 + 2 / 3) / 2) / 2, abs=1e-6)
    assert found.per_class[1].average_precision.value == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    assert found.confusion is None
    assert [(one.source, one.truth, one.predicted, one.confidence) for one in found.mistakes] == [
        ("b.jpg", "sun", None, 0.8),
        ("a.jpg", None, "rain", 0.7),
    ]
    assert found.unanswered[0].truth == "sun, rain"
    with pytest.raises(UsageError, match="one label"):
        found.confusion_matrix()


@pytest.mark.parametrize("multi_label", [False, True])
def test_of_no_images_nothing_is_measured(multi_label):
    nothing = {"sources": (), "probabilities": np.zeros((0, 3)), "truth": np.zeros(0, int)}
    if multi_label:
        nothing |= {"truth": np.zeros((0, 3), bool), "accepted": np.zeros((0, 3), bool)}
    found = evaluated(Predictions(classes=("a", "b", "c"), **nothing))
    assert list(found.metrics) == (MULTI if multi_label else SINGLE)
    assert all(measured.value is None for measured in found.metrics.values())
    assert [one.recall.value for one in found.per_class] == [None] * 3
    assert found.mistakes == found.reliability == found.collect_next == ()


def test_everything_has_its_interval():
    found = evaluated()
    for name, measured in found.metrics.items():
        assert name == "top5" or measured.value is not None, name
        assert name == "top5" or measured.low < measured.high, name
    assert sum(one.right.count for one in found.reliability) == found.count
    assert found.ece_if_calibrated.mean < found.ece_if_calibrated.high


def test_the_same_seed_gives_the_same_evaluation():
    first, again, other = evaluated(), evaluated(), evaluated(seed=1)
    assert first == again
    assert first != other
    assert {name: one.value for name, one in first.metrics.items()} == {
        name: one.value for name, one in other.metrics.items()
    }


@pytest.mark.parametrize("said", [everything(), several_labels(), by_hand()], ids=["all", "several", "few"])
def test_json_and_back(said):
    found = evaluated(said, kind="cross-validated", notes=["made up"])
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(values)[:3] == ["schema", "model", "dataset"]
    assert (values["schema"], values["model"], values["dataset"]) == (1, "ground.onnx", DATASET)
    assert values["left_out"] == [{"reason": "the model was fitted on them", "count": 3}]
    assert all(set(measured) == {"value", "low", "high", "count"} for measured in values["metrics"].values())
    assert Evaluation.from_dict(values) == found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "schema must be 1, found 2"),
        ({"schema": True}, "schema must be 1"),
        ({"metrics": None}, "metrics: must be an object"),
        ({"metrics": {"top1": {"value": 0.5}}}, "metrics.top1.low: is missing"),
        ({"metrics": {"top1": {"value": 0.5, "low": 0.6, "high": 0.7, "count": 3}}}, "metrics.top1.value"),
        ({"kind": "guessed"}, "kind: must be one of"),
        ({"colour": 1}, "colour: is not known"),
        ({"confusion": [{"truth": "cat", "predicted": "cow", "count": 1}]}, "confusion: must be of the classes"),
        ({"mistakes": [{"source": "a"}]}, r"mistakes\[0\].truth: is missing"),
    ],
)
def test_json_that_is_no_evaluation_is_refused(change, reason):
    with pytest.raises(UsageError, match=reason):
        Evaluation.from_dict({**evaluated(by_hand()).to_dict(), **change})


def test_what_is_not_even_an_object_is_refused():
    with pytest.raises(UsageError, match="schema must be 1, found None"):
        Evaluation.from_dict([])


def test_sets_for_each_class_by_hand():
    """Of two cats one set holds the truth, of two dogs both do."""
    sets = np.array([[True, False], [True, True], [False, True], [False, True]])
    found = evaluated(by_hand(class_sets={90: sets}))
    assert list(found.metrics) == [*SINGLE[:11], "class_coverage_90", "class_set_size_90", *SINGLE[11:]]
    assert (found.class_coverage_90.value, found.class_coverage_90.count) == (0.75, 4)
    assert 0.05 < found.class_coverage_90.low < 0.75 < found.class_coverage_90.high <= 1
    assert (found.class_set_size_90.value, found.class_set_size_90.count) == (1.25, 4)
    assert Evaluation.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(UsageError, match="sets: must be of 90 or 95 percent"):
        by_hand(class_sets={80: sets})


def test_a_metric_is_an_attribute():
    found = evaluated(by_hand())
    assert found.top1 is found.metrics["top1"]
    with pytest.raises(AttributeError, match="its metrics: top1"):
        _ = found.topp1


def test_what_to_collect_next_is_where_the_share_may_be_lowest():
    found = evaluated(one_label(("a", "b", "c"), each=40, skill=1.2))
    lows = [one.recall.low for one in found.collect_next]
    assert lows == sorted(lows)
    assert all(low < found.top1.value - 0.1 for low in lows)
    assert all(one.more_images is not None for one in found.collect_next)


def test_one_image_taken_for_another_is_a_slip_and_two_are_a_pattern():
    found = evaluated(one_label(("a", "b"), each=10, skill=1.0))
    pairs = [Confused("a", "a", 8), Confused("a", "b", 1), Confused("b", "a", 2)]
    advice = {one.name: one for one in collect_next(found.per_class, pairs, Estimate(1.0, 1.0, 1.0, 20))}
    assert (advice["a"].confused_with, advice["a"].confused_count) == (None, 0)
    assert (advice["b"].confused_with, advice["b"].confused_count) == ("a", 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classes": ("cat", "cat")}, "names that differ"),
        ({"classes": ()}, "at least one"),
        ({"sources": ("a",)}, r"probabilities must be floating point \(1, 2\)"),
        ({"probabilities": np.ones((4, 2), int)}, "found int"),
        ({"probabilities": PROBABILITIES + 0.5}, "between 0 and 1"),
        ({"probabilities": PROBABILITIES * np.nan}, "finite"),
        ({"truth": np.array([0, 1, 2, 0])}, "from 0 below 2"),
        ({"truth": np.array([0, -1, 1, 0])}, "from 0 below 2"),
        ({"truth": np.array([0.0, 1, 1, 0])}, "whole numbers"),
        ({"truth": np.ones((4, 2), bool)}, "accepted must be given"),
        ({"truth": np.ones((4, 3), bool)}, r"truth must be true or false \(4, 2\)"),
        ({"accepted": np.ones((4, 2), bool)}, "accepted must not be given"),
        ({"unanswered": np.ones(3, bool)}, "unanswered must be true or false"),
        ({"sets": {80: np.ones((4, 2), bool)}}, "90 or 95 percent"),
        ({"sets": {90: np.ones((4, 2))}}, "the prediction sets of 90%"),
        ({"columns": {"light": ["day"]}}, "the column 'light' must have 4 values"),
        ({"strangers": (Strangers(kind="far", scores=np.ones(2), known_scores=np.ones(2)),)}, "of all 4 images"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, reason):
    with pytest.raises(UsageError, match=reason):
        by_hand(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"scores": np.ones((2, 1))},
        {"known_scores": np.array([np.inf])},
        {"unanswered": np.ones(3, bool)},
        {"sources": ("a",)},
        {"probabilities": np.ones((3, 2))},
    ],
)
def test_strangers_that_do_not_fit_are_refused(change):
    with pytest.raises(UsageError):
        Strangers(**{"kind": "far", "scores": np.ones(2), "known_scores": np.ones(4), **change})


def test_strangers_must_know_the_same_classes():
    strangers = Strangers(kind="far", scores=np.ones(2), known_scores=np.ones(4), probabilities=np.ones((2, 3)))
    with pytest.raises(UsageError, match="all 2 classes"):
        by_hand(strangers=(strangers,))


def test_rounding_above_one_is_forgiven():
    said = by_hand(probabilities=np.array([[1.000001, 0.0], [0.6, 0.4], [0.8, 0.2], [0.1, 0.9]], np.float32))
    assert said.probabilities.max() == 1


def test_the_record_refuses_an_estimate_of_less_than_nothing():
    with pytest.raises(RecordError):
        Evaluation(
            model="m",
            dataset=DATASET,
            kind="test",
            classes=("a",),
            count=1,
            metrics={},
            confusion=(Confused("a", "b", 1),),
        )


def test_left_out_images_are_told():
    found = evaluate_predictions(by_hand(), model="m", dataset=DATASET, left_out=[LeftOut("unreadable", 2)])
    assert found.left_out == (LeftOut("unreadable", 2),)
