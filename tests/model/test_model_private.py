"""Nothing leaves the machine: predicting opens no connection and leaves nothing behind but Beholder's own cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    PIL.Image.new("RGB", (64, 64), "teal").save(tmp_path / "teal.png")
    return folder


def predict(home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_"))}
    environment |= {"HOME": str(home), "BEHOLDER_CACHE": str(home / "cache")}
    command = [*before, sys.executable, "-m", "beholder", "predict", "teal.png", "--json"]
    return subprocess.run(command, cwd=home.parent, env=environment, capture_output=True, text=True, timeout=120)


def test_nothing_is_left_in_the_home_folder(home: Path) -> None:
    done = predict(home)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.iterdir()] == ["cache"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_connection_is_opened(home: Path) -> None:
    done = predict(home, "strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(home.parent / "calls"))
    if done.returncode != 0 and "ptrace" in done.stderr:
        pytest.skip("this system lets nobody trace a process")
    calls = (home.parent / "calls").read_text()
    assert "AF_INET" not in calls
