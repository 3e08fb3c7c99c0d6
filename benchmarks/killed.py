"""A training that is killed again and again gives the very file that it gives undisturbed.

A narrow ResNet-18 learns from 1,000 images of Fashion-MNIST for four epochs on one thread: once to the end, then by the
same command, which kills itself (SIGKILL) at a random moment and is started again each time. The moments lie, in this
order and then again, within a step, within the writing of a checkpoint, at the end of an epoch, within a step, and in
the export. A call that is to be killed keeps checkpoints more often than usual, so that a short training has some.
Whenever a call ends by itself, the model file must have the same bytes and the metrics the same values; where kills are
still to come, another training begins then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from beholder.data import write
from figures import Figure, arguments, parse, report
from race import CONTESTANTS
from training_sets import fashion, prepare, tell, training_arguments

CHECKPOINTS = "data/unfinished/*/*/checkpoint.pt"
PLACES = {"step": 60, "checkpoint": 3, "epoch end": 2, "step again": 40, "export": 1}
"""Where it is killed, and the most times that it comes there first, in the call that is killed."""


@dataclass(frozen=True)
class Ended:
    """A call that ended by itself.

    Attributes:
        digest: of the model file.
        metrics: that it printed.
        begun_at: the step that it went on from; 0 where it began anew.
    """

    digest: str
    metrics: dict[str, Any]
    begun_at: int


@dataclass(frozen=True)
class Moment:
    """When a call is killed.

    Attributes:
        place: of the training, as `contestants/killed_command.py` knows them.
        count: how many times the call comes there.
        luck: how far inside, from 0 to 1.
    """

    place: str
    count: int
    luck: float


@dataclass
class Story:
    """What happened while it was killed again and again.

    Attributes:
        moments: at which a call was killed.
        kept: for each of these, the step whose checkpoint was there then.
        ended: calls that ended by themselves.
    """

    moments: list[Moment] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


def main() -> int:
    parser = arguments(__doc__, peers=False)
    training_arguments(parser, train=1000)
    parser.set_defaults(test=500)
    parser.add_argument("--kills", type=int, default=len(PLACES))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=float, default=0.125, help="of the network")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parse(parser)
    work = prepare(args) / "killed"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    table = work / "garments.csv"
    write(fashion(work.parent, args), table, format="csv")
    first = _call(table, work / "first", args)  # what is seen of images is known from here on
    whole = _call(table, work / "whole", args)
    if first is None or whole is None:
        raise SystemExit("the undisturbed training was killed by somebody else")
    tell("undisturbed: done twice")
    story = _killed_again_and_again(table, work / "killed", args)
    story.ended.insert(0, first)
    notes = [
        f"ResNet-18 of width {args.width:g}, {args.train:,} images, {args.epochs} epochs, one thread",
        "called twice undisturbed; the second is what all others are compared with",
        f"moments drawn by seed {args.seed}; model file sha256 {whole.digest[:12]}, {_shown(whole)}",
    ]
    return report(args, "Killed and gone on", notes, _figures(story, whole, args.kills))


def _killed_again_and_again(table: Path, folder: Path, args: argparse.Namespace) -> Story:
    luck, story = random.Random(args.seed), Story()
    for name, most in islice(cycle(PLACES.items()), args.kills):
        for _ in range(3):  # a call that has less left to do may end before; the next one begins anew
            moment = Moment(name.removesuffix(" again"), luck.randint(1, most), luck.random())
            ended = _call(table, folder, args, moment)
            if ended is None:
                story.moments.append(moment)
                story.kept.append(_step_kept(folder))
                tell(f"killed, {moment}; it will go on from step {story.kept[-1]}")
                break
            story.ended.append(ended)
            shutil.rmtree(folder)
    if (ended := _call(table, folder, args)) is not None:
        story.ended.append(ended)
    return story


def _call(table: Path, folder: Path, args: argparse.Namespace, moment: Moment | None = None) -> Ended | None:
    """Train by the command; None where it was killed. What it keeps lies in the folder, also what is seen of images."""
    own = {"BEHOLDER_DATA": str(folder / "data"), "BEHOLDER_CACHE": str(table.parent / "cache"), "OMP_NUM_THREADS": "1"}
    begun_at = _step_kept(folder)
    out = folder / "model.onnx"
    folder.mkdir(exist_ok=True)
    settings = ["architecture=resnet18", f"width={args.width:g}", f"epochs={args.epochs}", "cross_validate=no"]
    command = [args.beholder_python, "-m", "beholder"]
    if moment is not None:
        killed = str(CONTESTANTS / "killed_command.py")
        command = [args.beholder_python, killed, moment.place, str(moment.count), str(moment.luck)]
    command += ["train", str(table), "--out", str(out), "--force", "--json"]
    command += [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True)
    if moment is not None and done.returncode == -signal.SIGKILL:
        return None
    if done.returncode:
        said = done.stderr[-1000:]
        raise SystemExit(f"{' '.join(command)}: has ended with status {done.returncode}; it said:\n{said}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Ended(hashlib.sha256(out.read_bytes()).hexdigest(), told["metrics"], begun_at)


def _step_kept(folder: Path) -> int:
    """The step that a training will go on from; 0 where it begins anew."""
    import torch

    steps = [torch.load(path, weights_only=True)["progress"]["step"] for path in folder.glob(CHECKPOINTS)]
    return max(steps, default=0)


def _figures(story: Story, whole: Ended, kills: int) -> list[Figure]:
    files = sum(one.digest == whole.digest for one in story.ended)
    metrics = sum(one.metrics == whole.metrics for one in story.ended)
    count, gone_on, hit = len(story.ended), sum(one.begun_at > 0 for one in story.ended), len(story.moments)
    moments = ", ".join(
        f"{moment.place} {moment.count} ({step})" for moment, step in zip(story.moments, story.kept, strict=True)
    )
    return [
        Figure(
            "**killed in (and the step that it went on from)**",
            hit,
            moments,
            f"{kills} times",
            0 < hit == kills,
        ),
        Figure("**same file, byte for byte**", files, f"{files} of {count}", "every one", files == count > 0),
        Figure("**same metrics**", metrics, f"{metrics} of {count}", "every one", metrics == count > 0),
        Figure("**of these, gone on from a checkpoint**", gone_on, f"{gone_on} of {count}", "at least 1", gone_on > 0),
    ]


def _shown(ended: Ended) -> str:
    return f"top-1 {ended.metrics['top1']['value']:.1%}"


if __name__ == "__main__":
    sys.exit(main())
