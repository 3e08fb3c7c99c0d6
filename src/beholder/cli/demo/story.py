"""The demo's main job, on real files: train, find what is wrong, fix it, train again, answer what was never seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from beholder.cli.demo.tiles import STRANGERS, Planted, cut_and_plant, photograph
from beholder.records import to_json

if TYPE_CHECKING:
    from beholder.auditing import Finding
    from beholder.evaluation import Evaluation
    from beholder.result import Classification

FIXED_KINDS: Final = ("unreadable", "exact_duplicate", "label_issue")
"""What the demo lets itself fix without asking anybody: it planted the wrong labels itself, and shows each."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was planted.

    Attributes:
        what: in words.
        source: name of the image.
        finding: what the audit said of it; None where it said nothing.
        is_right: whether what the audit proposes takes the fault away.
    """

    what: str
    source: str
    finding: Finding | None
    is_right: bool


@dataclass(frozen=True, slots=True)
class Stranger:
    """A photograph of nothing that the model was taught, and what it answered."""

    what: str
    path: Path
    answer: Classification


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    Attributes:
        planted: the images, and what is wrong with them.
        faults: what was planted, and whether it was found.
        others: what the audit found beside.
        before: of the first model, on the held-out tiles.
        after: of the second, trained on the corrected images.
        left_out: of the first and the second, on its own images, each left out of training in turn.
        answers: of the second model to the held-out tiles, by the name of the true class.
        strangers: a cat and a cup.
        model: the second model.
        report: its report.
        seconds: from the photographs to here.
    """

    planted: Planted
    faults: tuple[Fault, ...]
    others: tuple[Finding, ...]
    before: Evaluation
    after: Evaluation
    left_out: tuple[Evaluation, Evaluation]
    answers: tuple[tuple[str, Classification], ...]
    strangers: tuple[Stranger, ...]
    model: Path
    report: Path
    seconds: float

    @property
    def found_count(self) -> int:
        """How many of the planted faults were found, with the right proposal."""
        return sum(fault.is_right for fault in self.faults)

    @property
    def right_count(self) -> int:
        """How many of the held-out tiles were given their label."""
        return sum(not answer.unknown and answer.label == truth for truth, answer in self.answers)

    @property
    def unanswered_count(self) -> int:
        """How many of them were answered *unknown*."""
        return sum(bool(answer.unknown) for _, answer in self.answers)

    def to_dict(self) -> dict[str, Any]:
        """What `demo --json` prints."""
        return {
            "planted": len(self.faults),
            "found": self.found_count,
            "also_found": [finding.to_dict() for finding in self.others],
            "tiles": {
                "right": self.right_count,
                "unknown": self.unanswered_count,
                "wrong": len(self.answers) - self.right_count - self.unanswered_count,
            },
            "top1_before": to_json(self.before.top1),
            "top1_after": to_json(self.after.top1),
            "strangers": {one.what: "unknown" if one.answer.unknown else one.answer.label for one in self.strangers},
            "model": str(self.model),
            "seconds": round(self.seconds, 1),
        }


def tell_story(folder: Path, seed: int, tell: Tell) -> Story:
    """Do all of it in an empty folder.

    Args:
        folder: gets the images and the model.
        seed: of the tiles and of the training.
        tell: told what is going on.
    """
    from beholder.auditing import audit
    from beholder.data import CorrectionLog, read
    from beholder.data.corrections import by_audit
    from beholder.evaluation import evaluate
    from beholder.training import Recipe, run_training
    from beholder.zoo import load

    started = time.perf_counter()
    planted = cut_and_plant(folder, seed)
    recipe = Recipe(seed=seed)
    log = CorrectionLog.of(read(planted.training, corrections=False))
    for entry in reversed(log.read().effective()):  # of an earlier demo, whose images are gone
        log.undo(entry.id)
    dataset = read(planted.training)
    first = run_training(dataset, folder / "before.onnx", recipe=recipe, report=tell)
    findings = audit(dataset, recipe=recipe, report=tell).findings
    fixes = (one.change for one in findings if one.change is not None and one.kind in FIXED_KINDS)
    log.add(fixes, by=by_audit())
    second = run_training(read(planted.training), folder / "textures.onnx", recipe=recipe, report=tell)
    before, after = evaluate(first.model, planted.held_out), evaluate(second.model, planted.held_out)
    model = load(second.model)
    faults = _faults(planted, findings)
    known = {fault.source for fault in faults}
    return Story(
        planted=planted,
        faults=faults,
        others=tuple(one for one in findings if known.isdisjoint((one.source, *one.others))),
        before=before,
        after=after,
        left_out=(first.evaluation, second.evaluation),
        answers=tuple((Path(one.source).parent.name, one) for one in model.predict_many(planted.held_out)),
        strangers=tuple(Stranger(what, path, model.predict(path)) for what, path in _stranger_paths()),
        model=second.model,
        report=second.report,
        seconds=time.perf_counter() - started,
    )


def _stranger_paths() -> list[tuple[str, Path]]:
    return [(what, photograph(name)) for what, name in STRANGERS.items()]


def _faults(planted: Planted, findings: tuple[Finding, ...]) -> tuple[Fault, ...]:
    """Each planted fault, with what was found."""

    def of(kind: str, *names: str) -> Finding | None:
        return next((one for one in findings if one.kind == kind and one.source in names), None)

    broken = of("unreadable", planted.broken)
    copy = of("exact_duplicate", planted.duplicate, planted.original)
    faults = [
        Fault("a file cut short", planted.broken, broken, broken is not None),
        Fault(f"a copy of {planted.original}", planted.duplicate, copy, copy is not None),
    ]
    for name, truth in planted.wrong.items():
        found = of("label_issue", name)
        is_right = found is not None and found.change is not None and found.change.after == (truth,)
        faults.append(Fault(f"{truth}, put into {name.split('/')[0]}", name, found, is_right))
    return tuple(faults)
