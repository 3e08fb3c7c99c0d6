"""How many strangers are answered *unknown* where 95% of known images are answered, beside the greatest softmax.

Far strangers are images of other sets; near ones are of classes that were left out. The rule's thresholds, and that of
the greatest softmax, come from images left out of the fit in turn: none is set on the images that are measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.evaluation import strangers_of
from beholder.evaluation.answering import auroc
from beholder.model import ModelCard
from beholder.model.confidence import is_unknown
from beholder.training import Learned
from figures import Figure, arguments, parse, report
from learning_sets import STRANGERS, Layers, LearningSet, Workshop, workshop_arguments

KNOWN_SETS = ("clothing10", "grocery fine")
FASHION_STRANGERS = 500
BUDGET = 0.05
Answers = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Told:
    """How well some strangers are told from known images.

    Attributes:
        known: the set whose classes are known.
        strangers: what the strangers are.
        kind: `far` or `near`.
        count: how many there are.
        areas: AUROC by score.
        found: the share that is answered unknown, by rule.
        answered: the share of known test images that is answered, by rule.
    """

    known: str
    strangers: str
    kind: str
    count: int
    areas: dict[str, float]
    found: dict[str, float]
    answered: dict[str, float]


def main() -> int:
    parser = arguments(__doc__, peers=False)
    workshop_arguments(parser, KNOWN_SETS)
    parser.add_argument("--draws", type=int, default=3, help="how often classes are left out")
    parser.add_argument("--classes", type=int, default=3, help="how many classes are left out")
    args = parse(parser)
    shop = Workshop(args)
    strangers = {name: shop.looked_at(name, read(shop)).layers for name, read in STRANGERS.items()}
    fashion = shop.read("fashion")
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(fashion.tested))[:FASHION_STRANGERS]
    strangers["fashion"] = fashion.of(drawn)
    told: list[Told] = []
    for name in args.sets:
        known = shop.read(name)
        for one in (*_far(shop, known, strangers), *_near(shop, known, args)):
            print(one, file=sys.stderr, flush=True)
            told.append(one)
    notes = [
        f"known images that may go unanswered: {BUDGET:.0%}; thresholds from images left out of the fit in turn",
        "far strangers: AUROC of familiarity / of the largest logit / of both, as the rule has it / of the softmax",
        f"near strangers: all images of {args.classes} classes left out, {args.draws} draws",
    ]
    return report(args, "Unknown", notes, [*map(_figure, told), *_means(told)])


def _far(shop: Workshop, known: LearningSet, strangers: Mapping[str, Layers]) -> Iterator[Told]:
    learned, head = shop.learn(known.part(known.pool))
    card, answers = shop.card(learned, head), head.answer(known.of(known.tested))
    for name, layers in strangers.items():
        yield _told(known.name, name, "far", learned, card, answers, head.answer(layers))


def _near(shop: Workshop, known: LearningSet, args: argparse.Namespace) -> Iterator[Told]:
    for number in range(args.draws):
        left_out = np.random.default_rng(number).permutation(known.dataset.classes)[: args.classes]
        strange = np.isin(known.labels, left_out)
        learned, head = shop.learn(known.part(np.flatnonzero(~strange & ~known.tested)))
        card, answers = shop.card(learned, head), head.answer(known.of(known.tested & ~strange))
        names = f"without {', '.join(sorted(left_out.tolist()))}"
        yield _told(known.name, names, "near", learned, card, answers, head.answer(known.of(strange)))


def _told(
    known: str, strangers: str, kind: str, learned: Learned, card: ModelCard, answers: Answers, strange: Answers
) -> Told:
    sources = [str(row) for row in range(len(strange["logits"]))]
    scores: dict[str, tuple[Any, Any]] = {}
    for name, how in (("familiarity", "far"), ("logits", "near"), ("both", "given")):
        found = strangers_of(card, how, answers, strange, sources)  # type: ignore[arg-type]
        scores[name] = found.known_scores, found.scores
    scores["softmax"] = answers["probabilities"].max(axis=1), strange["probabilities"].max(axis=1)
    unseen = learned.unseen_probabilities()
    threshold = float(np.nanquantile(unseen[~np.isnan(unseen[:, 0])].max(axis=1), BUDGET))
    by_rule, known_by_rule = is_unknown(card, strange), is_unknown(card, answers)
    if by_rule is None or known_by_rule is None:
        raise SystemExit(f"{known}: there must be images enough for a rule")
    return Told(
        known=known,
        strangers=strangers,
        kind=kind,
        count=len(sources),
        areas={name: auroc(*pair) for name, pair in scores.items()},
        found={"rule": float(by_rule.mean()), "softmax": float((scores["softmax"][1] < threshold).mean())},
        answered={
            "rule": float((~known_by_rule).mean()),
            "softmax": float((scores["softmax"][0] >= threshold).mean()),
        },
    )


def _figure(one: Told) -> Figure:
    areas = " / ".join(f"{one.areas[name]:.3f}" for name in ("familiarity", "logits", "both", "softmax"))
    shown = f"AUROC {areas}; found {one.found['rule']:.1%}, softmax {one.found['softmax']:.1%}"
    shown += f"; known answered {one.answered['rule']:.1%}, softmax {one.answered['softmax']:.1%}"
    title = f"{one.known}, {one.kind}: {one.strangers} ({one.count})"
    return Figure(title, one.found["rule"], shown, details=asdict(one))


def _means(told: list[Told]) -> Iterator[Figure]:
    for kind in ("far", "near"):
        own = [one for one in told if one.kind == kind]
        by_rule, by_softmax = (fmean(one.found[name] for one in own) for name in ("rule", "softmax"))
        shown = f"{by_rule:.1%}, softmax {by_softmax:.1%}"
        yield Figure(f"**{kind} strangers found, mean**", by_rule, shown, "more than softmax", by_rule > by_softmax)
        area = fmean(one.areas["both"] for one in own)
        by_softmax = fmean(one.areas["softmax"] for one in own)
        shown = f"{area:.3f}, softmax {by_softmax:.3f}"
        yield Figure(f"**{kind} strangers, AUROC of both, mean**", area, shown, "more than softmax", area > by_softmax)
    answered = {(one.known, one.answered["rule"]) for one in told if one.kind == "far"}
    for name, share in sorted(answered):
        yield Figure(f"known test images answered, {name}", share, f"{share:.1%}", "about 95%")


if __name__ == "__main__":
    sys.exit(main())
