"""How often the head is right on real test images, beside a linear probe that is made by hand with scikit-learn.

Both learn from the same draws and see the images through the same network: the probe its embedding, standardized, with
a logistic regression whose strength cross-validation chooses; Beholder whichever layers its own choice falls on.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from beholder.evaluation import proportion
from figures import Figure, Spread, arguments, parse, report
from learning_sets import LABELLED_SETS, LearningSet, Workshop, numbered, workshop_arguments
from linear_probe import fit_probe

EVERYTHING = 1_000_000
LEAST_GAIN = {EVERYTHING: 1.0, 100: 1.0, 50: 1.0, 20: 1.0}
"""Points of top-1 that the head must be ahead by on average, over the sets, by images per class."""

MOST_LOSS = 1.0
"""Points of top-1 that it may be behind by on any set."""


@dataclass(frozen=True)
class Try:
    """One draw, learned from by both."""

    set: str
    per_class: int
    images: int
    tested: int
    right: int
    right_by_hand: int
    seconds: float
    seconds_by_hand: float
    shares: tuple[float, ...]
    penalties: tuple[float, ...]
    strength: float

    @property
    def gain(self) -> float:
        """Points of top-1 by which the head is ahead."""
        return 100 * (self.right - self.right_by_hand) / self.tested

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {**self.__dict__, "gain": self.gain}


def main() -> int:
    parser = arguments(__doc__, peers=False)
    workshop_arguments(parser, LABELLED_SETS)
    parser.add_argument("--draws", type=int, default=5, help="how many draws of each size")
    parser.add_argument("--per-class", type=int, nargs="+", default=[100, 50, 20, 5], help="images of each class")
    args = parse(parser)
    shop = Workshop(args)
    tries: list[Try] = []
    for name in args.sets:
        tries += _tries(shop, shop.read(name), args)
    notes = [
        f"{args.draws} draws of each size from train and validation; test images: the set's own",
        "in brackets: the 95% interval of all, the least and the greatest gain of the draws of a size",
        "seconds: of one fit with its cross-validation, features known; the probe chooses among 7 strengths",
    ]
    return report(args, "Accuracy of the head", notes, [*_told(tries), *_bounds(tries)])


def _tries(shop: Workshop, known: LearningSet, args: argparse.Namespace) -> list[Try]:
    tries, drawn = [], set()
    for per_class, draws in ((EVERYTHING, 1), *((size, args.draws) for size in args.per_class)):
        for number in range(draws):
            rows = known.draw(per_class, number)
            if rows.tobytes() in drawn:  # no class has more than that
                continue
            drawn.add(rows.tobytes())
            tries.append(_try(shop, known, rows, per_class))
            print(tries[-1], file=sys.stderr, flush=True)
    return tries


def _try(shop: Workshop, known: LearningSet, rows: Any, per_class: int) -> Try:
    truth = numbered(known.labels, known.dataset.classes)
    tested, embeddings = known.tested, known.layers["embedding"]
    learned, head = shop.learn(known.part(rows))
    answers = head.answer(known.of(tested))
    said = np.array(learned.material.dataset.classes)[answers["logits"].argmax(axis=1)]
    started = time.perf_counter()
    probe = fit_probe(embeddings[rows], truth[rows])
    seconds_by_hand = time.perf_counter() - started
    return Try(
        set=known.name,
        per_class=per_class,
        images=len(rows),
        tested=int(tested.sum()),
        right=int((said == known.labels[tested]).sum()),
        right_by_hand=int((probe.predict(embeddings[tested]) == truth[tested]).sum()),
        seconds=learned.seconds["fit"],
        seconds_by_hand=seconds_by_hand,
        shares=tuple(map(float, head.fit.shares)),
        penalties=tuple(map(float, head.fit.penalties)),
        strength=float(np.atleast_1d(getattr(probe[-1], "C_", 1.0))[0]),
    )


def _told(tries: list[Try]) -> list[Figure]:
    figures = []
    for name, size in dict.fromkeys((one.set, one.per_class) for one in tries):
        own = [one for one in tries if (one.set, one.per_class) == (name, size)]
        top1 = fmean(one.right / one.tested for one in own)
        by_hand = fmean(one.right_by_hand / one.tested for one in own)
        gains = Spread.of([one.gain for one in own])
        mean = fmean(one.gain for one in own)
        first = proportion(own[0].right, own[0].tested)
        interval = f" ({first.low:.1%}–{first.high:.1%})" if len(own) == 1 else ""
        shown = f"{top1:.1%}{interval}, by hand {by_hand:.1%}: {mean:+.1f} points"
        shown += f" ({gains.least:+.1f} to {gains.greatest:+.1f})" if len(own) > 1 else ""
        seconds = fmean(one.seconds for one in own), fmean(one.seconds_by_hand for one in own)
        shown += f"; {seconds[0]:.1f} s, by hand {seconds[1]:.1f} s"
        title = f"{name}: {_size(size)}, {own[0].images:,} images, {own[0].tested:,} tested"
        figures.append(Figure(title, mean, shown, details={"tries": [one.to_dict() for one in own]}))
    return figures


def _bounds(tries: list[Try]) -> list[Figure]:
    """Ahead on average where there are images enough, and nowhere behind by much."""
    figures = []
    means = {
        key: fmean(one.gain for one in tries if (one.set, one.per_class) == key)
        for key in dict.fromkeys((one.set, one.per_class) for one in tries)
    }
    enough = [gain for (_, size), gain in means.items() if size in LEAST_GAIN]
    if enough:
        mean = fmean(enough)
        title = "**gain over the probe, 20 images a class and more, mean of sets and sizes**"
        figures.append(Figure(title, mean, f"{mean:+.2f} points", "at least 1", mean >= 1))
    for size in dict.fromkeys(size for _, size in means):
        own = [gain for (_, other), gain in means.items() if other == size]
        least = min(own)
        title = f"**gain, {_size(size)}: mean of sets, and the least of a set**"
        shown = f"{fmean(own):+.2f}, {least:+.2f} points"
        figures.append(Figure(title, least, shown, f"least at least {-MOST_LOSS:g}", least >= -MOST_LOSS))
    return figures


def _size(per_class: int) -> str:
    return "all" if per_class == EVERYTHING else f"{per_class} a class"


if __name__ == "__main__":
    sys.exit(main())
