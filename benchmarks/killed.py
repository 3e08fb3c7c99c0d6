"""A training that is killed again and again gives the very file that it gives undisturbed.

A narrow ResNet-18 learns from 1,000 images of Fashion-MNIST for four epochs on one thread: once to the end, then by the
same command, which is killed (SIGKILL) at random moments while it fits, and started again each time. Whenever a call
ends by itself, the model file must have the same bytes and the metrics the same values; where kills are still to come,
another training begins then.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beholder.data import write
from figures import Figure, arguments, parse, report
from training_sets import fashion, prepare, tell, training_arguments

CHECKPOINTS = "data/unfinished/*/*/checkpoint.pt"
PAUSE = 0.05
"""Seconds between two looks at a training that goes on."""


@dataclass(frozen=True)
class Ended:
    """A call that ended by itself.

    Attributes:
        digest: of the model file.
        metrics: that it printed.
        fitting: seconds after its start at which it began to fit, and at which it kept the last step.
        begun_at: the step that it went on from; 0 where it began anew.
    """

    digest: str
    metrics: dict[str, Any]
    fitting: tuple[float, float]
    begun_at: int


@dataclass
class Story:
    """What happened while it was killed again and again.

    Attributes:
        moments: seconds after its start at which a call was killed.
        kept: for each of these, the step whose checkpoint was there then.
        ended: calls that ended by themselves.
    """

    moments: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


def main() -> int:
    parser = arguments(__doc__, peers=False)
    training_arguments(parser, train=1000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=float, default=0.25, help="of the network")
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
    tell(f"undisturbed: fits from {whole.fitting[0]:.1f} to {whole.fitting[1]:.1f} s after its start")
    story = _killed_again_and_again(table, work / "killed", whole.fitting, args)
    story.ended.insert(0, first)
    notes = [
        f"ResNet-18 of width {args.width:g}, {args.train:,} images, {args.epochs} epochs, one thread; "
        f"undisturbed it fits from {whole.fitting[0]:.1f} to {whole.fitting[1]:.1f} s after its start",
        "called twice undisturbed; the second is what all others are compared with",
        f"moments drawn by seed {args.seed}; model file sha256 {whole.digest[:12]}, {_shown(whole)}",
    ]
    return report(args, "Killed and gone on", notes, _figures(story, whole))


def _killed_again_and_again(table: Path, folder: Path, fitting: tuple[float, float], args: argparse.Namespace) -> Story:
    luck, story = random.Random(args.seed), Story()
    while len(story.moments) < args.kills:
        moment = luck.uniform(*fitting)
        ended = _call(table, folder, args, kill_after=moment)
        if ended is None:
            story.moments.append(moment)
            story.kept.append(_step_kept(folder))
            tell(f"killed after {moment:.1f} s; it will go on from step {story.kept[-1]}")
        else:
            story.ended.append(ended)
            shutil.rmtree(folder)
    if (ended := _call(table, folder, args)) is not None:
        story.ended.append(ended)
    return story


def _call(table: Path, folder: Path, args: argparse.Namespace, kill_after: float | None = None) -> Ended | None:
    """Train by the command; None where it was killed. What it keeps lies in the folder, also what is seen of images."""
    own = {"BEHOLDER_DATA": str(folder / "data"), "BEHOLDER_CACHE": str(table.parent / "cache"), "OMP_NUM_THREADS": "1"}
    begun_at = _step_kept(folder)
    out = folder / "model.onnx"
    folder.mkdir(exist_ok=True)
    settings = ["architecture=resnet18", f"width={args.width:g}", f"epochs={args.epochs}", "cross_validate=no"]
    command = [args.beholder_python, "-m", "beholder", "train", str(table), "--out", str(out), "--force", "--json"]
    command += [word for setting in settings for word in ("--set", setting)]
    started, kept = time.perf_counter(), {}
    with (folder / "said.txt").open("w") as errors:
        process = subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=errors, text=True)
    while process.poll() is None:
        passed = time.perf_counter() - started
        for path in folder.glob(CHECKPOINTS):
            with contextlib.suppress(FileNotFoundError):  # it is done, and has just removed it
                kept.setdefault(path.stat().st_mtime_ns, passed)
        if kill_after is not None and passed >= kill_after:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return None
        time.sleep(PAUSE)
    if process.returncode:
        said = (folder / "said.txt").read_text(encoding="utf-8")[-1000:]
        raise SystemExit(f"{' '.join(command)}: has ended with status {process.returncode}; it said:\n{said}")
    told = json.loads(process.stdout.read().splitlines()[-1])
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    return Ended(digest, told["metrics"], (min(kept.values()), max(kept.values())), begun_at)


def _step_kept(folder: Path) -> int:
    """The step that a training will go on from; 0 where it begins anew."""
    import torch

    steps = [torch.load(path, weights_only=True)["progress"]["step"] for path in folder.glob(CHECKPOINTS)]
    return max(steps, default=0)


def _figures(story: Story, whole: Ended) -> list[Figure]:
    files = sum(one.digest == whole.digest for one in story.ended)
    metrics = sum(one.metrics == whole.metrics for one in story.ended)
    count, gone_on = len(story.ended), sum(one.begun_at > 0 for one in story.ended)
    moments = ", ".join(f"{moment:.1f} s ({step})" for moment, step in zip(story.moments, story.kept, strict=True))
    return [
        Figure("killed after (and the step that it went on from)", len(story.moments), moments),
        Figure("**same file, byte for byte**", files, f"{files} of {count}", "every one", files == count > 0),
        Figure("**same metrics**", metrics, f"{metrics} of {count}", "every one", metrics == count > 0),
        Figure("**of these, gone on from a checkpoint**", gone_on, f"{gone_on} of {count}", "at least 1", gone_on > 0),
    ]


def _shown(ended: Ended) -> str:
    return f"top-1 {ended.metrics['top1']['value']:.1%}"


if __name__ == "__main__":
    sys.exit(main())
