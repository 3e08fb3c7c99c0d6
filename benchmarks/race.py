"""Contestants in turn: every one loads first, then each round lets each of them go once, one at a time.

A ratio is taken within a round, and the median of the rounds is what counts. Whatever else uses the cores meanwhile is
measured too, because it does not slow all of them alike: threads that wait for each other at every layer suffer most.
Such a turn is repeated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from figures import Spread

CONTESTANTS = Path(__file__).resolve().parent / "contestants"

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "0",
    "YOLO_CONFIG_DIR": str(Path(tempfile.gettempdir()) / "beholder-benchmarks-yolo"),
}
"""What keeps the peers from asking the network for anything."""


UNDISTURBED = 0.05
"""The share of the cores that something else may use in a turn."""

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that goes through a folder.

    Attributes:
        name: for the table.
        group: contestants of one group are one peer, set up in different ways.
        command: a script in `contestants/` and its arguments, after the interpreter.
    """

    name: str
    group: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One time through the folder.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of all cores together.
        count: how many images were answered.
        peak_bytes: the most memory the contestant has had so far.
        answers: by file, the likeliest classes; None when they were not asked for.
        others: the share of the cores that something else used meanwhile.
    """

    seconds: float
    cpu_seconds: float
    count: int
    peak_bytes: int
    answers: dict[str, list[int]] | None
    others: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.count / self.seconds


def busy_seconds() -> float:
    """What the cores of this process have done since the machine started, for anybody: the sum of their seconds."""
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    busy = 0
    with open("/proc/stat", encoding="ascii") as stat:
        for name, user, nice, system, _idle, _iowait, irq, softirq, steal, *_ in _core_rows(stat):
            if name in cores:
                busy += sum(map(int, (user, nice, system, irq, softirq, steal)))
    return busy / os.sysconf("SC_CLK_TCK")


def _core_rows(stat: Iterable[str]) -> Iterator[list[str]]:
    return (line.split() for line in stat if line.startswith("cpu"))


def wait_until_idle() -> None:
    """Wait until nothing uses the cores, but not longer than a while."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < give_up:
        busy, started = busy_seconds(), time.monotonic()
        time.sleep(0.3)
        available = (time.monotonic() - started) * len(os.sched_getaffinity(0))
        if (busy_seconds() - busy) / available <= UNDISTURBED:
            return


class Running:
    """A contestant's process; it ends with the block."""

    def __init__(self, contestant: Contestant, log: Path) -> None:
        self._contestant = contestant
        self._log = log
        script, *arguments = contestant.command[1:]
        command = [contestant.command[0], str(CONTESTANTS / script), *arguments]
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **OFFLINE},
            )

    def wait_until_ready(self) -> int:
        """Wait until it has loaded; returns its peak memory then, bytes."""
        return int(self._reply()["peak_bytes"])

    def turn(self, *, answers: bool = False) -> Turn:
        """Let it go through the folder once."""
        busy, started = busy_seconds(), time.perf_counter()
        self._process.stdin.write("go answers\n" if answers else "go\n")
        self._process.stdin.flush()
        reply = self._reply()
        available = (time.perf_counter() - started) * len(os.sched_getaffinity(0))
        others = (busy_seconds() - busy - reply["cpu_seconds"]) / available
        return Turn(**reply, others=max(0.0, others))

    def undisturbed_turn(self, attempts: int) -> Turn:
        """Let it go when the cores are idle; again when something else has used them meanwhile."""
        best: Turn | None = None
        for _ in range(attempts):
            wait_until_idle()
            turn = self.turn()
            if best is None or turn.others < best.others:
                best = turn
            if best.others <= UNDISTURBED:
                break
        return best

    def _reply(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            said = self._log.read_text()[-3000:]
            raise SystemExit(f"{self._contestant.name} has ended with status {status}; it said:\n{said}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        if kind is not None:
            self._process.terminate()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Race:
    """What came of a race.

    Attributes:
        turns: by the name of the contestant, one for each round.
        answers: by the name of the contestant, what it said before the first round, for those that were asked.
        groups: by the name of the contestant, its group.
    """

    turns: dict[str, list[Turn]]
    answers: dict[str, dict[str, list[int]]]
    groups: dict[str, str]

    def group(self, group: str) -> list[str]:
        """The contestants of a group, in their order."""
        return [name for name in self.turns if self.groups[name] == group]

    def fastest(self, group: str) -> str:
        """The contestant of a group with the highest median rate."""
        return max(self.group(group), key=lambda name: self.rate(name).median)

    def ratio(self, name: str, other: str) -> Spread:
        """How many times as fast one is as the other, round by round."""
        pairs = zip(self.turns[name], self.turns[other], strict=True)
        return Spread.of([one.rate / two.rate for one, two in pairs])

    def rate(self, name: str) -> Spread:
        """Images a second."""
        return Spread.of([turn.rate for turn in self.turns[name]])

    def cpu_seconds(self, name: str) -> Spread:
        """Seconds of all cores together for an image, worker processes included once they have ended."""
        return Spread.of([turn.cpu_seconds / turn.count for turn in self.turns[name]])

    def peak_bytes(self, name: str) -> int:
        """The most memory that a contestant had, without its worker processes."""
        return max(turn.peak_bytes for turn in self.turns[name])

    @property
    def others(self) -> Spread:
        """The share of the cores that something else used, over all turns."""
        return Spread.of([turn.others for turns in self.turns.values() for turn in turns])

    def same_best(self, name: str, other: str) -> float | None:
        """The share of files of which both say the same first; None where one of them gave no answers."""
        one, two = self.answers[name], self.answers[other]
        if set(one) != set(two):
            return None
        return sum(one[file][0] == two[file][0] for file in one) / len(one)


def race(contestants: Sequence[Contestant], rounds: int, attempts: int) -> Race:
    """Let the contestants go in turns; each goes once before, which is not measured and gives its answers.

    Args:
        contestants: all of them are loaded before the first turn.
        rounds: how many turns each has.
        attempts: how many times a turn that something else has disturbed is taken.
    """
    with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        running = {}
        for index, contestant in enumerate(contestants):
            process = stack.enter_context(Running(contestant, Path(logs) / f"{index}.log"))
            process.wait_until_ready()
            running[contestant.name] = process
            _progress(f"{contestant.name}: loaded")
        answers = {}
        for name, process in running.items():
            turn = process.turn(answers=True)
            answers[name] = turn.answers or {}
            _progress(f"{name}: warm, {turn.rate:.1f} images a second")
        turns: dict[str, list[Turn]] = {name: [] for name in running}
        for number in range(rounds):
            order = list(running) if number % 2 == 0 else list(reversed(running))
            for name in order:
                turns[name].append(running[name].undisturbed_turn(attempts))
            rates = ", ".join(f"{name} {turns[name][-1].rate:.1f}" for name in running)
            _progress(f"round {number + 1} of {rounds}: {rates}")
    return Race(turns, answers, {contestant.name: contestant.group for contestant in contestants})


def one_turn(contestant: Contestant) -> Turn:
    """What a fresh process takes for one turn."""
    with tempfile.TemporaryDirectory() as logs, Running(contestant, Path(logs) / "log") as running:
        running.wait_until_ready()
        turn = running.turn()
    _progress(f"{contestant.name}: {turn.rate:.1f} images a second, {turn.peak_bytes / 2**20:.0f} MB")
    return turn


def run_script(python: str, script: str, *script_arguments: str | Path) -> None:
    """Run a script of `contestants/` to its end; what it prints goes to standard error."""
    command = [python, str(CONTESTANTS / script), *map(str, script_arguments)]
    subprocess.run(command, check=True, env={**os.environ, **OFFLINE}, stdout=sys.stderr)


def disturbance(others: Spread) -> str:
    """What a reader must know of whatever else the machine did."""
    text = f"something else used {others.median:.0%} of the cores, at most {others.greatest:.0%} in a turn"
    return text if others.greatest <= UNDISTURBED else f"**not an idle machine**: {text}"


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
