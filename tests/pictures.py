"""Small noisy textures of three kinds, in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

SHAPES = ("bars", "dots", "waves")


def picture(kind: str, random: np.random.Generator) -> PIL.Image.Image:
    """A noisy texture of its kind, 64 pixels a side."""
    y, x = np.mgrid[0:64, 0:64]
    phase, pitch = random.uniform(0, 6), random.uniform(0.5, 0.8)
    value = {
        "bars": np.sign(np.sin(x * pitch + phase)),
        "dots": np.sin(x * pitch + phase) * np.sin(y * pitch + phase) * 2,
        "waves": np.sin(np.hypot(x - 32, y - 32) * pitch + phase),
    }[kind]
    color = random.uniform(60, 200, 3)
    noise = random.normal(0, 18, (64, 64, 3))
    return PIL.Image.fromarray(np.clip(color + 50 * value[..., None] + noise, 0, 255).astype(np.uint8))


def make_folder(folder: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """A folder per class with so many pictures."""
    random = np.random.default_rng(seed)
    for kind, count in counts.items():
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            picture(kind, random).save(folder / kind / f"{number}.png")
    return folder
