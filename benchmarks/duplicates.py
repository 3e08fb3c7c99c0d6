"""How many planted duplicates an audit finds, and how often it takes two different pictures for the same.

Copies of 40 images of each of five kinds are planted into each set: the same file, resized to half, recompressed with
quality 50, cropped to 80% of the area at a place drawn at random, and mirrored. What is found is compared with the rule
that groups images for a split (hashes within 6 bits, or a cosine of 0.90). Pairs that were not planted are printed as
false alarms per 1,000 images; real sets hold real duplicates, so look at them: --sheet writes them side by side.

    python benchmarks/duplicates.py --images FOLDER
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from beholder.auditing.auditing import _seen, _unit_vectors
from beholder.auditing.sameness import near_copies
from beholder.data import ContentCache, Sample, near_vectors, read, with_digests
from beholder.data.facts import hash_bits
from beholder.data.grouping import COSINE, HASH_DISTANCE
from beholder.image import read as read_image
from beholder.training import Backbone
from beholder.zoo import find

KINDS = ("exact", "resized", "recompressed", "cropped", "mirrored")
EACH = 40
SETS = {
    "garments": "clothing10/images.zip",
    "groceries": "grocery_packages/images.zip",
    "photographs": "coco_small/images",
    "portraits": "faces_lfw_emotion/images",
    "blood cells": "bccd_bloodcells/images",
    "playing cards": "playing_cards/images",
}

Pairs = set[frozenset[int]]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one rule found in one set: the share of each kind, and other pairs."""

    found: dict[str, tuple[int, int]]
    others: Pairs


def plant(source: Path, out: Path) -> None:
    """Link the images of a set into a folder, and save copies of some of them into another."""
    drawn = random.Random(0)
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    (out / "originals").mkdir(parents=True)
    (out / "copies").mkdir()
    for number, path in enumerate(files):
        (out / "originals" / f"{number}{path.suffix.lower()}").symlink_to(path.resolve())
    each = min(EACH, len(files) // len(KINDS))
    for place, number in enumerate(drawn.sample(range(len(files)), each * len(KINDS))):
        kind = KINDS[place % len(KINDS)]
        target = out / "copies" / f"{number}-{kind}.jpg"
        if kind == "exact":
            shutil.copy(files[number], target)
        else:
            changed(read_image(files[number]).pil, kind, drawn).save(
                target, quality=50 if kind == "recompressed" else 90
            )


def changed(image: PIL.Image.Image, kind: str, drawn: random.Random) -> PIL.Image.Image:
    """An image as a copy of a kind shows it."""
    if kind == "resized":
        return image.resize((max(1, image.width // 2), max(1, image.height // 2)), PIL.Image.Resampling.BICUBIC)
    if kind == "mirrored":
        return PIL.ImageOps.mirror(image)
    if kind == "cropped":
        width, height = round(image.width * 0.8**0.5), round(image.height * 0.8**0.5)
        left, top = drawn.randint(0, image.width - width), drawn.randint(0, image.height - height)
        return image.crop((left, top, left + width, top + height))
    return image


def measure(folder: Path, backbone: Backbone, contents: ContentCache) -> tuple[Counted, Counted, float, list[Sample]]:
    """What the audit and the simple rule find, and the seconds that the audit took to compare."""
    known = with_digests(read(folder, format="folder"), contents)
    seen = _seen(known, backbone, contents, lambda *_: None)
    samples = [sample for sample in known.everything() if sample.digest in seen.facts]
    vectors = _unit_vectors(samples, seen.vectors)
    started = time.perf_counter()
    copies = near_copies(samples, seen.facts, vectors, contents)
    seconds = time.perf_counter() - started
    first: dict[str, int] = {}
    equal = {frozenset((first.setdefault(one.digest or "", row), row)) for row, one in enumerate(samples)}
    equal = {pair for pair in equal if len(pair) == 2}
    hashes = hash_bits([seen.facts[sample.digest or ""].hash or "0" for sample in samples])
    mirrored = hash_bits([seen.facts[sample.digest or ""].hash_mirrored or "0" for sample in samples])
    bits = np.minimum(*(np.bitwise_count(side[:, None] ^ hashes[None]) for side in (hashes, mirrored)))
    rows = [*np.argwhere(np.triu(bits <= HASH_DISTANCE, 1)).tolist()]
    if vectors is not None:
        rows += list(zip(*(part.tolist() for part in near_vectors(vectors, similarity=COSINE)[:2]), strict=True))
    ours = equal | {frozenset((copy.first, copy.second)) for copy in copies}
    return counted(samples, ours), counted(samples, equal | {frozenset(pair) for pair in rows}), seconds, samples


def counted(samples: Sequence[Sample], pairs: Pairs) -> Counted:
    """Sort pairs into those that were planted and the others, copies standing for what they were made of."""
    originals = {sample.path.stem: row for row, sample in enumerate(samples) if "-" not in sample.path.stem}
    stands_for = {row: originals[sample.path.stem.split("-")[0]] for row, sample in enumerate(samples)}
    found = {}
    for kind in KINDS:
        planted = [row for row, sample in enumerate(samples) if sample.path.stem.endswith(f"-{kind}")]
        found[kind] = sum(frozenset((row, stands_for[row])) in pairs for row in planted), len(planted)
    others = {frozenset(stands_for[row] for row in pair) for pair in pairs}
    return Counted(found, {pair for pair in others if len(pair) == 2})


def sheet(samples: Sequence[Sample], pairs: Pairs, path: Path) -> None:
    """The other pairs side by side, to be looked at."""
    shown = sorted(tuple(sorted(pair)) for pair in pairs)[:60]
    page = PIL.Image.new("RGB", (4 * 310, max(1, -(-len(shown) // 4)) * 160), "gray")
    for number, pair in enumerate(shown):
        for side, row in enumerate(pair):
            small = read_image(samples[row].path).pil.copy()
            small.thumbnail((150, 150))
            page.paste(small, (number % 4 * 310 + side * 150, number // 4 * 160))
    page.save(path)


def main() -> None:
    """Measure every set and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default=os.environ.get("BEHOLDER_TEST_IMAGES"), help="folder of data sets")
    parser.add_argument("--sheet", type=Path, help="folder for pictures of the pairs that were not planted")
    args = parser.parse_args()
    if not args.images:
        parser.error("--images or $BEHOLDER_TEST_IMAGES must name a folder of data sets")
    print(f"| set | images | rule | {' | '.join(KINDS)} | other pairs per 1,000 | seconds |")
    print("| --- | ---: | --- | " + " | ".join("---:" for _ in KINDS) + " | ---: | ---: |")
    backbone = Backbone(find("efficientnet-lite0"))
    with tempfile.TemporaryDirectory() as work:
        for name, place in SETS.items():
            source = Path(args.images) / place
            if source.suffix == ".zip":
                with zipfile.ZipFile(source) as archive:
                    archive.extractall(Path(work) / "unpacked" / name)
                source = Path(work) / "unpacked" / name
            plant(source, Path(work) / name)
            with ContentCache(Path(work) / f"{name}.sqlite") as contents:
                ours, simple, seconds, samples = measure(Path(work) / name, backbone, contents)
            count = sum("-" not in sample.path.stem for sample in samples)
            for rule, result, took in (("audit", ours, f"{seconds:.1f}"), ("near", simple, "")):
                cells = " | ".join(f"{hits} of {of}" for hits, of in result.found.values())
                others = f"{1000 * len(result.others) / count:.1f}"
                print(f"| {name} | {count:,} | {rule} | {cells} | {others} | {took} |", flush=True)
            if args.sheet:
                args.sheet.mkdir(parents=True, exist_ok=True)
                sheet(samples, ours.others, args.sheet / f"{name}.png")


if __name__ == "__main__":
    main()
