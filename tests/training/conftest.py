"""Folders of small images that a head can learn to tell apart in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pictures import SHAPES, make_folder


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache and a data folder of the tests' own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("BEHOLDER_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("BEHOLDER_DATA", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="session")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 12 pictures, and four strangers."""
    folder = make_folder(tmp_path_factory.mktemp("sets") / "textures", dict.fromkeys(SHAPES, 12))
    random = np.random.default_rng(9)
    (folder / "_unknown").mkdir()
    for number in range(4):
        pixels = random.integers(0, 255, (64, 64, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(folder / "_unknown" / f"{number}.png")
    return folder
