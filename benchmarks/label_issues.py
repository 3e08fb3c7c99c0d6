"""How many wrong labels are found among those that look wrong, beside cleanlab; and what mending them is worth.

Of the labels that are learned from, some are changed at random. With k of them wrong, a person looks at the first 2k of
a list: what is wrong among these is found, and mended. cleanlab is given what its own recipe says: probabilities of a
logistic regression on the embedding, by five folds; and a second time Beholder's, to tell ranking from probabilities.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.data import Dataset
from beholder.training import Learned, find_label_issues
from beholder.training.exporting import Head
from figures import Figure, arguments, parse, report
from learning_sets import LearningSet, Workshop, numbered, workshop_arguments
from linear_probe import left_out_probabilities

NOISY_SETS = ("clothing10", "grocery coarse")
CONTESTANT = Path(__file__).parent / "contestants" / "cleanlab_issues.py"
OURS = "Beholder"
HAND_RECIPE = "cleanlab, its recipe"
HAND_OURS = "cleanlab, Beholder's probabilities"


@dataclass(frozen=True)
class Noise:
    """One set with wrong labels, and what was found of them.

    Attributes:
        set: its name.
        share: of the labels that are wrong.
        seed: of which, and of what they are changed to.
        wrong: how many.
        found: by finder, how many of them are among twice as many at the head of its list.
        listed: how many Beholder and cleanlab call issues.
        right: test images answered rightly, with labels as they are, mended, and right.
        tested: how many test images there are.
    """

    set: str
    share: float
    seed: int
    wrong: int
    found: dict[str, int]
    listed: dict[str, int]
    right: dict[str, int]
    tested: int


def main() -> int:
    parser = arguments(__doc__, peers=False)
    workshop_arguments(parser, NOISY_SETS)
    given = os.environ.get("BEHOLDER_CLEANLAB_PYTHON")
    parser.add_argument("--cleanlab-python", default=given, help="an interpreter that has cleanlab (see README.md)")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1], help="of the labels that are wrong")
    parser.add_argument("--seeds", type=int, default=3, help="how often labels are changed")
    args = parse(parser)
    if not args.cleanlab_python or not Path(args.cleanlab_python).exists():
        parser.error(f"--cleanlab-python must name an interpreter that has cleanlab, found {args.cleanlab_python}")
    shop = Workshop(args)
    tries: list[Noise] = []
    for name in args.sets:
        known = shop.read(name)
        for share in args.shares:
            for seed in range(args.seeds):
                tries.append(_try(shop, known, share, seed, args.cleanlab_python))
                print(tries[-1], file=sys.stderr, flush=True)
    notes = [
        f"{args.seeds} times so many labels of train and validation changed to another class, all others alike",
        "found: wrong labels among the first 2k of a list, k being how many are wrong; a list may be shorter",
        "cleanlab: `find_label_issues(return_indices_ranked_by=…)`, then all others by the same score",
    ]
    return report(args, "Wrong labels", notes, [*_told(tries), *_bounds(tries)])


def _try(shop: Workshop, known: LearningSet, share: float, seed: int, cleanlab: str) -> Noise:
    rows = known.pool
    right = numbered(known.labels[rows], known.dataset.classes)
    given, wrong = _changed(right, len(known.dataset.classes), share, seed)
    learned, head = shop.learn(_labelled(known, rows, given))
    ranked = _ranked(learned, known, rows)
    own = learned.unseen_probabilities()
    by_hand = left_out_probabilities(known.layers["embedding"][rows], given)
    judged = ~np.isnan(own[:, 0])
    own[~judged] = np.eye(own.shape[1])[given[~judged]]  # never left out: nothing speaks against its label
    recipe = _cleanlab(cleanlab, by_hand, given)
    orders = {OURS: ranked} | {f"{HAND_RECIPE}, {by}": order for by, order in recipe.items() if by != "count"}
    fed = _cleanlab(cleanlab, own, given)
    orders |= {f"{HAND_OURS}, {by}": order for by, order in fed.items() if by != "count"}
    budget = 2 * int(wrong.sum())
    mended = given.copy()
    looked_at = ranked[:budget]
    mended[looked_at] = right[looked_at]
    return Noise(
        set=known.name,
        share=share,
        seed=seed,
        wrong=int(wrong.sum()),
        found={name: int(wrong[order[:budget]].sum()) for name, order in orders.items()},
        listed={OURS: len(ranked), HAND_RECIPE: int(recipe["count"][0]), HAND_OURS: int(fed["count"][0])},
        right={
            "as they are": _right(known, learned, head),
            "mended": _right(known, *shop.learn(_labelled(known, rows, mended))),
            "right": _right(known, *shop.learn(_labelled(known, rows, right))),
        },
        tested=int(known.tested.sum()),
    )


def _changed(
    right: NDArray[np.int64], classes: int, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Labels of which a share is wrong, and which of them."""
    random = np.random.default_rng([round(1000 * share), seed])
    chosen = random.permutation(len(right))[: round(share * len(right))]
    given = right.copy()
    given[chosen] = (right[chosen] + random.integers(1, classes, len(chosen))) % classes
    return given, given != right


def _labelled(known: LearningSet, rows: NDArray[Any], labels: NDArray[np.int64]) -> Dataset:
    classes, part = known.dataset.classes, known.part(rows)
    pairs = zip(part.samples, labels.tolist(), strict=True)
    return part.with_samples(replace(sample, labels=(classes[label],)) for sample, label in pairs)


def _ranked(learned: Learned, known: LearningSet, rows: NDArray[Any]) -> NDArray[np.int64]:
    """The places, among the rows, of the labels that Beholder takes for wrong."""
    place = {known.dataset.samples[int(row)].name: index for index, row in enumerate(rows)}
    return np.array([place[suspect.sample.name] for suspect in find_label_issues(learned)], np.int64)


def _cleanlab(python: str, probabilities: NDArray[Any], given: NDArray[np.int64]) -> Mapping[str, NDArray[np.int64]]:
    """All labels from the most to the least suspicious, by each of cleanlab's scores; `count`: how many are issues."""
    with TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.npz", Path(folder) / "answered.npz"
        np.savez(asked, probabilities=probabilities.astype(np.float64), given=given)
        subprocess.run([python, str(CONTESTANT), str(asked), str(answered)], check=True, stdout=subprocess.DEVNULL)
        with np.load(answered) as found:
            return {name: found[name] for name in found.files}


def _right(known: LearningSet, learned: Learned, head: Head) -> int:
    scores = head.answer(known.of(known.tested))["logits"]
    said = np.array(learned.material.dataset.classes)[scores.argmax(axis=1)]
    return int((said == known.labels[known.tested]).sum())


def _told(tries: list[Noise]) -> Iterator[Figure]:
    for name, share in dict.fromkeys((one.set, one.share) for one in tries):
        own = [one for one in tries if (one.set, one.share) == (name, share)]
        wrong = sum(one.wrong for one in own)
        place = f"{name}, {share:.0%} wrong"
        for finder in own[0].found:
            found = sum(one.found[finder] for one in own)
            title = f"{place}: found by {finder}"
            yield Figure(title, found / wrong, f"{found} of {wrong} ({found / wrong:.1%})")
        tested = sum(one.tested for one in own)
        shares = {state: sum(one.right[state] for one in own) / tested for state in own[0].right}
        shown = ", ".join(f"{state} {value:.1%}" for state, value in shares.items())
        details = {"tries": [asdict(one) for one in own]}
        yield Figure(f"{place}: top-1 with labels", shares["mended"], shown, details=details)


def _bounds(tries: list[Noise]) -> Iterator[Figure]:
    """As many as cleanlab finds by its recipe, whichever of its scores is better."""
    shares = {finder: fmean(one.found[finder] / one.wrong for one in tries) for finder in tries[0].found}
    best = max((name for name in shares if name.startswith(HAND_RECIPE)), key=lambda name: shares[name])
    shown = f"{shares[OURS]:.1%}, {best} {shares[best]:.1%}"
    holds = shares[OURS] >= shares[best]
    yield Figure("**wrong labels found, mean**", shares[OURS], shown, f"at least {shares[best]:.1%}", holds)


if __name__ == "__main__":
    sys.exit(main())
