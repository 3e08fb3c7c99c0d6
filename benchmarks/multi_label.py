"""Several labels per image: mAP and F1 with tuned thresholds, beside a threshold of 0.5 and probes made by hand.

Photographs of COCO, cross-validated again and again, because there are few; and scenes put together of Fashion-MNIST's
garments, of which the truth is known, through everything that a user goes through: a CSV file, a training run, a model
file, its answers.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

import beholder
from beholder.data import Sample, read_idx
from beholder.data.formats.idx import names_known_by
from beholder.evaluation.metrics import class_counts, macro_f1, mean_average_precision, micro_f1
from beholder.model.confidence import accepted_labels
from beholder.training import run_training
from figures import Figure, Spread, arguments, parse, report
from learning_sets import LearningSet, Workshop, workshop_arguments
from linear_probe import fit_one_against_rest

SIDE = 224
GARMENT = 84
SCENES = {"train": 600, "test": 400}
SETS = ("coco", "scenes")
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """What some answers are worth: mAP, and F1 over all labels (micro) and as the mean of the labels (macro)."""

    map: float
    micro: float
    macro: float

    @classmethod
    def of(cls, probabilities: NDArray[Any], truth: Booleans, accepted: Booleans) -> Scores:
        """Of answers `(n, k)`."""
        counts, once = class_counts(truth, accepted, truth.shape[1]), np.ones((1, len(truth)))
        area = float(mean_average_precision(probabilities, truth)(once)[0])
        return cls(area, float(micro_f1(counts)), float(macro_f1(counts)))


Told = dict[str, list[Scores]]


def main() -> int:
    parser = arguments(__doc__, peers=False)
    workshop_arguments(parser)
    parser.add_argument("--kinds", nargs="+", choices=SETS, default=list(SETS), help="what to measure on")
    parser.add_argument("--repeats", type=int, default=5, help="how often the photographs are cross-validated")
    parser.add_argument("--folds", type=int, default=5, help="in so many parts")
    args = parse(parser)
    shop = Workshop(args)
    figures: list[Figure] = []
    if "coco" in args.kinds:
        known = shop.read("coco")
        told = _cross_validated(shop, known, args)
        figures += _figures(f"coco_small, {len(known.dataset)} images, {len(known.dataset.classes)} labels", told)
    if "scenes" in args.kinds:
        figures += _figures(f"scenes, {SCENES['test']} of {sum(SCENES.values())} images tested", _scenes(shop))
    notes = [
        f"coco_small: {args.repeats} x {args.folds} folds; each repetition's answers measured together: mean, range",
        "tuned: thresholds for the best F1 on images left out of the fit in turn; never on those measured",
        "by hand: for each label a scaler and a logistic regression (C by five folds) on the embedding, from 0.5",
    ]
    return report(args, "Several labels per image", notes, figures)


def _cross_validated(shop: Workshop, known: LearningSet, args: argparse.Namespace) -> Told:
    truth = _truth(known)
    told: Told = {"tuned": [], "0.5": [], "by hand": []}
    for number in range(args.repeats):
        folds = np.random.default_rng(number).permutation(len(truth)) % args.folds
        own, by_hand = np.zeros(truth.shape), np.zeros(truth.shape)
        tuned = np.zeros(truth.shape, np.bool_)
        for fold in range(args.folds):
            rows, left_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            learned, head = shop.learn(known.part(rows))
            card = shop.card(learned, head)
            if card.labels != known.dataset.classes:
                raise SystemExit("coco_small: each label must be in each part")
            own[left_out] = head.answer(known.of(left_out))["probabilities"]
            tuned[left_out] = accepted_labels(card, own[left_out])
            probes = fit_one_against_rest(known.layers["embedding"][rows], truth[rows])
            by_hand[left_out] = probes(known.layers["embedding"][left_out])
        told["tuned"].append(Scores.of(own, truth, tuned))
        told["0.5"].append(Scores.of(own, truth, own >= 0.5))
        told["by hand"].append(Scores.of(by_hand, truth, by_hand >= 0.5))
        print({name: scores[-1] for name, scores in told.items()}, file=sys.stderr, flush=True)
    return told


def _truth(known: LearningSet) -> Booleans:
    return np.array([[name in sample.labels for name in known.dataset.classes] for sample in known.dataset.samples])


def _scenes(shop: Workshop) -> Told:
    """Through the whole public path: a table, a run, a model file and what it answers."""
    table = _made(shop.work / f"scenes-{SCENES['train']}", Path(shop.fashion))
    out = shop.work / "scenes.onnx"
    run = run_training(table, out, overwrite=True)
    dataset = beholder.data.read(table)
    looked = shop.looked_at("scenes", dataset.samples)
    truth, tested = _truth(looked), looked.tested
    samples: list[Sample] = [looked.dataset.samples[row] for row in np.flatnonzero(tested)]
    own, accepted = np.zeros((len(samples), truth.shape[1])), np.zeros((len(samples), truth.shape[1]), np.bool_)
    column = {name: index for index, name in enumerate(looked.dataset.classes)}
    with beholder.load(out) as model:
        results = model.predict_many([str(sample.path) for sample in samples], top=0)
        for row, result in enumerate(results):
            for label in result.labels:
                own[row, column[label.name]] = label.confidence
            accepted[row, [column[name] for name in result.accepted]] = True
    probes = fit_one_against_rest(looked.layers["embedding"][~tested], truth[~tested])
    by_hand = probes(looked.layers["embedding"][tested])
    measured = {name: run.evaluation.metrics[name].value for name in ("map", "micro_f1", "macro_f1")}
    print(f"the run's own evaluation: {measured}", file=sys.stderr)
    return {
        "tuned": [Scores.of(own, truth[tested], accepted)],
        "0.5": [Scores.of(own, truth[tested], own >= 0.5)],
        "by hand": [Scores.of(by_hand, truth[tested], by_hand >= 0.5)],
    }


def _made(folder: Path, fashion: Path) -> Path:
    """The table of scenes, made once: training scenes of training garments, test scenes of test garments."""
    if not folder.exists():
        being_made, rows = folder.with_suffix(".part"), []
        being_made.mkdir(exist_ok=True)
        for split, prefix in (("train", "train"), ("test", "t10k")):
            garments = read_idx(fashion / f"{prefix}-images-idx3-ubyte.gz")
            labels = read_idx(fashion / f"{prefix}-labels-idx1-ubyte.gz")
            names = names_known_by(labels) or tuple(map(str, range(10)))
            random = np.random.default_rng(len(labels))
            for number in range(SCENES[split]):
                scene, chosen = _scene(garments, random)
                file = f"{split}-{number:04d}.png"
                PIL.Image.fromarray(scene).save(being_made / file)
                rows.append((file, "|".join(sorted({names[int(labels[row])] for row in chosen})), split))
        with open(being_made / "scenes.csv", "w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("file", "labels", "split"), *rows])
        being_made.rename(folder)
    return folder / "scenes.csv"


def _scene(garments: NDArray[np.uint8], random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Two to four garments, somewhere on black, none over another; and which they are."""
    scene, taken = np.zeros((SIDE, SIDE), np.uint8), []
    chosen = random.integers(0, len(garments), random.integers(2, 5))
    for row in chosen:
        large = PIL.Image.fromarray(garments[row]).resize((GARMENT, GARMENT), PIL.Image.Resampling.BICUBIC)
        while True:
            top, left = random.integers(0, SIDE - GARMENT + 1, 2).tolist()
            if all(abs(top - other) >= GARMENT or abs(left - beside) >= GARMENT for other, beside in taken):
                break
            if random.random() < 0.01:  # there is no room left: begin again
                return _scene(garments, random)
        taken.append((top, left))
        scene[top : top + GARMENT, left : left + GARMENT] = np.asarray(large)
    return scene, chosen


def _figures(place: str, told: Told) -> Iterator[Figure]:
    for how, scores in told.items():
        spreads = {
            "mAP": Spread.of([one.map for one in scores]),
            "micro F1": Spread.of([one.micro for one in scores]),
            "macro F1": Spread.of([one.macro for one in scores]),
        }
        texts = {
            name: spread.text(3) if spread.count > 1 else f"{spread.median:.3f}" for name, spread in spreads.items()
        }
        shown = ", ".join(f"{name} {text}" for name, text in texts.items())
        yield Figure(f"{place}: {how}", spreads["mAP"].median, shown)
    means = {how: [fmean(getattr(one, f) for one in told[how]) for f in ("map", "micro", "macro")] for how in told}
    gains = [own - other for own, other in zip(means["tuned"], means["by hand"], strict=True)]
    shown = f"mAP {gains[0]:+.3f}, micro F1 {gains[1]:+.3f}, macro F1 {gains[2]:+.3f}"
    yield Figure(f"**{place}: gain over probes by hand**", gains[0], shown, "at least 0", min(gains) >= 0)
    gains = [own - other for own, other in zip(means["tuned"], means["0.5"], strict=True)]
    shown = f"micro F1 {gains[1]:+.3f}, macro F1 {gains[2]:+.3f}"
    yield Figure(f"**{place}: gain of tuned thresholds**", gains[2], shown, "macro at least 0", gains[2] >= 0)


if __name__ == "__main__":
    sys.exit(main())
