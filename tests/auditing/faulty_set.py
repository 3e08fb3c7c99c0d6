"""Folders of made pictures, clean or with planted faults."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFilter
import PIL.ImageOps

KINDS = ("bars", "rings", "spots")
HOSTILE = "<img src=x onerror=alert(1)>&'.png"


def picture(kind: str, random: np.random.Generator, size: tuple[int, int] = (120, 160)) -> PIL.Image.Image:
    """A scene that no other is like: blobs of every color, and over them what tells its kind."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    scene = np.full((height, width, 3), 110.0)
    for _ in range(14):
        blob = np.exp(-(((x - random.uniform(0, width)) / 14) ** 2 + ((y - random.uniform(0, height)) / 14) ** 2))
        scene += blob[..., None] * random.uniform(-110, 110, 3)
    pitch, phase = random.uniform(0.5, 0.7), random.uniform(0, 6)
    value = {
        "bars": np.sign(np.sin(x * pitch + phase)),
        "rings": np.sin(np.hypot(x - width / 2, y - height / 2) * pitch + phase),
        "spots": 2 * np.sin(x * pitch + phase) * np.sin(y * pitch + phase),
    }[kind]
    scene += 28 * value[..., None] + random.normal(0, 6, scene.shape)
    return PIL.Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def make_clean(folder: Path, count: int = 12, seed: int = 0) -> Path:
    """So many pictures of each kind, in folders."""
    random = np.random.default_rng(seed)
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            picture(kind, random).save(folder / kind / f"{number}.png")
    return folder


def make_faulty(folder: Path) -> Path:
    """Train and test, 12 and 4 of each kind, and a fault of every kind that one image can have."""
    make_clean(folder / "train")
    make_clean(folder / "test", 4, seed=1)
    train, test = folder / "train", folder / "test"
    (train / "bars" / "broken.png").write_bytes((train / "bars" / "0.png").read_bytes()[:900])
    (train / "bars" / "empty.jpg").write_bytes(b"")
    shutil.copy(test / "bars" / "0.png", train / "bars" / "leak.png")
    shutil.copy(train / "bars" / "1.png", train / "bars" / "twice.png")
    shutil.copy(train / "bars" / "2.png", train / "rings" / HOSTILE)
    shutil.move(train / "spots" / "11.png", train / "rings" / "mislabeled.png")
    with PIL.Image.open(train / "spots" / "1.png") as image:
        image.resize((80, 60)).save(train / "spots" / "resized.png")
        image.crop((8, 6, 152, 114)).save(train / "spots" / "cropped.png")
        PIL.ImageOps.mirror(image).save(train / "spots" / "mirrored.jpg", quality=80)
    with PIL.Image.open(train / "rings" / "3.png") as image:
        image.filter(PIL.ImageFilter.GaussianBlur(12)).save(train / "rings" / "blurred.png")
    with PIL.Image.open(train / "rings" / "4.png") as image:
        image.point(lambda level: level * 0.08).save(train / "rings" / "dark.png")
    with PIL.Image.open(train / "rings" / "5.png") as image:
        image.point(lambda level: 225 + level * 0.12).save(train / "rings" / "bright.png")
    PIL.Image.new("RGB", (160, 120), (90, 140, 200)).save(train / "bars" / "flat.png")
    picture("bars", np.random.default_rng(5), (20, 24)).save(train / "bars" / "tiny.png")
    (train / "lone").mkdir()
    picture("bars", np.random.default_rng(6)).save(train / "lone" / "only.png")
    return folder
