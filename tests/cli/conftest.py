"""The command run as a person runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from running import Command, Done


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the tests' own, so that nothing depends on what a person has pulled or built."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def beholder(cache: Path, tmp_path: Path) -> Command:
    """Run `python -m beholder WORDS…` in an empty folder."""

    def run(*words: str, stdin: bytes = b"", **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "beholder", *words],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "BEHOLDER_CACHE": str(cache), **environment},
            timeout=120,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three images and a text file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, size in (("a2.png", (60, 80)), ("a10.jpg", (90, 50)), ("b.webp", (40, 40))):
        PIL.Image.fromarray(random.integers(0, 255, (*size, 3), np.uint8)).save(folder / name)
    (folder / "readme.txt").write_text("not an image")
    return folder
