"""How many images a second training takes in, beside torch alone, timm's training script and fastai.

All train the same network (the number of its parameters is checked) with the same batches, precision and number of
threads, from the same folder, by AdamW, with random crops and mirroring:

- *torch alone*: forward, backward and a step on tensors that lie ready; nothing is loaded or varied;
- *timm*: the `train.py` of its repository, as it is;
- *fastai*: a `Learner` on a `DataBlock`.

Beholder also averages the weights, clips gradients and watches the loss, because that is how it trains. Measured are
the steps after the first ones, within an epoch. Every turn is a process of its own; all go in turns, and a ratio is
taken within a round. Peers go with each number of workers, and the one that is fastest counts.

Beholder decodes every image once, before its first step; timm and fastai do so in each of their steps. Therefore there
are two ratios: of the steps alone; and of a whole training of 12 epochs, as one that fine-tunes usually has, in which
what decoding took is added to Beholder's steps: its rate is then images x epochs / (seconds of decoding + images x
epochs / rate of the steps). It begins each turn with an empty cache. What it takes before that, to read the files and
to find images that show the same, peers do not do: it is told, and in neither ratio.

A turn is not repeated where something else uses the cores meanwhile; before each one, the script waits until they are
idle, 20 seconds at most.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import Figure, Spread, arguments, at_least, parse, report
from learning_sets import FASHION_FOLDER
from photographs import images_folder
from race import CONTESTANTS, OFFLINE, wait_until_idle
from training_sets import fashion_folder, prepare, tell

BEHOLDER, BARE, TIMM, FASTAI = "Beholder", "torch alone", "timm", "fastai"
BOUNDS = {BARE: 0.9, TIMM: 1.0, FASTAI: 1.0}
FASHION_IMAGES = 10_000
EPOCHS = 12
"""Of a training that begins with published weights, where its recipe does not say."""


@dataclass(frozen=True)
class Answer:
    """What came of one turn.

    Attributes:
        rate: images a second of the steps that were measured.
        looking: seconds of reading the files and finding those that show the same; 0 of peers, which do not.
        decoding: seconds of decoding before the first step; 0 of who decodes within the steps.
        fitted: images of an epoch; 0 where nothing was decoded before.
    """

    rate: float
    looking: float
    decoding: float
    fitted: int

    @property
    def whole_rate(self) -> float:
        """Images a second of a whole training, with what it decoded before."""
        seen = self.fitted * EPOCHS
        return seen / (self.decoding + seen / self.rate) if seen else self.rate


@dataclass(frozen=True)
class Turn:
    """A contestant, as it is started.

    Attributes:
        name: for the table.
        group: contestants of one group are one peer, set up in different ways.
        command: without the lesson, which is its first argument.
        workers: processes that make batches.
    """

    name: str
    group: str
    command: tuple[str, ...]
    workers: int

    def take(self, lesson: Mapping[str, Any], work: Path, cores: int) -> Answer:
        """Let one process train; whatever it leaves behind is removed."""
        path = work / "lesson.json"
        path.write_text(json.dumps({**lesson, "workers": self.workers}), encoding="utf-8")
        python, script, *rest = self.command
        command = [python, str(CONTESTANTS / script), str(path), *rest]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # which a contestant does not clean up
            own = {**os.environ, **OFFLINE, "OMP_NUM_THREADS": str(cores), "TMPDIR": folder}
            wait_until_idle()
            done = subprocess.run(command, env=own, capture_output=True, text=True)
        if done.returncode or not done.stdout.strip():
            raise SystemExit(f"{self.name} has ended with status {done.returncode}; it said:\n{done.stderr[-3000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        if told["threads"] != cores:
            raise SystemExit(f"{self.name} must train with {cores} threads, found {told['threads']}")
        before = told.get("looking", 0.0), told.get("decoding", 0.0)
        return Answer(told["images_per_second"], *before, told.get("fitted", 0))


Lessons = dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]]


def main() -> int:
    parser = arguments(__doc__)
    speed_arguments(parser)
    parser.add_argument("--lessons", nargs="+", choices=LESSONS, default=list(LESSONS), help="what is trained")
    parser.add_argument("--fashion", default=FASHION_FOLDER, help="folder of Fashion-MNIST's IDX files (see README.md)")
    parser.add_argument("--fastai-python", default=os.environ.get("BEHOLDER_FASTAI_PYTHON"), help="see README.md")
    args = parse(parser)
    groups = required(parser, args)
    work = prepare(args)
    figures: list[Figure] = []
    for name in args.lessons:
        lesson = {**LESSONS[name](work, args), "device": "cpu", "precision": args.precision}
        figures += compete(name, lesson, groups, work, args)
    notes = [
        f"{args.precision}, {args.cores} threads; {args.rounds} rounds; medians (least–greatest)",
        *race_notes(),
    ]
    return report(args, "Speed of training", notes, figures)


def race_notes() -> list[str]:
    """What a reader of any race of training must know."""
    return [
        "workers: processes that make batches; Beholder has one fewer than there are cores",
        "steps: Beholder has decoded every image before, timm and fastai decode within them; torch alone has nothing "
        "to decode",
        f"{EPOCHS} epochs: what Beholder's decoding took is added to the seconds of its steps in so many epochs",
    ]


def speed_arguments(parser: argparse.ArgumentParser, peers: Sequence[str] = (BARE, TIMM, FASTAI)) -> None:
    """The options of a race of training."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=peers, default=list(peers), help="beside whom")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the peers, each number in turn")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="fastai has bf16 on GPUs only")
    parser.add_argument("--skip", type=int, help="steps that are not measured, instead of the lesson's")
    parser.add_argument("--steps", type=int, help="steps that are measured, instead of the lesson's")
    given = os.environ.get("BEHOLDER_TIMM_TRAIN")
    parser.add_argument("--timm-train", default=given, help="train.py of timm's repository (see README.md)")


def required(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """Who is in the race; what they need must be there."""
    needed = {
        TIMM: ("--timm-train", args.timm_train),
        FASTAI: ("--fastai-python", getattr(args, "fastai_python", None)),
    }
    for peer, (option, given) in needed.items():
        if peer in args.peers and not (given and Path(given).exists()):
            parser.error(f"{option} is needed for {peer} (see README.md; or leave it out by --peers), found {given}")
    if args.precision == "bf16" and FASTAI in args.peers:
        parser.error("--precision bf16: fastai has it on GPUs only; leave it out by --peers")
    return [BEHOLDER, *args.peers]


def compete(
    name: str, lesson: dict[str, Any], groups: Sequence[str], work: Path, args: argparse.Namespace
) -> Iterator[Figure]:
    """One lesson: everybody in turns."""
    lesson["skip"], lesson["steps"] = args.skip or lesson["skip"], args.steps or lesson["steps"]
    lesson |= _counted(lesson, work, args)
    turns = [turn for group in groups for turn in _turns(group, args)]
    answers: dict[str, list[Answer]] = {turn.name: [] for turn in turns}
    for number in range(args.rounds):
        for turn in turns if number % 2 == 0 else reversed(turns):
            answer = turn.take(lesson, work, args.cores)
            answers[turn.name].append(answer)
            tell(f"{name}, round {number + 1} of {args.rounds}: {turn.name} {answer.rate:,.1f} images/s")
    for turn in turns:
        spread = Spread.of([answer.rate for answer in answers[turn.name]])
        yield Figure(f"{name}: {turn.name}", spread.median, f"{spread.text(1)} images/s", details={"lesson": lesson})
    yield from _before(name, answers[BEHOLDER])
    for group in groups[1:]:
        own = [turn.name for turn in turns if turn.group == group]
        fastest = max(own, key=lambda one: Spread.of([answer.rate for answer in answers[one]]).median)
        yield from _ratios(f"{name}: {BEHOLDER} / {fastest}", answers[BEHOLDER], answers[fastest], group)


def _before(name: str, own: Sequence[Answer]) -> Iterator[Figure]:
    """What Beholder did before its first step, and what that makes of its rate."""
    decoding, looking = (Spread.of([getattr(answer, what) for answer in own]) for what in ("decoding", "looking"))
    shown = f"{decoding.text(1)} s, {own[0].fitted:,} images; {looking.text(1)} s of looking at them before"
    yield Figure(f"{name}: {BEHOLDER}, decoding before the first step", decoding.median, shown)
    whole = Spread.of([answer.whole_rate for answer in own])
    yield Figure(f"{name}: {BEHOLDER}, {EPOCHS} epochs with decoding", whole.median, f"{whole.text(1)} images/s")


def _ratios(name: str, own: Sequence[Answer], others: Sequence[Answer], group: str) -> Iterator[Figure]:
    """Of the steps, and of a whole training; that of torch alone has no bound there, for it decodes nothing."""
    pairs = list(zip(own, others, strict=True))
    yield at_least(f"**{name}, steps**", Spread.of([one.rate / other.rate for one, other in pairs]), BOUNDS[group])
    whole = Spread.of([one.whole_rate / other.whole_rate for one, other in pairs])
    title = f"{name}, {EPOCHS} epochs with decoding"
    if group == BARE:
        yield Figure(title, whole.median, whole.text())
    else:
        yield at_least(f"**{title}**", whole, BOUNDS[group])


def _turns(group: str, args: argparse.Namespace) -> Iterator[Turn]:
    if group == BEHOLDER:
        yield Turn(group, group, (args.beholder_python, "beholder_training.py"), 0)
    elif group == BARE:
        yield Turn(group, group, (args.beholder_python, "bare_torch.py"), 0)
    else:
        for workers in args.workers:
            name = f"{group}, {workers} worker{'s' * (workers != 1)}"
            python = args.peers_python if group == TIMM else args.fastai_python
            rest = ("timm_training.py", args.timm_train) if group == TIMM else ("fastai_training.py",)
            yield Turn(name, group, (python, *rest), workers)


def _counted(lesson: Mapping[str, Any], work: Path, args: argparse.Namespace) -> dict[str, int]:
    """The parameters and multiply-adds that every contestant's network must have."""
    path = work / "lesson.json"
    path.write_text(json.dumps(dict(lesson)), encoding="utf-8")
    command = [args.beholder_python, str(CONTESTANTS / "bare_torch.py"), str(path), "--count"]
    found: dict[str, int] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def _garments(work: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Photographs, whose decoding costs something."""
    import shutil

    folder = work / "clothing10"
    if not folder.exists():
        shutil.unpack_archive(images_folder(args.images) / "clothing10" / "images.zip", folder)
    told = {"architecture": "efficientnet-lite0", "width": 1.0, "size": 192, "channels": 3, "classes": 10, "batch": 32}
    return {**told, "crop": 0.35, "folder": str(folder / "images" / "train"), "skip": 10, "steps": 30}


def _fashion(work: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Small grey images, and a network as narrow as they can be learned by in minutes."""
    folder = work / f"fashion-{FASHION_IMAGES}-train"
    if not folder.exists():
        source, being_made = fashion_folder(work, args.fashion) / "train", folder.with_suffix(".part")
        for label in sorted(path.name for path in source.iterdir()):
            (being_made / label).mkdir(parents=True, exist_ok=True)
            for path in sorted((source / label).iterdir())[: FASHION_IMAGES // 10]:
                os.link(path, being_made / label / path.name)
        being_made.rename(folder)
    told = {"architecture": "resnet18", "width": 0.25, "size": 28, "channels": 1, "classes": 10, "batch": 128}
    return {**told, "crop": 0.5, "folder": str(folder), "skip": 15, "steps": 55}


LESSONS: Lessons = {"EfficientNet-Lite0 at 192": _garments, "ResNet-18, narrow, at 28": _fashion}


if __name__ == "__main__":
    sys.exit(main())
