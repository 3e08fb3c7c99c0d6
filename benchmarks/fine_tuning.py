"""Beholder's head beside the same network trained end to end in torch, which is given twenty times the time.

Both learn from the same images and are tested on the same. Beholder's time is that of `beholder train` from its start,
with nothing known of any image; torch's that of its steps alone, without its start and its test.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import beholder
from beholder.evaluation import proportion
from figures import Figure, arguments, parse, report
from learning_sets import LearningSet, Workshop, numbered, workshop_arguments

SETS = ("clothing10", "grocery fine", "fashion")
CONTESTANT = Path(__file__).parent / "contestants" / "fine_tune.py"
TIMES = 20.0
MOST_LOSS = 1.0
"""Points of top-1 that the head may be behind by."""


def main() -> int:
    parser = arguments(__doc__)
    workshop_arguments(parser, SETS)
    parser.add_argument("--times", type=float, default=TIMES, help="how many times Beholder's time torch is given")
    parser.add_argument("--seconds", type=float, help="seconds that torch is given, whatever Beholder's time")
    parser.add_argument("--seed", type=int, default=0, help="of the training in torch")
    args = parse(parser)
    shop = Workshop(args)
    figures: list[Figure] = []
    for name in args.sets:
        figures += _beside(shop, shop.read(name), args)
        print(figures[-1], file=sys.stderr, flush=True)
    notes = [
        "Beholder: `beholder train TABLE --set test_share=0`, its start and its look at every image included; "
        "the answers are those of the model file",
        "torch: AdamW, batches of 32, crops, flips, label smoothing; see contestants/fine_tune.py",
    ]
    return report(args, "A head beside training end to end", notes, figures)


def _beside(shop: Workshop, known: LearningSet, args: argparse.Namespace) -> Iterator[Figure]:
    tested = np.flatnonzero(known.tested)
    seconds, right = _beholder(known, args)
    given = args.seconds or args.times * seconds
    found = _torch(known, given, args)
    own, other = proportion(right, len(tested)), proportion(found["right"], len(tested))
    gain = 100 * (right - found["right"]) / len(tested)
    shown = f"Beholder {own.value:.1%} ({own.low:.1%}–{own.high:.1%}) in {seconds:.0f} s; "
    shown += f"torch {other.value:.1%} ({other.low:.1%}–{other.high:.1%}) in {found['seconds']:.0f} s, "
    shown += f"{found['epochs']:.1f} epochs: {gain:+.1f} points"
    title = f"**{known.name}: {len(known.pool):,} images, {len(tested):,} tested**"
    details = {"seconds": seconds, "right": right, "tested": len(tested), "torch": found}
    yield Figure(title, gain, shown, f"at least {-MOST_LOSS:g}", gain >= -MOST_LOSS, details)


def _beholder(known: LearningSet, args: argparse.Namespace) -> tuple[float, int]:
    """How long a run takes that begins with nothing, and how many test images its model file answers rightly."""
    with TemporaryDirectory() as folder:
        table, out = Path(folder) / "table.csv", Path(folder) / "model.onnx"
        pool = [known.dataset.samples[row] for row in known.pool]
        with open(table, "w", encoding="utf-8", newline="") as stream:
            rows = [(str(sample.path), sample.labels[0]) for sample in pool]
            csv.writer(stream).writerows([("file", "label"), *rows])
        own = {"BEHOLDER_CACHE": f"{folder}/cache", "BEHOLDER_DATA": f"{folder}/data"}
        command = [args.beholder_python, "-m", "beholder", "train", str(table), "--out", str(out)]
        started = time.perf_counter()
        subprocess.run(
            [*command, "--set", "test_share=0"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **own},
        )
        seconds = time.perf_counter() - started
        with beholder.load(out) as model:
            paths = [str(known.dataset.samples[row].path) for row in np.flatnonzero(known.tested)]
            said = [result.labels[0].name for result in model.predict_many(paths, top=1)]
    return seconds, int((np.array(said) == known.labels[known.tested]).sum())


def _torch(known: LearningSet, seconds: float, args: argparse.Namespace) -> dict[str, Any]:
    labels = numbered(known.labels, known.dataset.classes).tolist()
    rows = {"train": known.pool, "test": np.flatnonzero(known.tested)}
    lists = {
        part: [(str(known.dataset.samples[row].path), labels[row]) for row in own.tolist()]
        for part, own in rows.items()
    }
    with TemporaryDirectory() as folder:
        asked = Path(folder) / "lists.json"
        asked.write_text(json.dumps(lists), encoding="utf-8")
        command = [args.peers_python, str(CONTESTANT), str(asked), str(seconds), str(args.seed), str(args.cores)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
