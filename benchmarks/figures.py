"""Figures: what was measured, with its spread and with what it must be; the options and the report of every script."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    least: float
    greatest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Median, least, greatest and number of them."""
        return cls(median(values), min(values), max(values), len(values))

    def text(self, digits: int = 2) -> str:
        """For people: the median, and the range in brackets."""
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}–{self.greatest:,.{digits}f})"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is to be told, with what it must be.

    Attributes:
        name: what it is.
        value: the number, for machines.
        shown: the number with its spread, for people.
        bound: what must hold, such as `at least 5`; empty where the number is only told.
        holds: whether it does; None where there is no bound.
        details: whatever else belongs to it, for machines.
    """

    name: str
    value: float
    shown: str
    bound: str = ""
    holds: bool | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table that has columns of its own.

    Attributes:
        cells: what is shown, by column.
        details: whatever else belongs to it, for machines.
    """

    cells: Mapping[str, str]
    details: Mapping[str, Any] = field(default_factory=dict)


def at_least(name: str, spread: Spread, bound: float, details: Mapping[str, Any] | None = None) -> Figure:
    """A ratio that must reach a bound."""
    details = {**asdict(spread), **(details or {})}
    return Figure(name, spread.median, spread.text(), f"at least {bound:g}", spread.median >= bound, details)


def at_most(name: str, spread: Spread, bound: float, details: Mapping[str, Any] | None = None) -> Figure:
    """A ratio that must stay under a bound."""
    details = {**asdict(spread), **(details or {})}
    return Figure(name, spread.median, spread.text(), f"at most {bound:g}", spread.median <= bound, details)


def arguments(description: str, *, peers: bool = True) -> argparse.ArgumentParser:
    """The options that all scripts have; `peers` where a script needs them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", help="folder of data sets; $BEHOLDER_TEST_IMAGES when left out")
    parser.add_argument("--work", help="where working sets are kept between runs; among the temporary files")
    if peers:
        parser.add_argument("--peers-python", default=os.environ.get("BEHOLDER_PEERS_PYTHON"), help="see README.md")
    parser.add_argument("--beholder-python", default=sys.executable, help="where Beholder is installed; this one")
    parser.add_argument("--cores", type=int, default=2, help="how many cores everything may use")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the options, and keep this process and all it starts on so many cores."""
    args = parser.parse_args()
    peers = getattr(args, "peers_python", sys.executable)
    if not peers or not Path(peers).exists():
        parser.error(f"--peers-python must name the peers' interpreter (see README.md), found {peers}")
    cores = sorted(os.sched_getaffinity(0))[: args.cores]
    if len(cores) < args.cores:
        parser.error(f"--cores: {args.cores} are needed, found {len(cores)}")
    os.sched_setaffinity(0, cores)
    return args


def report(args: argparse.Namespace, title: str, notes: Sequence[str], figures: Sequence[Figure]) -> int:
    """Print a table of the figures, write them where asked; returns the exit status: 1 where a bound does not hold."""
    command = _heading(title, notes)
    print("\n| figure | measured | must be | |\n| --- | --- | --- | --- |")
    for figure in figures:
        verdict = "" if figure.holds is None else "holds" if figure.holds else "**does not hold**"
        print(f"| {figure.name} | {figure.shown} | {figure.bound} | {verdict} |")
    _write(args, title, command, notes, {"figures": [asdict(figure) for figure in figures]})
    return 1 if any(figure.holds is False for figure in figures) else 0


def report_table(
    args: argparse.Namespace, title: str, notes: Sequence[str], rows: Sequence[Row], bounds: Sequence[Figure] = ()
) -> int:
    """As `report`, for what has columns of its own; what must hold comes below the table.

    Args:
        args: the options.
        title: of the table.
        notes: what a reader must know.
        rows: all with the same columns; at least one.
        bounds: figures with what they must be.
    """
    command = _heading(title, notes)
    columns = list(rows[0].cells)
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row.cells[column] for column in columns)} |")
    print()
    for figure in bounds:
        print(f"- {figure.name}: {figure.shown}; {figure.bound}: {'holds' if figure.holds else '**does not hold**'}")
    content = {"rows": [{**row.cells, **row.details} for row in rows], "figures": [asdict(one) for one in bounds]}
    _write(args, title, command, notes, content)
    return 1 if any(figure.holds is False for figure in bounds) else 0


def _heading(title: str, notes: Sequence[str]) -> str:
    """Print what comes before a table; returns the command."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    print(f"\n### {title}\n\n`{command}`; {machine()}\n")
    for note in notes:
        print(f"- {note}")
    return command


def _write(args: argparse.Namespace, title: str, command: str, notes: Sequence[str], rest: Mapping[str, Any]) -> None:
    sys.stdout.flush()
    if args.json:
        content = {"title": title, "command": command, "machine": machine(), "notes": list(notes), **rest}
        Path(args.json).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def machine() -> str:
    """The machine in a line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    model, cores = next(named, platform.machine()), len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}"
    return f"{model}, {cores} cores, {memory:.0f} GB, {system}, Python {platform.python_version()}"
