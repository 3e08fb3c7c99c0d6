"""Made-up predictions, for the tests of evaluations and reports."""

import numpy as np

from beholder.evaluation import LeftOut, Predictions, Strangers, evaluate_predictions

DATASET = "sha256:" + "3f" * 32


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def one_label(classes=("brick", "grass", "gravel"), each=12, skill=2.5, seed=0, **changed):
    """Calibrated predictions of `each` images of every class."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(classes)), each)
    logits = random.normal(size=(len(truth), len(classes)))
    logits[np.arange(len(truth)), truth] += skill
    values = {
        "classes": tuple(classes),
        "sources": tuple(f"photos/{classes[k]}/{index:03}.jpg" for index, k in enumerate(truth)),
        "probabilities": softmax(skill * logits).astype(np.float32),
        "truth": truth,
    }
    return Predictions(**{**values, **changed})


def several_labels(classes=("person", "dog", "car"), count=40, skill=3.0, seed=0, **changed):
    random = np.random.default_rng(seed)
    truth = random.random((count, len(classes))) < 0.4
    probabilities = 1 / (1 + np.exp(skill / 2 - skill * truth - random.normal(size=truth.shape)))
    values = {
        "classes": tuple(classes),
        "sources": tuple(f"streets/{index:03}.jpg" for index in range(count)),
        "probabilities": probabilities,
        "truth": truth,
        "accepted": probabilities >= 0.5,
    }
    return Predictions(**{**values, **changed})


def everything(classes=("brick", "grass", "gravel"), each=12, **changed):
    """Predictions with all that a model may say: sets, unknown, strangers, columns."""
    plain = one_label(classes, each)
    random = np.random.default_rng(7)
    count = len(plain.sources)
    best = plain.probabilities == plain.probabilities.max(axis=1, keepdims=True)
    strangers = tuple(
        Strangers(
            kind=kind,
            scores=random.normal(size=9),
            known_scores=random.normal(2.0, 1.0, count),
            unanswered=random.random(9) < 0.6,
            sources=tuple(f"{kind}/{index}.jpg" for index in range(9)),
            probabilities=softmax(random.normal(size=(9, len(classes)))),
        )
        for kind in ("far", "near")
    )
    return one_label(
        classes,
        each,
        **{
            "unanswered": random.random(count) < 0.1,
            "sets": {90: best, 95: best | (plain.probabilities > 0.1)},
            "columns": {"light": [("day", "night")[index % 2] for index in range(count)]},
            "strangers": strangers,
            **changed,
        },
    )


def evaluated(said=None, **changed):
    values = {"model": "ground.onnx", "dataset": DATASET, "left_out": [LeftOut("the model was fitted on them", 3)]}
    return evaluate_predictions(everything() if said is None else said, **{**values, **changed})
