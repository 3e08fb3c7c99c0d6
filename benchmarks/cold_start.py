"""From the start of the command to the first label, beside the bare imports that it cannot do without.

Both are fresh processes of the same interpreter, in turns; what counts is their CPU time, user and system, which the
system reports at their end. The model file is in the cache, as after the first use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from figures import Figure, Spread, arguments, at_most, parse, report
from photographs import images_folder, small_set, work_folder
from race import CONTESTANTS, OFFLINE

BOUND = 1.8
HEAVY = ("numpy", "PIL", "onnxruntime")


class Cost(NamedTuple):
    """What a process took.

    Attributes:
        cpu_seconds: user and system.
        seconds: by the clock.
    """

    cpu_seconds: float
    seconds: float


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--peer-repeats", type=int, default=3, help="starts of Hugging Face's pipeline; 0 for none")
    args = parse(parser)
    folder = small_set(images_folder(args.images), work_folder(args.work), 1).folder
    python, photograph = args.beholder_python, str(next(folder.iterdir()))
    commands = {
        "imports": [python, "-c", f"import {', '.join(HEAVY)}"],
        "imports, decoder": [python, "-c", f"import {', '.join(HEAVY)}, PIL.Image"],
        "predict": [*_command(python), "predict", photograph],
    }
    costs = _in_turns(commands, args.repeats)
    figures = [_told("`import numpy, PIL, onnxruntime`", costs["imports"])]
    figures.append(_told("`import numpy, PIL, onnxruntime, PIL.Image`", costs["imports, decoder"]))
    figures.append(_told("`beholder predict photograph.jpg`", costs["predict"]))
    ratios = [
        one.cpu_seconds / other.cpu_seconds for one, other in zip(costs["predict"], costs["imports"], strict=True)
    ]
    figures.append(at_most("**CPU time, first label / bare imports**", Spread.of(ratios), BOUND))
    if args.peer_repeats:
        script = [args.peers_python, str(CONTESTANTS / "huggingface_pipeline.py"), str(folder), "1", "0"]
        peer = _in_turns({"peer": script}, args.peer_repeats)["peer"]
        figures.append(_told("Hugging Face pipeline, start to first label", peer))
    figures.append(_loaded_by_import(python))
    return report(args, "Start to first label", [f"{args.repeats} processes of each, in turns"], figures)


def _command(python: str) -> list[str]:
    """The command as it is installed beside the interpreter, or the module where it is not."""
    installed = Path(python).with_name("beholder")
    return [str(installed)] if installed.exists() else [python, "-m", "beholder"]


def _in_turns(commands: dict[str, Sequence[str]], repeats: int) -> dict[str, list[Cost]]:
    """What each command takes; each runs once before, so that files and byte code are in the caches."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, command in commands.items():
            cost = _cost(command)
            if number:
                costs[name].append(cost)
    return costs


def _cost(command: Sequence[str]) -> Cost:
    """Run a process to its end; a contestant is told to take one turn."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **OFFLINE},
    )
    process.stdin.write(b"go\n")
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: must end well, found status {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, seconds)


def _told(name: str, costs: list[Cost]) -> Figure:
    cpu, wall = Spread.of([cost.cpu_seconds for cost in costs]), Spread.of([cost.seconds for cost in costs])
    shown = f"{cpu.text(3)} s of CPU, {wall.text(3)} s by the clock"
    return Figure(name, cpu.median, shown, details={"cpu_seconds": asdict(cpu), "seconds": asdict(wall)})


def _loaded_by_import(python: str) -> Figure:
    code = f"import sys, beholder; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    return Figure("of these, loaded by `import beholder`", len(loaded), ", ".join(loaded) or "none", "none", not loaded)


if __name__ == "__main__":
    sys.exit(main())
