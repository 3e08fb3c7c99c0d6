"""Whether confidences and prediction sets keep their word on images that nothing was fitted on.

The calibration error is compared with the 95th percentile of what a perfectly calibrated model shows on as many images.
Coverage is told on the splits as their owners made them, and tested where images of fit and test are alike: on random
splits, the number of images covered lies in the 95% interval of its distribution (beta-binomial) on 95% of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom

from beholder.evaluation import Evaluation
from beholder.model import ModelCard
from figures import Figure, arguments, parse, report
from learning_sets import LABELLED_SETS, LearningSet, Workshop, evaluated, numbered, workshop_arguments

SPLIT_SETS = ("clothing10", "grocery coarse")


def main() -> int:
    parser = arguments(__doc__, peers=False)
    workshop_arguments(parser, LABELLED_SETS)
    parser.add_argument("--split-sets", nargs="*", default=list(SPLIT_SETS), help="which are split at random")
    parser.add_argument("--splits", type=int, default=50, help="how many random splits of each")
    args = parse(parser)
    shop = Workshop(args)
    figures: list[Figure] = []
    for name in args.sets:
        known = shop.read(name)
        _, evaluation = _measured(shop, known, known.pool, np.flatnonzero(known.tested))
        figures += _as_they_are(name, evaluation)
        print(figures[-3:], file=sys.stderr, flush=True)
    for name in args.split_sets:
        figures += _at_random(shop, shop.read(name), args)
        print(figures[-2:], file=sys.stderr, flush=True)
    notes = [
        "calibration error (ECE): 15 bins of equal mass; a perfectly calibrated model's mean beside it, its 95th "
        "percentile the bound",
        f"random splits: {args.splits} of each set, its images of all splits together, a fifth of each class tested; "
        "near duplicates may straddle them",
    ]
    return report(args, "Calibration and prediction sets", notes, figures)


def _measured(
    shop: Workshop, known: LearningSet, learned_from: NDArray[Any], tested: NDArray[Any]
) -> tuple[ModelCard, Evaluation]:
    learned, head = shop.learn(known.part(learned_from))
    card = shop.card(learned, head)
    return card, evaluated(card, head.answer(known.of(tested)), numbered(known.labels[tested], card.labels))


def _as_they_are(name: str, found: Evaluation) -> Iterator[Figure]:
    error, perfect = found.metrics["ece"].value, found.ece_if_calibrated
    if error is None or perfect is None:
        raise SystemExit(f"{name}: there must be test images")
    top1 = found.metrics["top1"]
    shown = f"{error:.3f}, perfect {perfect.mean:.3f}; top-1 {top1.value:.1%}"
    title = f"**{name}: ECE, {found.count:,} test images**"
    details = {"high": perfect.high, "mean": perfect.mean}
    yield Figure(title, error, shown, f"at most {perfect.high:.3f}", error <= perfect.high, details)
    for percent in (90, 95):
        coverage, size = found.metrics[f"coverage_{percent}"], found.metrics[f"set_size_{percent}"]
        if coverage.value is None or size.value is None:
            continue
        shown = f"{coverage.value:.1%} ({coverage.low:.1%}–{coverage.high:.1%}), {size.value:.2f} labels"
        yield Figure(f"{name}: coverage at {percent}%, its own splits", coverage.value, shown, f"about {percent}%")


def _at_random(shop: Workshop, known: LearningSet, args: argparse.Namespace) -> Iterator[Figure]:
    inside: dict[int, list[bool]] = {90: [], 95: []}
    shares: dict[int, list[float]] = {90: [], 95: []}
    errors: list[bool] = []
    for number in range(args.splits):
        tested = _fifth(known, number)
        card, found = _measured(shop, known, np.flatnonzero(~tested), np.flatnonzero(tested))
        if card.prediction_sets is None or found.ece_if_calibrated is None:
            raise SystemExit(f"{known.name}: there must be images enough for prediction sets")
        errors.append((found.metrics["ece"].value or 0.0) <= found.ece_if_calibrated.high)
        for percent, own in inside.items():
            share = found.metrics[f"coverage_{percent}"].value or 0.0
            low, high = _interval(percent / 100, card.prediction_sets.count, found.count)
            own.append(low <= round(share * found.count) <= high)
            shares[percent].append(share)
        print(number, {p: (o[-1], round(shares[p][-1], 4)) for p, o in inside.items()}, file=sys.stderr, flush=True)
    least = int(binom.ppf(0.025, args.splits, 0.95))
    for percent, own in inside.items():
        right, share = sum(own), float(np.mean(shares[percent]))
        shown = f"{right} of {args.splits} splits inside; mean coverage {share:.1%}"
        title = f"**{known.name}: coverage at {percent}%, random splits**"
        yield Figure(title, right / args.splits, shown, f"at least {least} of {args.splits}", right >= least)
    right = sum(errors)
    shown = f"{right} of {args.splits} splits"
    yield Figure(f"{known.name}: ECE within the 95th percentile, random splits", right / args.splits, shown)


def _fifth(known: LearningSet, number: int) -> NDArray[np.bool_]:
    """A fifth of the images of each class, at random."""
    random, tested = np.random.default_rng(number), np.zeros(len(known.labels), np.bool_)
    for name in known.dataset.classes:
        own = random.permutation(np.flatnonzero(known.labels == name))
        tested[own[: round(len(own) / 5)]] = True
    return tested


def _interval(coverage: float, calibrating: int, tested: int) -> tuple[int, int]:
    """How many of the tested images are covered, 95% of the time, with so many to calibrate on.

    Source: V. Vovk, "Conditional validity of inductive conformal predictors", ACML 2012: the coverage of a threshold is
    Beta distributed.
    """
    rank = int(np.floor((1 - coverage) * (calibrating + 1) + 1e-9))
    covered = betabinom(tested, calibrating + 1 - rank, rank)
    return int(covered.ppf(0.025)), int(covered.ppf(0.975))


if __name__ == "__main__":
    sys.exit(main())
