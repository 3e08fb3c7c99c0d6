"""A network trained by two processes at once: `beholder.training.networks.processes`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_lessons import ArrayPixels, fitting_of, plan_of, weights_of  # noqa: E402

from beholder.errors import TrainingFailed, UnreadableImage  # noqa: E402
from beholder.training.networks.augmenting import Augmentation  # noqa: E402
from beholder.training.networks.keeping import Keeper  # noqa: E402
from beholder.training.networks.loading import Feed  # noqa: E402
from beholder.training.networks.processes import fit  # noqa: E402

needs_two_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")


class Dying(Keeper):
    """Ends its process as a system does that has no memory left."""

    def save(self, *_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@needs_two_cores
def test_two_processes_learn_what_one_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without batch normalization the mean of two halves' gradients is that of the whole batch."""
    told: list[tuple[int, int]] = []
    trained = {}
    for devices in (1, 2):
        plan = plan_of("lenet5", devices=devices, epochs=2, augment=("none",), optimizer="sgd")
        one = fitting_of(tmp_path / f"{devices}", plan)
        trained[devices] = fit(one.recognizer, one.plan, one.lesson, one.keeper, lambda *step: told.append(step))
    assert told == 2 * [(step, 6) for step in range(1, 7)]
    alone, together = (weights_of(trained[devices]) for devices in (1, 2))
    for name in alone:
        assert torch.allclose(alone[name], together[name], atol=1e-5), name
    rows = [[row["loss"] for row in trained[devices].progress.curve] for devices in (1, 2)]
    assert rows[0] == pytest.approx(rows[1], abs=1e-4)
    assert len(rows[1]) == 2
    assert "distributed" not in capfd.readouterr().err


@needs_two_cores
def test_what_fails_in_a_process_is_said_as_in_one(tmp_path: Path) -> None:
    plan = plan_of("lenet5", devices=2, augment=("none",))
    one = fitting_of(tmp_path, plan)
    broken = ArrayPixels(np.zeros((36, 16, 16, 3), np.uint8), broken=range(36))
    feed = Feed(broken, np.arange(27), Augmentation(["none"], 16), batch=8, seed=0, workers=1)
    object.__setattr__(one.lesson, "feed", feed)
    with pytest.raises(UnreadableImage, match=r"^4 images: \d+\.png: is gone$"):
        fit(one.recognizer, one.plan, one.lesson, one.keeper, lambda *_: None)


@needs_two_cores
def test_a_process_that_is_ended_is_told_and_nobody_waits_for_it(tmp_path: Path) -> None:
    one = fitting_of(tmp_path, plan_of("lenet5", devices=2, augment=("none",)))
    started = time.monotonic()
    with pytest.raises(TrainingFailed, match=r"one of the 2 processes .* was ended.*; choose fewer devices"):
        fit(one.recognizer, one.plan, one.lesson, Dying(tmp_path), lambda *_: None)
    assert time.monotonic() - started < 60


def test_a_worker_that_is_lost_while_a_step_is_taken_is_told(tmp_path: Path) -> None:
    """Torch raises that from the handler of a signal, in whatever the process is doing then."""
    one = fitting_of(tmp_path, plan_of("lenet5"))

    def tell(*_: int) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. ")

    with pytest.raises(TrainingFailed, match="a process that makes batches was ended"):
        fit(one.recognizer, one.plan, one.lesson, one.keeper, tell)


KILLED = """
import sys
from pathlib import Path
from beholder.training.networks.processes import fit
from small_lessons import fitting_of, plan_of

def tell(done, total):
    print(done, flush=True)

if __name__ == "__main__":
    one = fitting_of(Path(sys.argv[1]), plan_of("lenet5", devices=2, augment=("none",), epochs=100_000))
    fit(one.recognizer, one.plan, one.lesson, one.keeper, tell)
"""


def marked(mark: str) -> list[Path]:
    """The other processes that have a text in their environment, and are not only waiting to be taken note of."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_text(errors="replace") and process.name != str(os.getpid()):
                found += [process] * ("\nState:\tZ" not in (process / "status").read_text())
        except OSError:
            continue  # it has just ended, or is of somebody else
    return found


def require_gone(mark: str) -> None:
    """All processes with this mark end soon."""
    until = time.monotonic() + 20
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.2)
    for process in left:
        os.kill(int(process.name), signal.SIGKILL)
    assert not left


@needs_two_cores
@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs a list of processes")
def test_nothing_goes_on_where_the_training_was_killed(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), str(tmp_path / "kept")]
    home = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OF_TEST": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=home) as training:
        assert training.stdout is not None and training.stdout.readline().strip() == "1"
        assert len(marked(str(tmp_path))) >= 3
        training.kill()
    require_gone(str(tmp_path))


@needs_two_cores
@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs a list of processes")
def test_nothing_goes_on_where_one_of_the_processes_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_TEST", str(tmp_path))
    one = fitting_of(tmp_path, plan_of("lenet5", devices=2, augment=("none",)))
    with pytest.raises(TrainingFailed, match="was ended"):
        fit(one.recognizer, one.plan, one.lesson, Dying(tmp_path), lambda *_: None)
    require_gone(f"OF_TEST={tmp_path}")
