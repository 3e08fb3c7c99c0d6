"""How the command talks: answers on standard output, everything else on standard error."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from beholder.errors import one_line

if TYPE_CHECKING:
    from beholder.model import ModelCard
    from beholder.result import Classification, ImageFailure, Result

Form = Literal["table", "json", "csv"]

_SOURCE_WIDTH: Final = 36
_ANSWER_WIDTH: Final = 34
_CSV_COLUMNS: Final = ("source", "frame", "rank", "label", "confidence", "x1", "y1", "x2", "y2", "text", "error")


def say(text: str) -> None:
    """A line of the answer, on standard output."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """A line for the person, on standard error."""
    sys.stderr.write(f"{one_line(text)}\n")


def as_json(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def printer(form: Form, card: ModelCard) -> Callable[[Result | ImageFailure], None]:
    """What prints one answer of a model in the wanted form."""
    if form == "json":
        return lambda answer: say(as_json(answer.to_dict()))
    if form == "csv":
        say(",".join(_CSV_COLUMNS))
        return _print_csv
    return partial(_print_row, card.sure_from or 0.0)


def _print_row(sure_from: float, answer: Result | ImageFailure) -> None:
    """A row for a person; failures go to standard error."""
    from beholder.result import Classification, ImageFailure

    if isinstance(answer, ImageFailure):
        return
    name = answer.source if answer.time_seconds is None else f"{answer.source} @{answer.time_seconds:.2f}s"
    name = _fitted(one_line(name), _SOURCE_WIDTH)
    if not isinstance(answer, Classification):
        say(f"{name}  {one_line(str(answer).split(': ', 1)[-1])}")
        return
    best, others = _columns(answer, sure_from)
    say(f"{name}  {best:<{_ANSWER_WIDTH}}  {others}".rstrip())


def _columns(answer: Classification, sure_from: float) -> tuple[str, str]:
    """The answer, and what else it might be."""
    likely = [f"{label.name} {label.confidence:.0%}" for label in answer.labels if label.confidence >= 0.005]
    if answer.unknown:
        return "unknown", f"nearest: {', '.join(likely[:3])}"
    if answer.accepted is not None:
        return ", ".join(answer.accepted) or "none of the labels", ", ".join(likely[:5])
    if answer.group is None:
        return f"{answer.confidence:4.0%} {answer.label}", ", ".join(likely[1:3])
    group = f"{answer.group.confidence:4.0%} {answer.group.name}"
    if answer.group.confidence < sure_from:
        return " not sure", f"perhaps{group}: {', '.join(likely[:3])}"
    return group, f"perhaps {', '.join(likely[:3])}"


def _print_csv(answer: Result | ImageFailure) -> None:
    """A row for each label or box, so that any spreadsheet can read it."""
    from beholder.result import Caption, Classification, Detections, Embedding, ImageFailure, Segmentation

    frame = "" if answer.frame is None else answer.frame
    rows: list[list[Any]] = []
    blank = [""] * 4
    if isinstance(answer, ImageFailure):
        rows.append([answer.source, frame, "", "", "", *blank, "", answer.message])
    elif isinstance(answer, Classification):
        pairs = enumerate(answer.labels, 1)
        rows += [[answer.source, frame, rank, x.name, x.confidence, *blank, "", ""] for rank, x in pairs]
    elif isinstance(answer, Detections):
        found = enumerate(answer, 1)
        rows += [[answer.source, frame, rank, x.name, x.confidence, *x.box_xyxy, "", ""] for rank, x in found]
    elif isinstance(answer, Segmentation):
        shares = enumerate(answer.share.items(), 1)
        rows += [[answer.source, frame, rank, name, share, *blank, "", ""] for rank, (name, share) in shares if share]
    elif isinstance(answer, Caption):
        rows.append([answer.source, frame, "", "", "", *blank, answer.text, ""])
    elif isinstance(answer, Embedding):
        rows.append([answer.source, frame, "", "", "", *blank, " ".join(map(str, answer.vector.tolist())), ""])
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerows([_harmless(value) for value in row] for row in rows)
    sys.stdout.write(line.getvalue())


def _harmless(value: Any) -> Any:
    """A file name that begins like a formula must not be run by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "@") else value


def _fitted(text: str, width: int) -> str:
    """A name in a column: its end is what tells files apart."""
    return text.ljust(width) if len(text) <= width else f"…{text[-(width - 1) :]}"


def closing(card: ModelCard, done: int, failed: int, seconds: float, is_default: bool) -> None:
    """The last lines after a table: how much, how fast, and who answered."""
    plural = "" if done == 1 else "s"
    rate = f", {done / seconds:,.0f} a second" if done > 20 else ""
    failures = f"; {failed:,} could not be read" if failed else ""
    warn(f"{done:,} image{plural} in {seconds:.2f} s{rate}{failures}")
    if is_default and done:
        warn(
            f"answered by {card.name}, which knows {len(card.labels):,} kinds of things, not people, "
            "and always names one of them; more: beholder info " + card.name
        )


@contextmanager
def steps(names: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """Show long work step by step on a terminal; yields what is told the step, the done and the whole."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda step, done, total: bar.update(
            task, description=names.get(step, step), completed=done, total=total or None
        )


@contextmanager
def progress() -> Iterator[Callable[[], None]]:
    """Count on a terminal while the answers go elsewhere; yields what is called for each image."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:,} images, {task.speed:,.0f} a second"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predict", total=None)
        yield lambda: bar.advance(task)
