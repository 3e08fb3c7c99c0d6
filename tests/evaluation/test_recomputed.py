"""Every number of an evaluation, computed again from what `predict --json` prints, by other means."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from texture_sets import SIX, THREE, make_classes, make_strangers, make_table

import beholder
from beholder.cli import main
from beholder.model import read_card
from beholder.model.card import PredictionSets
from beholder.training import run_training

metrics = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")


def near(value: float) -> object:
    """Equal as far as six decimals tell."""
    return pytest.approx(value, abs=6e-7)


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert main(list(words)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def is_share(found: dict, right: int, count: int) -> None:
    """A proportion with Wilson's interval."""
    low, high = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert found == {"value": near(right / count), "low": near(low), "high": near(high), "count": count}


def is_estimate(found: dict, value: float, count: int) -> None:
    assert (found["value"], found["count"]) == (near(value), count)
    assert found["low"] <= found["value"] <= found["high"]


def bins_of(confidence: np.ndarray, count: int = 15) -> list[np.ndarray]:
    """As docs/evaluation.md says: bins of equal mass, equal confidences in one bin."""
    borders = np.quantile(confidence, np.arange(1, count) / count)
    of = np.array([sum(value > border for border in borders) for value in confidence])
    return [of == k for k in sorted(set(of))]


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    gaps = [abs(right[own].mean() - confidence[own].mean()) * own.sum() for own in bins_of(confidence)]
    return sum(gaps) / len(confidence)


def check_calibration(found: dict, confidence: np.ndarray, right: np.ndarray) -> None:
    """The error, that of a perfect model by another simulation, and the bins of the diagram."""
    is_estimate(found["metrics"]["ece"], calibration_error(confidence, right), found["count"])
    random = np.random.default_rng(1)
    simulated = [calibration_error(confidence, random.random(len(confidence)) < confidence) for _ in range(400)]
    assert found["ece_if_calibrated"]["mean"] == pytest.approx(np.mean(simulated), rel=0.1)
    assert found["ece_if_calibrated"]["high"] == pytest.approx(np.percentile(simulated, 95), rel=0.15)
    bins = bins_of(confidence, min(15, len(confidence) // 8))
    for one, own in zip(found["reliability"], bins, strict=True):
        assert one["confidence"] == near(confidence[own].mean())
        is_share(one["right"], int(right[own].sum()), int(own.sum()))


def check_wanted_images(found: dict, overall: float) -> None:
    """How many images more each class needs, and which classes are named first."""
    for one in found["per_class"]:
        half = (one["recall"]["high"] - one["recall"]["low"]) / 2
        assert one["more_images"] == max(0, math.ceil(one["count"] * (half / 0.1) ** 2 - one["count"]))
    weak = [one for one in found["per_class"] if one["recall"]["low"] < overall - 0.1]
    weak.sort(key=lambda one: (one["recall"]["low"], one["count"]))
    keys = ("name", "count", "recall", "more_images")
    assert [[one[key] for key in keys] for one in found["collect_next"]] == [[one[key] for key in keys] for one in weak]


def area_under_risk(confidence: np.ndarray, right: np.ndarray) -> float:
    """The mean over all coverages of the share of wrong answers; of equals each is as wrong as they are on average."""
    wrong = 1.0 - right
    for value in set(confidence):
        wrong[confidence == value] = 1 - right[confidence == value].mean()
    ordered = wrong[np.argsort(-confidence, kind="stable")]
    return float(np.mean([ordered[: k + 1].mean() for k in range(len(ordered))]))


def table_of(printed: list[dict], labels: tuple[str, ...]) -> np.ndarray:
    """Confidences `(n, K)`, in the order of the model's labels."""
    rows = [{one["name"]: one["confidence"] for one in answer["labels"]} for answer in printed]
    return np.array([[row[name] for name in labels] for row in rows])


def familiar_ranks(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.array([((known < value).sum() + (known <= value).sum()) / 2 / len(known) for value in values])


def strangeness(model: Path, known: Path, strange: Path) -> float:
    """AUROC of given strangers: as strange as the stranger of familiarity and largest logit, each by its rank."""
    running = beholder.load(model)
    scores = {}
    for name, place in (("known", known), ("strange", strange)):
        rows = list(running.outputs_many(place, ("logits", "familiarity")))
        scores[name] = np.array([(row["familiarity"], row["logits"].max()) for row in rows])
    ranked = {
        name: np.min([familiar_ranks(scores["known"][:, k], own[:, k]) for k in (0, 1)], axis=0)
        for name, own in scores.items()
    }
    truth = np.repeat((1, 0), (len(ranked["known"]), len(ranked["strange"])))
    return float(metrics.roc_auc_score(truth, np.concatenate((ranked["known"], ranked["strange"]))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model of six classes and one of several labels, each with new images to measure it on."""
    patch = pytest.MonkeyPatch()
    place = tmp_path_factory.mktemp("recomputed")
    patch.setenv("BEHOLDER_CACHE", str(place / "cache"))
    patch.setenv("BEHOLDER_DATA", str(place / "data"))
    run_training(make_classes(place / "train", 19), place / "six.onnx")
    run_training(make_table(place / "train-several", 40), place / "several.onnx")
    make_classes(place / "test", 6, seed=1)
    make_table(place / "test-several", 30, seed=1)
    make_strangers(place / "strange", 8)
    yield place
    patch.undo()


def test_one_label_per_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data, strange = folder / "six.onnx", folder / "test", folder / "strange"
    (found,) = lines(capsys, "evaluate", str(model), str(data), "--unknown", str(strange), "--json")
    printed = lines(capsys, "predict", str(data), "--model", str(model), "--json", "--top", "0")
    probabilities = table_of(printed, SIX)
    names = [str(Path(answer["source"]).relative_to(data)) for answer in printed]
    truth = np.array([SIX.index(Path(name).parent.name) for name in names])
    said = np.array([SIX.index(answer["labels"][0]["name"]) for answer in printed])
    right, confidence, count = said == truth, probabilities.max(axis=1), len(truth)
    assert 0 < right.sum() < count, "some must be wrong for this test to tell anything"
    of = found["metrics"]

    assert (found["model"], found["kind"], found["count"], found["classes"]) == ("six.onnx", "test", count, list(SIX))
    is_share(of["top1"], int(right.sum()), count)
    five = [[label["name"] for label in answer["labels"][:5]] for answer in printed]  # equal ones in the model's order
    is_share(of["top5"], sum(Path(name).parent.name in first for name, first in zip(names, five, strict=True)), count)
    is_estimate(of["balanced_accuracy"], metrics.balanced_accuracy_score(truth, said), count)
    is_estimate(of["macro_f1"], metrics.f1_score(truth, said, labels=sorted(set(truth)), average="macro"), count)
    assert of["micro_f1"] == of["top1"]
    check_calibration(found, confidence, right)
    check_wanted_images(found, right.mean())
    is_estimate(of["aurc"], area_under_risk(confidence, right), count)
    check_classes(found, truth, said)
    check_sets(found, model, data, probabilities, truth)

    unanswered = np.array([answer["unknown"] for answer in printed])
    is_share(of["unanswered_share"], int(unanswered.sum()), count)
    is_share(of["answered_top1"], int((right & ~unanswered).sum()), int((~unanswered).sum()))
    is_share(of["right_share"], int((right & ~unanswered).sum()), count)
    others = lines(capsys, "predict", str(strange), "--model", str(model), "--json")
    is_share(of["unknown_share"], sum(answer["unknown"] for answer in others), 8)
    is_estimate(of["unknown_auroc"], strangeness(model, data, strange), 8)
    assert found["strangers"] == [{"kind": "given", "auroc": of["unknown_auroc"], "share": of["unknown_share"]}]
    taken = {(answer["source"], answer["labels"][0]["name"]) for answer in others if not answer["unknown"]}
    assert {(one["source"], one["predicted"]) for one in found["answered_strangers"]} == taken
    assert [one["source"] for one in found["unanswered"]] == [
        names[row] for row in np.argsort(-confidence, kind="stable") if unanswered[row]
    ]
    for point in found["risk_coverage"]:
        answered = confidence >= point["confidence"]
        assert point["coverage"] == near(answered.mean())
        is_share(point["risk"], int((~right & answered).sum()), int(answered.sum()))
    assert {one["source"]: (one["truth"], one["predicted"], one["confidence"]) for one in found["mistakes"]} == {
        names[row]: (SIX[truth[row]], SIX[said[row]], confidence[row]) for row in np.flatnonzero(~right)
    }


def check_classes(found: dict, truth: np.ndarray, said: np.ndarray) -> None:
    """Precision, recall and F1 of each class, and the confusion matrix."""
    scores = metrics.precision_recall_fscore_support(truth, said, labels=range(len(SIX)), zero_division=np.nan)
    for k, (one, precision, recall, f1, support) in enumerate(zip(found["per_class"], *scores, strict=True)):
        hits, given = int(((said == k) & (truth == k)).sum()), int((said == k).sum())
        assert (one["name"], one["count"], one["said"], one["right"]) == (SIX[k], support, given, hits)
        is_share(one["recall"], hits, int(support))
        assert one["recall"]["value"] == near(recall)
        if given:
            is_share(one["precision"], hits, given)
            assert one["precision"]["value"] == near(precision)
        is_estimate(one["f1"], f1, int(((said == k) | (truth == k)).sum()))
    matrix = metrics.confusion_matrix(truth, said, labels=range(len(SIX)))
    rebuilt = np.zeros_like(matrix)
    for pair in found["confusion"]:
        rebuilt[SIX.index(pair["truth"]), SIX.index(pair["predicted"])] = pair["count"]
    assert (rebuilt == matrix).all()


def check_sets(found: dict, model: Path, data: Path, probabilities: np.ndarray, truth: np.ndarray) -> None:
    """Prediction sets: those that are answered, and those for each class by itself, from the card's thresholds."""
    running, stated = beholder.load(model), read_card(model).prediction_sets
    assert isinstance(stated, PredictionSets)
    assert stated.class_thresholds is not None
    for row, coverage in enumerate((0.9, 0.95)):
        percent = round(coverage * 100)
        answers = [answer.prediction_set for answer in running.predict_many(data, coverage=coverage)]
        held = sum(SIX[k] in own for k, own in zip(truth, answers, strict=True))
        is_share(found["metrics"][f"coverage_{percent}"], held, len(truth))
        is_estimate(found["metrics"][f"set_size_{percent}"], np.mean([len(own) for own in answers]), len(truth))
        sizes = next(one["sizes"] for one in found["set_sizes"] if one["promised"] == percent)
        pairs = zip(*np.unique([len(own) for own in answers], return_counts=True), strict=True)
        assert sizes == [{"size": size, "count": count} for size, count in pairs]

        members = probabilities >= np.array(stated.class_thresholds[row])
        members |= probabilities == probabilities.max(axis=1, keepdims=True)
        kept = [members[truth == k, k].mean() for k in range(len(SIX))]
        is_estimate(found["metrics"][f"class_coverage_{percent}"], np.mean(kept), len(truth))
        is_estimate(found["metrics"][f"class_set_size_{percent}"], members.sum(axis=1).mean(), len(truth))


def test_several_labels_per_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data, strange = folder / "several.onnx", folder / "test-several", folder / "strange"
    (found,) = lines(capsys, "evaluate", str(model), str(data), "--unknown", f"far={strange}", "--json")
    printed = lines(capsys, "predict", str(data), "--model", str(model), "--json", "--top", "0")
    with open(data / "labels.csv") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}
    names = [Path(answer["source"]).name for answer in printed]
    truth = np.array([[kind in rows[name]["label"].split("|") for kind in THREE] for name in names])
    said = np.array([[kind in answer["accepted"] for kind in THREE] for answer in printed])
    probabilities, count, of = table_of(printed, THREE), len(names), found["metrics"]
    assert (truth != said).any(), "some must be wrong for this test to tell anything"

    assert (found["multi_label"], found["count"], found["confusion"]) == (True, 30, None)
    is_estimate(of["map"], metrics.average_precision_score(truth, probabilities, average="macro"), count)
    is_share(of["exact_match"], round(metrics.accuracy_score(truth, said) * count), count)
    is_estimate(of["micro_f1"], metrics.f1_score(truth, said, average="micro"), count)
    is_estimate(of["macro_f1"], metrics.f1_score(truth, said, average="macro"), count)
    assert of["micro_precision"]["value"] == near(metrics.precision_score(truth, said, average="micro"))
    assert of["micro_recall"]["value"] == near(metrics.recall_score(truth, said, average="micro"))
    check_calibration(found, probabilities.ravel(), truth.ravel())
    check_wanted_images(found, of["micro_recall"]["value"])
    for k, one in enumerate(found["per_class"]):
        is_share(one["precision"], int((truth & said)[:, k].sum()), int(said[:, k].sum()))
        is_share(one["recall"], int((truth & said)[:, k].sum()), int(truth[:, k].sum()))
        assert one["f1"]["value"] == near(metrics.f1_score(truth[:, k], said[:, k]))
        area = metrics.average_precision_score(truth[:, k], probabilities[:, k])
        assert one["average_precision"]["value"] == near(area)
    for one in found["slices"]:
        own = np.array([rows[name]["light"] == one["value"] for name in names])
        assert one["column"] == "light"
        is_estimate(one["estimate"], metrics.f1_score(truth[own], said[own], average="micro"), int(own.sum()))
    assert len(found["slices"]) == 2

    unanswered = [answer["unknown"] for answer in printed]
    is_share(of["unanswered_share"], sum(unanswered), count)
    others = lines(capsys, "predict", str(strange), "--model", str(model), "--json")
    is_share(of["unknown_share"], sum(answer["unknown"] for answer in others), 8)
    running = beholder.load(model)
    own, their = (
        [row["familiarity"] for row in running.outputs_many(place, ("familiarity",))] for place in (data, strange)
    )
    area = metrics.roc_auc_score([1] * len(own) + [0] * len(their), own + their)
    is_estimate(of["unknown_auroc"], area, 8)
