"""Noisy textures of six kinds, as a folder with one label per image and as a table with several, and models of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import PIL.Image

SIX = ("bars", "checks", "dots", "rings", "slant", "waves")
THREE = SIX[:3]


def texture(kind: str, random: np.random.Generator) -> np.ndarray:
    """Pixels uint8 `(48, 48, 3)`; some are so noisy that they are mistaken."""
    y, x = np.mgrid[0:48, 0:48]
    phase, pitch = random.uniform(0, 6), random.uniform(0.5, 0.9)
    value = {
        "bars": np.sign(np.sin(x * pitch + phase)),
        "checks": np.sign(np.sin(x * pitch + phase) * np.sin(y * pitch + phase)),
        "dots": np.sin(x * pitch + phase) * np.sin(y * pitch + phase) * 2,
        "rings": np.sin(np.hypot(x - 24, y - 24) * pitch + phase),
        "slant": np.sin((x + y) * pitch + phase),
        "waves": np.sin(y * pitch + phase),
    }[kind]
    color = random.uniform(60, 200, 3)
    return np.clip(
        color + 40 * value[..., None] + random.normal(0, random.uniform(30, 260), (48, 48, 3)), 0, 255
    ).astype(np.uint8)


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def make_classes(folder: Path, each: int, kinds: tuple[str, ...] = SIX, seed: int = 0) -> Path:
    """A folder for each kind, with so many images."""
    random = np.random.default_rng(seed)
    for kind in kinds:
        for number in range(each):
            save(texture(kind, random), folder / kind / f"{number}.png")
    return folder


def make_strangers(folder: Path, count: int, seed: int = 0) -> Path:
    """Images of nothing known: smooth gradients and plain noise."""
    random = np.random.default_rng(seed)
    for number in range(count):
        ramp = np.linspace(0, 255, 48)[:, None, None] * random.uniform(0, 1, 3) + np.zeros((48, 48, 3))
        pixels = ramp if number % 2 else random.uniform(0, 255, (48, 48, 3))
        save(pixels.astype(np.uint8), folder / f"{number}.png")
    return folder


def make_table(folder: Path, count: int, seed: int = 0) -> Path:
    """A table of images that show none to three of three kinds, side by side, with a column `light`."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        shown = [kind for kind in THREE if random.random() < 0.5]
        parts = [texture(kind, random) for kind in shown] or [random.integers(0, 255, (48, 48, 3), np.uint8)]
        save(np.concatenate(parts, axis=1), folder / f"{number}.png")
        rows.append((f"{number}.png", "|".join(shown) or "_none", ("day", "night")[number % 2]))
    with open(folder / "labels.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "light"), *rows])
    return folder
