"""The answers of `predict` in the form that is wanted: a table for a person, JSON, or CSV."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

from beholder.cli import printing
from beholder.errors import one_line
from beholder.result import Caption, Classification, Detections, Embedding, ImageFailure, Result, Segmentation

if TYPE_CHECKING:
    from beholder.model import ModelCard

Form = Literal["table", "json", "csv"]

CSV_COLUMNS: Final = (
    *("source", "frame", "time_seconds", "model", "rank", "label", "confidence", "x1", "y1", "x2", "y2"),
    *("group", "unknown", "accepted", "text", "error", "prediction_set"),
)

_SOURCE_WIDTH: Final = 36
_SOURCE_SHARE: Final = 0.4
_ANSWER_WIDTH: Final = 34
_LEAST_SHOWN: Final = 0.005
_MOST_IN_SET: Final = 5


def printer(form: Form, coverage: float | None = None) -> Callable[[Result | ImageFailure], None]:
    """What prints one answer of a model in the wanted form.

    Args:
        form: a table for a person, JSON, or CSV.
        coverage: the probability with which the answers' prediction sets hold the truth, to be told with them.
    """
    if form == "json":
        return lambda answer: printing.say(printing.as_json(answer.to_dict()))
    if form == "csv":
        printing.write(_csv_line(CSV_COLUMNS))
        return _print_csv
    return Table(coverage).print


class Table:
    """Prints a row for each answer; failures are told elsewhere.

    Args:
        coverage: as for `printer`.
    """

    def __init__(self, coverage: float | None = None) -> None:
        self._coverage = coverage
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        self._most = max(8, int(columns * _SOURCE_SHARE)) if columns else None
        self._width = min(_SOURCE_WIDTH, self._most or _SOURCE_WIDTH)

    def print(self, answer: Result | ImageFailure) -> None:
        """Print the row of one answer."""
        if isinstance(answer, ImageFailure):
            return
        name = answer.source if answer.time_seconds is None else f"{answer.source} @{answer.time_seconds:.2f}s"
        name = self._fitted(one_line(name))
        if isinstance(answer, Classification):
            best, others = _columns(answer, self._coverage)
            printing.say(f"{name}  {best:<{_ANSWER_WIDTH}}  {others}".rstrip())
        else:
            printing.say(f"{name}  {_summary(answer)}")

    def _fitted(self, name: str) -> str:
        """A name in its column, which grows with the names; where it is cut, its end is what tells files apart."""
        if self._most is None:
            return name.ljust(self._width)
        self._width = max(self._width, min(len(name), self._most))
        return name.ljust(self._width) if len(name) <= self._width else f"…{name[-(self._width - 1) :]}"


def _summary(answer: Result) -> str:
    return one_line(str(answer).split(": ", 1)[-1])


def _columns(answer: Classification, coverage: float | None) -> tuple[str, str]:
    """The answer, and what else it might be: with a stated probability where the model can, else by confidence."""
    from beholder.cli.headline import headline

    first = headline(answer)
    likely = [f"{label.name} {label.confidence:.0%}" for label in answer.labels if label.confidence >= _LEAST_SHOWN]
    if first.kind == "unknown":
        return first.text, f"nearest: {', '.join(likely[:3])}"
    if first.kind == "accepted":
        return first.text, ", ".join(likely[:5])
    if first.kind == "not sure":
        return " not sure", f"perhaps {', '.join(likely[:3]) or answer.label}"
    best = f"{first.confidence:4.0%} {first.text}"
    if len(answer.prediction_set or ()) > 1:
        return best, _set(answer.prediction_set or (), coverage)
    return best, f"perhaps {', '.join(likely[:3])}" if first.kind == "group" else ", ".join(likely[1:3])


def _set(names: tuple[str, ...], coverage: float | None) -> str:
    count = f" {len(names):,} labels" if len(names) > _MOST_IN_SET else ""
    more = ", …" if count else ""
    surely = "" if coverage is None else f" ({100 * coverage:.3g}%)"
    return f"one of{count}: {', '.join(names[:_MOST_IN_SET])}{more}{surely}"


def _print_csv(answer: Result | ImageFailure) -> None:
    """A row for each label or box, and one where there is none, so that any spreadsheet can read it."""
    common: dict[str, Any] = {"source": answer.source, "frame": answer.frame}
    if isinstance(answer, ImageFailure):
        rows = [{"error": answer.message}]
    else:
        common |= {"time_seconds": answer.time_seconds, "model": answer.model}
        rows = list(_csv_rows(answer)) or [{}]
    for row in rows:
        printing.write(_csv_line([(common | row).get(column) for column in CSV_COLUMNS]))


def _csv_rows(answer: Result) -> Iterator[dict[str, Any]]:
    if isinstance(answer, Classification):
        whole = {
            "group": answer.group.name if answer.group else None,
            "unknown": None if answer.unknown is None else str(answer.unknown).lower(),
            "accepted": None if answer.accepted is None else "; ".join(answer.accepted),
            "prediction_set": None if answer.prediction_set is None else "; ".join(answer.prediction_set),
        }
        for rank, label in enumerate(answer.labels, 1):
            yield {"rank": rank, "label": label.name, "confidence": label.confidence, **whole}
    elif isinstance(answer, Detections):
        for rank, found in enumerate(answer, 1):
            box = dict(zip(("x1", "y1", "x2", "y2"), found.box_xyxy, strict=True))
            yield {"rank": rank, "label": found.name, "confidence": found.confidence, **box}
    elif isinstance(answer, Segmentation):
        for rank, (name, share) in enumerate(answer.share.items(), 1):
            if share:
                yield {"rank": rank, "label": name, "confidence": share}
    elif isinstance(answer, Caption):
        yield {"text": answer.text}
    elif isinstance(answer, Embedding):
        yield {"text": " ".join(map(str, answer.to_dict()["vector"]))}


def _csv_line(values: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_harmless(value) for value in values])
    return line.getvalue()


def _harmless(value: Any) -> Any:
    """A file name that begins like a formula must not be run by a spreadsheet, nor steer a terminal."""
    if not isinstance(value, str):
        return value
    return one_line(f"'{value}" if value[:1] in ("=", "+", "@") else value)


def closing(card: ModelCard, done: int, failed: int, seconds: float, is_default: bool) -> None:
    """The last lines after a table: how much, how fast, and who answered."""
    plural = "" if done == 1 else "s"
    rate = f", {done / seconds:,.0f} a second" if done > 20 else ""
    failures = f"; {failed:,} could not be read" if failed else ""
    printing.warn(f"{done:,} image{plural} in {seconds:.2f} s{rate}{failures}")
    if is_default and done:
        printing.warn(
            f"answered by {card.name}, which knows {len(card.labels):,} kinds of things, not people, "
            "and answers with these also for what is none of them; more: beholder info " + card.name
        )
