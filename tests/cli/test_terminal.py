"""What a terminal is shown, and that it is not shown to anybody else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beholder.cli import printing

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")

LONG_WORK = """
import time
from beholder.cli import printing
with printing.steps({"looking": "looking at images"}) as report:
    for done in range(0, 1201, 5):
        report("looking", done, 1200)
        time.sleep(0.01)
        if done == 600:
            printing.warn("half")
"""

COLUMNS = 100


def on_terminal(words: list[str], folder: Path, cache: Path, *, also_output: bool = False) -> tuple[int, str, str]:
    """Run Python with a terminal as its standard error, and as its output if wanted: status, output, what was drawn."""
    import fcntl
    import struct
    import termios

    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {**os.environ, "BEHOLDER_CACHE": str(cache), "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    output = folder / "output.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment, stdout=there if also_output else stream, stderr=there
        )
    os.close(there)
    drawn = b""
    try:
        while chunk := os.read(here, 65536):
            drawn += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(here)
    return process.wait(60), output.read_text(encoding="utf-8"), drawn.decode()


def left_on_screen(drawn: str) -> list[str]:
    """The lines that stay, after what was drawn over."""
    return [line.split("\r\x1b[K")[-1] for line in drawn.replace("\r\n", "\n").split("\n")]


def test_the_time_left_of_what_is_resumed_is_counted_from_where_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step takes a second; 900 of 1,000 were done before."""
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(printing.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with printing.steps({}) as report:
        for done in range(901, 912):
            report("training", done, 1000)
            clock[0] += 1
        report("decoding", 3, 7)
    drawn = capsys.readouterr().err
    assert "training  911/1,000  91%  1:29 left" in drawn
    assert "training  901/1,000  90%\r" in drawn and "decoding  3/7  43%\r" in drawn


def test_answers_in_a_file_are_counted_on_the_terminal(photos: Path, cache: Path) -> None:
    words = ["-m", "beholder", "predict", *["photos"] * 30, "--json"]
    status, output, drawn = on_terminal(words, photos.parent, cache)
    assert (status, len(output.splitlines())) == (0, 90)
    assert "\x1b" not in output
    assert "\r\x1b[K1 image" in drawn
    assert set(left_on_screen(drawn)) == {"photos: left out 1 file that is not an image: 1 .txt", ""}


def test_answers_on_the_terminal_are_not_counted(photos: Path, cache: Path) -> None:
    (photos / f"{'long' * 30}.png").write_bytes((photos / "a2.png").read_bytes())
    status, _, drawn = on_terminal(["-m", "beholder", "predict", "photos"], photos.parent, cache, also_output=True)
    assert status == 0
    assert "\x1b[K" not in drawn
    (cut,) = [line for line in drawn.splitlines() if "longlong" in line]
    assert cut.startswith("…")
    assert cut.index(".png") == COLUMNS * 0.4 - len(".png")


def test_steps_show_how_far_they_are(cache: Path, tmp_path: Path) -> None:
    status, _, drawn = on_terminal(["-c", LONG_WORK], tmp_path, cache)
    assert status == 0
    assert "looking at images  0/1,200  0%" in drawn
    assert re.search(r"looking at images  [\d,]+/1,200  \d\d%  0:0\d left", drawn)
    assert drawn.count("looking at images") < 40
    assert left_on_screen(drawn) == ["half", ""]


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", LONG_WORK], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "half\n")
