"""A training that is killed goes on where it was, and ends with the same file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beholder.files import data_dir
from beholder.training import run_training
from pictures import SHAPES, make_folder

KILLED = """
import os, signal, sys
from beholder.training import run_training

def die(step, done, total):
    if step == "looking" and done >= 100:
        os.kill(os.getpid(), signal.SIGKILL)

run_training(sys.argv[1], sys.argv[2], report=die)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_a_killed_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 80), seed=11)
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "cache"))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(tmp_path / "killed.onnx")], env=os.environ, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not list(tmp_path.glob("*killed.onnx*"))
    assert not list((data_dir() / "runs").glob("*killed*"))

    opened = []
    again = run_training(
        folder,
        tmp_path / "killed.onnx",
        report=lambda step, done, total: opened.append((done, total)) if step == "looking" else None,
    )
    assert opened[-1] == (112, 112)  # of 240; 128 were kept before the end

    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "other"))
    undisturbed = run_training(folder, tmp_path / "other" / "killed.onnx")
    assert undisturbed.model.read_bytes() == again.model.read_bytes()
