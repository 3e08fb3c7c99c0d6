"""What is kept of an unfinished training: whole, or said to be damaged, and one process's at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from beholder.errors import OutputFailed, UsageError  # noqa: E402
from beholder.training.networks.keeping import Keeper, unfinished_folder  # noqa: E402

HOLDING = """
import sys
from pathlib import Path
from beholder.training.networks.keeping import Keeper
with Keeper(Path(sys.argv[1])).owned():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_state_comes_back_and_a_damaged_one_is_as_good_as_none(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    assert keeper.load("checkpoint") is None and not keeper.has("checkpoint")
    keeper.save("checkpoint", {"network": {"weight": torch.arange(3.0)}, "step": 7})
    state = keeper.load("checkpoint")
    assert state is not None and state["step"] == 7 and torch.equal(state["network"]["weight"], torch.arange(3.0))
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    assert keeper.load("checkpoint") is None and keeper.has("checkpoint")


def test_a_state_that_may_not_be_read_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(tmp_path)
    keeper.save("checkpoint", {"step": 7})

    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(UsageError, match="Permission denied; let it be read, or remove it"):
        keeper.load("checkpoint")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_two_processes_do_not_do_the_same_training(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another process trains"), Keeper(tmp_path).owned():
            pass
        other.kill()
    with Keeper(tmp_path).owned():
        assert (tmp_path / "owner").exists()
    with Keeper(tmp_path).owned():
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputFailed, match="cannot be written"), Keeper(tmp_path / "file" / "folder").owned():
        pass


def test_a_folder_follows_from_every_text() -> None:
    folders = {unfinished_folder(*parts) for parts in (("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"))}
    assert len(folders) == 4
