"""The command run within the tests' own process, which is quicker; and small folders of images for it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from running import Command, Done

from beholder.cli import main


def command(capsys: pytest.CaptureFixture[str], *first: str) -> Command:
    """Run `beholder FIRST… WORDS…` in this process."""

    def run(*words: str | Path) -> Done:
        capsys.readouterr()
        status = main([*first, *map(str, words)])
        return Done(status, *capsys.readouterr())

    return run


def drawing(name: str) -> PIL.Image.Image:
    """A drawing of 64 x 48 pixels that differs from every other by its name, also to a network."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    image = PIL.Image.new("RGB", (64, 48), tuple(random.integers(0, 256, 3).tolist()))
    draw = PIL.ImageDraw.Draw(image)
    for _ in range(int(random.integers(2, 6))):
        (left, right), (top, bottom) = np.sort(random.integers(0, 64, 2)), np.sort(random.integers(0, 48, 2))
        shape = (draw.rectangle, draw.ellipse)[int(random.integers(2))]
        shape((int(left), int(top), int(right) + 4, int(bottom) + 4), fill=tuple(random.integers(0, 256, 3).tolist()))
    return image


def draw_folder(folder: Path, counts: Mapping[str, int]) -> Path:
    """A folder per class with so many drawings, `0.png` and on."""
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            drawing(f"{label}/{number}").save(folder / label / f"{number}.png")
    return folder
