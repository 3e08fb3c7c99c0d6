"""How the command talks: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from beholder.errors import OutputFailed, one_line

_CLEAR: Final = "\r\x1b[K"
_REDRAW_SECONDS: Final = 0.1
_UNPRINTABLE: Final = re.compile(r"[^ -~]")


def say(text: str) -> None:
    """A line of the answer, on standard output; nothing in it can steer a terminal."""
    write(f"{one_line(text)}\n")


def say_lines(text: str) -> None:
    """Several lines of the answer."""
    for line in text.split("\n"):
        say(line)


def write(text: str) -> None:
    """Text as it is, on standard output.

    Raises:
        OutputFailed: it cannot be written, as on a full disk.
    """
    with _written():
        sys.stdout.write(text)


def flush() -> None:
    """Bring out what is still held back; raises as `write` does."""
    with _written():
        sys.stdout.flush()


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has gone, which is no error
        raise
    except OSError as error:
        raise OutputFailed(f"the output cannot be written: {error.strerror or error}") from None


def warn(text: str) -> None:
    """A line for the person, on standard error."""
    StatusLine.make_room()
    sys.stderr.write(f"{one_line(text)}\n")


def as_json(value: Any) -> str:
    """One line of JSON; characters that could steer a terminal are spelled out."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else _UNPRINTABLE.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def shown_size(byte_size: int) -> str:
    """The size of a file, for a person."""
    return f"{byte_size / 1e6:,.1f} MB" if byte_size >= 1e6 else f"{byte_size / 1e3:,.1f} kB"


class StatusLine:
    """The one line on standard error that is drawn over; nothing where no terminal shows it."""

    _drawn: StatusLine | None = None
    """The one that is on the terminal now."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = 0.0

    def draw(self, text: str, *, at_once: bool = False) -> None:
        """Show a text in place of the one before, unless that is a moment old only."""
        now = time.monotonic()
        if not self._is_shown or (now < self._next and not at_once):
            return
        self._next = now + _REDRAW_SECONDS
        StatusLine._drawn = self
        sys.stderr.write(f"{_CLEAR}{one_line(text)[: _terminal_width() - 1]}")
        sys.stderr.flush()

    @classmethod
    def make_room(cls) -> None:
        """Take the line away, before another is written or at the end."""
        if cls._drawn is not None:
            cls._drawn = None
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


@contextmanager
def steps(names: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """Show long work step by step on a terminal; yields what is told the step, the done and the whole."""
    line = StatusLine()
    current, started, first = "", 0.0, 0

    def draw(step: str, done: int, total: int) -> None:
        nonlocal current, started, first
        is_new = step != current
        if is_new:
            current, started, first = step, time.monotonic(), done  # what is resumed was not done just now
        text = names.get(step, step)
        if total > 0:
            left = _left(time.monotonic() - started, done - first, total - done)
            text += f"  {done:,}/{total:,}  {done / total:.0%}{left}"
        line.draw(text, at_once=is_new)

    try:
        yield draw
    finally:
        line.make_room()


def _left(seconds: float, done: int, remaining: int) -> str:
    """How long the rest may take by what was done in some seconds; nothing while that is a guess."""
    if done <= 0 or remaining <= 0 or seconds < 1:
        return ""
    minutes, rest = divmod(round(seconds / done * remaining), 60)
    hours, minutes = divmod(minutes, 60)
    return f"  {hours}:{minutes:02}:{rest:02} left" if hours else f"  {minutes}:{rest:02} left"


@contextmanager
def progress() -> Iterator[Callable[[], None]]:
    """Count on a terminal while the answers go elsewhere; yields what is called for each image."""
    if sys.stdout.isatty():
        yield lambda: None
        return
    line = StatusLine()
    started, count = time.monotonic(), 0

    def advance() -> None:
        nonlocal count
        count += 1
        seconds = time.monotonic() - started
        rate = f", {count / seconds:,.0f} a second" if seconds >= 1 else ""
        line.draw(f"{count:,} image{'' if count == 1 else 's'}{rate}")

    try:
        yield advance
    finally:
        line.make_room()
