"""ResNet-50 at 224 on a GPU: images a second of training beside torch alone and timm's script, and of recognizing.

The images are made for it: 256 x 256, of noise that is smooth, as JPEG files in ten folders; what they show does not
matter for speed. Training goes as in `training_speed.py`, in bf16, with all cores of the machine unless `--cores` says
otherwise. Recognizing is the network in evaluation mode, on tensors that lie ready on the GPU, of Beholder's network
and of timm's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from figures import Figure, Spread, arguments, at_least, parse, report
from race import CONTESTANTS, OFFLINE
from training_sets import prepare, tell
from training_speed import BARE, TIMM, compete, race_notes, required, speed_arguments

SIDE = 256
CLASSES = 10
QUALITY = 90


def main() -> int:
    parser = arguments(__doc__)
    speed_arguments(parser, (BARE, TIMM))
    parser.set_defaults(precision="bf16", workers=[4, 8, 15], cores=len(os.sched_getaffinity(0)))
    parser.add_argument("--count", type=int, default=20_000, help="how many images are made")
    parser.add_argument("--batch", type=int, default=256)
    if not _has_gpu(parser.parse_args().beholder_python):
        print("gpu.py: a GPU that torch can use is needed, found none", file=sys.stderr)
        return 2
    args = parse(parser)
    groups = required(parser, args)
    work = prepare(args)
    folder = _images(work, args.count)
    lesson = {
        "architecture": "resnet50",
        "width": 1.0,
        "size": 224,
        "channels": 3,
        "classes": CLASSES,
        "batch": args.batch,
        "crop": 0.35,
        "folder": str(folder),
        "skip": 20,
        "steps": 50,
        "device": "cuda",
        "precision": args.precision,
    }
    figures = [*compete("ResNet-50 at 224", lesson, groups, work, args), *_recognizing(lesson, work, args)]
    notes = [
        f"{args.precision}, {args.cores} cores, batches of {args.batch}, {args.count:,} images; "
        f"{args.rounds} rounds in turns",
        *race_notes(),
    ]
    return report(args, "On a GPU", notes, figures)


def _has_gpu(python: str) -> bool:
    found = subprocess.run([python, "-c", "import torch; print(torch.cuda.is_available())"], capture_output=True)
    return found.stdout.strip() == b"True"


def _recognizing(lesson: dict[str, Any], work: Path, args: argparse.Namespace) -> Iterator[Figure]:
    path = work / "lesson.json"
    path.write_text(json.dumps({**lesson, "workers": 0}), encoding="utf-8")
    pythons = {"Beholder's network": args.beholder_python, "timm's network": args.peers_python}
    rates: dict[str, list[float]] = {name: [] for name in pythons}
    for number in range(args.rounds):
        for name in pythons if number % 2 == 0 else reversed(pythons):
            whose = "own" if name.startswith("Beholder") else "timm"
            command = [pythons[name], str(CONTESTANTS / "recognizing.py"), str(path), whose]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **OFFLINE})
            rates[name].append(json.loads(done.stdout.splitlines()[-1])["images_per_second"])
            tell(f"recognizing, round {number + 1} of {args.rounds}: {name} {rates[name][-1]:,.0f} images/s")
    for name, own in rates.items():
        spread = Spread.of(own)
        yield Figure(f"recognizing: {name}", spread.median, f"{spread.text(0)} images/s")
    own, others = rates.values()
    ratios = Spread.of([one / other for one, other in zip(own, others, strict=True)])
    yield at_least("**recognizing: Beholder's network / timm's**", ratios, 0.95)


def _images(work: Path, count: int) -> Path:
    """Smooth noise, as many files of each class."""
    folder = work / f"smooth-{count}" / "train"
    if not folder.exists():
        being_made = folder.parent / "train.part"
        random = np.random.default_rng(0)
        for number in range(count):
            coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            image = PIL.Image.fromarray(coarse).resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC)
            path = being_made / f"kind-{number % CLASSES}" / f"{number:06d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, quality=QUALITY)
        being_made.rename(folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
