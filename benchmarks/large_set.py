"""A large set: audited and trained on, in how much time and memory; killed at a random moment, it goes on.

Photographs of `clothing10`, each repeated with jitter (a random crop of 85 to 100% of the area, mirrored or not,
another brightness, another JPEG quality), in folders by class.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import PIL.Image
from PIL import ImageEnhance, ImageOps

from figures import Figure, arguments, parse, report
from photographs import images_folder, work_folder


class Taken(NamedTuple):
    """What a command took."""

    seconds: float
    peak_bytes: int
    status: int
    out: str


def main() -> int:
    parser = arguments(__doc__, peers=False)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the jitter and of the moment of the kill")
    args = parse(parser)
    images, work = images_folder(args.images), work_folder(args.work)
    folder = _make(images, work, args.count, args.seed)
    environment = {**os.environ, "BEHOLDER_CACHE": str(work / "large-cache"), "BEHOLDER_DATA": str(work / "large-data")}
    for name in ("BEHOLDER_CACHE", "BEHOLDER_DATA"):
        shutil.rmtree(environment[name], ignore_errors=True)
    train = [args.beholder_python, "-m", "beholder", "train", str(folder), "--out", str(work / "large.onnx"), "--force"]
    audit = [args.beholder_python, "-m", "beholder", "audit", str(folder), "--json"]
    moment = random.Random(args.seed).uniform(10, 60)
    killed = _take(train, environment, kill_after=moment)
    kept = _images_seen(Path(environment["BEHOLDER_CACHE"]))
    rest = _take([*train, "--json"], environment)
    again = _take([*train, "--json"], environment)
    audited = _take(audit, environment)
    figures = [
        Figure("killed after", killed.seconds, f"{killed.seconds:.0f} s, with {kept:,} of {args.count:,} images kept"),
        _told("trained, going on from there", rest),
        _told("trained again, nothing new", again),
        _told("audited after it", audited),
        Figure("top-1 of that model", _top1(rest), f"{_top1(rest):.1%}"),
        Figure("findings of the audit", len(audited.out.splitlines()), f"{len(audited.out.splitlines()):,}"),
    ]
    if any(one.status for one in (rest, again, audited)):
        raise SystemExit("a command failed")
    return report(args, f"A set of {args.count:,} images", ["photographs repeated with jitter"], figures)


def _told(name: str, taken: Taken) -> Figure:
    shown = f"{taken.seconds:,.0f} s, peak memory {taken.peak_bytes / 2**20:,.0f} MB"
    return Figure(name, taken.seconds, shown, details={"peak_bytes": taken.peak_bytes})


def _top1(taken: Taken) -> float:
    return json.loads(taken.out.splitlines()[-1])["metrics"]["top1"]["value"]


def _take(command: list[str], environment: dict[str, str], kill_after: float | None = None) -> Taken:
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    if kill_after is not None:
        threading.Timer(kill_after, lambda: process.send_signal(signal.SIGKILL)).start()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(time.perf_counter() - started, usage.ru_maxrss * 1024, process.returncode, out)


def _images_seen(cache: Path) -> int:
    """How many images the killed process had finished, by the cache it left."""
    path = next(cache.rglob("*.sqlite"))
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM items WHERE kind LIKE 'features/%'").fetchone()
    return int(count)


def _make(images: Path, work: Path, count: int, seed: int) -> Path:
    folder = work / f"large-{count}-{seed}"
    if folder.exists():
        return folder
    source = work / "clothing10" / "images"
    if not source.exists():
        shutil.unpack_archive(images / "clothing10" / "images.zip", work / "clothing10")
    paths = sorted(source.glob("*/*/*.jpg"))
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    jobs: list[Any] = [(paths[number % len(paths)], part, number, seed) for number in range(count)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_jitter, jobs, chunksize=200))
    part.rename(folder)
    return folder


def _jitter(job: tuple[Path, Path, int, int]) -> None:
    path, folder, number, seed = job
    luck = random.Random(seed * 1_000_003 + number)
    with PIL.Image.open(path) as opened:
        image = opened.convert("RGB")
    side = luck.uniform(0.85, 1) ** 0.5
    width, height = round(image.width * side), round(image.height * side)
    left, top = luck.randint(0, image.width - width), luck.randint(0, image.height - height)
    image = image.crop((left, top, left + width, top + height))
    if luck.random() < 0.5:
        image = ImageOps.mirror(image)
    image = ImageEnhance.Brightness(image).enhance(luck.uniform(0.8, 1.2))
    target = folder / path.parent.name / f"{number:06}.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, quality=luck.randint(75, 95))


if __name__ == "__main__":
    sys.exit(main())
