"""How long it takes from a folder of images to a model file with its report, beside the bare pass of embedding them.

Ten classes of 100 photographs from `clothing10`. Each round: the bare pass (`load().embed_many(folder)`, which decodes,
resizes and runs the network, and nothing else); `beholder train` with nothing known; ten images more; `beholder train`
again. All are processes of their own; the built-in model is there already, nothing else is kept between rounds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from figures import Figure, Spread, arguments, at_most, parse, report
from photographs import images_folder, work_folder

CLASSES, PER_CLASS, ADDED = 10, 100, 10
FIRST_BOUND, SECOND_BOUND = 1.5, 0.25

BARE_PASS = """
import sys, beholder
print(sum(1 for _ in beholder.load().embed_many(sys.argv[1])))
"""


def main() -> int:
    parser = arguments(__doc__, peers=False)
    parser.add_argument("--rounds", type=int, default=5)
    args = parse(parser)
    images, work = images_folder(args.images), work_folder(args.work)
    python = args.beholder_python
    taken: dict[str, list[float]] = {"bare": [], "first": [], "second": []}
    cache = work / "folder-to-model-cache"
    for number in range(args.rounds + 1):
        folder, added = _folders(images, work)
        shutil.rmtree(cache, ignore_errors=True)
        environment = {**os.environ, "BEHOLDER_CACHE": str(cache), "BEHOLDER_DATA": str(work / "folder-to-model-data")}
        subprocess.run([python, "-c", "import beholder; beholder.load()"], env=environment, check=True)
        train = [python, "-m", "beholder", "train", str(folder), "--out", str(work / "photos.onnx"), "--force"]
        seconds = {"bare": _seconds([python, "-c", BARE_PASS, str(folder)], environment)}
        seconds["first"] = _seconds(train, environment)
        for image in added:
            shutil.move(image, folder / image.parent.name / f"added-{image.name}")
        seconds["second"] = _seconds(train, environment)
        if number:  # the first round brings files and byte code into the caches
            for name, value in seconds.items():
                taken[name].append(value)
    return report(args, "From a folder to a model", [f"{args.rounds} rounds"], _figures(taken))


def _figures(taken: dict[str, list[float]]) -> list[Figure]:
    names = {
        "bare": f"bare embedding pass, {CLASSES * PER_CLASS:,} images",
        "first": "`beholder train`, nothing known: folder to evaluated file and report",
        "second": f"`beholder train` again, {ADDED} images more",
    }
    figures = []
    for key, name in names.items():
        spread = Spread.of(taken[key])
        figures.append(Figure(name, spread.median, f"{spread.text()} s"))
    first = [a / b for a, b in zip(taken["first"], taken["bare"], strict=True)]
    second = [a / b for a, b in zip(taken["second"], taken["first"], strict=True)]
    figures.append(at_most("**first training / bare pass**", Spread.of(first), FIRST_BOUND))
    figures.append(at_most("**second training / first training**", Spread.of(second), SECOND_BOUND))
    return figures


def _folders(images: Path, work: Path) -> tuple[Path, list[Path]]:
    """The folder to learn from, and the images to be added to it."""
    source = work / "clothing10" / "images"
    if not source.exists():
        shutil.unpack_archive(images / "clothing10" / "images.zip", work / "clothing10")
    folder, aside = work / "photos", work / "photos-added"
    counts: Counter[str] = Counter()
    for place in (folder, aside):
        shutil.rmtree(place, ignore_errors=True)
    for path in sorted(source.glob("*/*/*.jpg")):
        name = path.parent.name
        counts[name] += 1
        if counts[name] <= PER_CLASS + ADDED // CLASSES:
            target = (folder if counts[name] <= PER_CLASS else aside) / name / f"{counts[name]:03}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder, sorted(aside.rglob("*.jpg"))


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
