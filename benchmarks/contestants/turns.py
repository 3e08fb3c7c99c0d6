"""What every contestant does: load, say so, and then go through the folder each time it is told to.

A contestant reads a line from standard input for each turn: `go`, or `go answers` to be sent what it answered. It
replies with one line of JSON on standard output. The clock runs from the command to the last answer, and so leaves out
imports, loading and whatever the first turn alone needs.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Answer = tuple[str, list[int]]
"""The name of a file and the indices of its five likeliest classes, best first."""


def take_turns(load: Callable[[str], Callable[[], Iterable[Answer]]]) -> None:
    """Load for the folder on the command line, then serve turns until standard input ends.

    Args:
        load: from the folder to a function that goes through it once and gives the answers as they come.
    """
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # libraries print what they like; it must not come between the replies
    work = load(sys.argv[1])
    print(json.dumps({"ready": True, "peak_bytes": peak_bytes()}), file=replies)
    for line in sys.stdin:
        answers: dict[str, list[int]] | None = {} if line.split()[1:] == ["answers"] else None
        print(json.dumps(_turn(work, answers)), file=replies)


def _turn(work: Callable[[], Iterable[Answer]], answers: dict[str, list[int]] | None) -> dict[str, Any]:
    count = 0
    cpu = _cpu_seconds()
    started = time.perf_counter()
    for name, classes in work():
        count += 1
        if answers is not None:
            answers[name] = classes
    seconds = time.perf_counter() - started
    cpu = _cpu_seconds() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu, "count": count, "peak_bytes": peak_bytes(), "answers": answers}


def _cpu_seconds() -> float:
    """Of this process, of its children that have ended, and of those that have not, such as waiting workers."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used) + sum(map(_cpu_seconds_of, _children()))


def _children() -> Iterator[str]:
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as children:
                yield from children.read().split()
        except (FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            continue


def _cpu_seconds_of(process: str) -> float:
    """User and system time, fields 14 and 15 of its status (man proc_pid_stat)."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes() -> int:
    """The most memory that this process has had resident; without its children, in favor of those that have some.

    Read from its status, because what `getrusage` says includes what its parent had before `exec`.
    """
    with open("/proc/self/status", encoding="ascii") as status:
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
