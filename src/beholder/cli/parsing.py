"""The command line's words: an error is one line that says what must hold, what was found and where to read more."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

from beholder.cli import printing
from beholder.records import nearest

_SAID: Final = (
    (r"argument (?P<name>\S+): expected one argument", "{name}: needs a value"),
    (r"argument (?P<name>\S+): invalid int value: (?P<found>.+)", "{name}: must be a whole number, found {found}"),
    (r"argument (?P<name>\S+): invalid float value: (?P<found>.+)", "{name}: must be a number, found {found}"),
    (
        r"argument (?P<name>\S+): invalid choice: (?P<found>.+) \(choose from (?P<known>.+)\)",
        "{name}: must be one of {known}, found {found}",
    ),
    (r"argument (?P<name>\S+): not allowed with argument (?P<other>\S+)", "{name}: cannot go with {other}"),
    (r"the following arguments are required: (?P<names>.+)", "{names}: must be given"),
    (r"argument (?P<name>\S+): (?P<rest>.+)", "{name}: {rest}"),
)
"""What argparse says, and how it is said here; what is not in the list stays as it is."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose options are never abbreviated."""

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(prog=prog, description=description, epilog=epilog, allow_abbrev=False)

    def parse_words(self, words: list[str]) -> argparse.Namespace:
        """Parse words; options may stand before, between and after the others, and all after `--` are no options."""
        parse = self.parse_known_args if "--" in words else self.parse_known_intermixed_args  # which loses the `--`
        args, unknown = parse(words)
        if unknown:
            self.refuse(unknown)
        return args

    def refuse(self, unknown: list[str]) -> NoReturn:
        """Refuse words that mean nothing here: the first option among them, or the first of all."""
        words = [word for word in unknown if word.startswith("-")] or unknown
        self.error(self._unknown(words[0].split("=")[0]))

    def print_help(self, file: Any = None) -> None:
        """Print the help; unlike argparse's own, this fails where the output cannot be written."""
        printing.write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and end with the status of wrong usage."""
        for pattern, form in _SAID:
            found = re.fullmatch(pattern, message, re.DOTALL)
            if found is not None:
                said = {
                    key: text.replace("'", "") if key == "known" else text for key, text in found.groupdict().items()
                }
                message = form.format(**said)
                break
        printing.warn(f"{self.prog}: {message}; see: {self.prog} --help")
        sys.exit(2)

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one too many"
        known = sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.format_help())))
        hint = nearest(word, known)
        return f"{word} is not an option" + (f"; {hint}" if hint.startswith("did you mean") else "")


def whole(least: int) -> Callable[[str], int]:
    """Reads a whole number that is not below the least."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, found {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, found {value}")
        return value

    return read


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, found {text}")
    return value


def seconds(text: str) -> float:
    """Reads a duration."""
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, found {text}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, found {text!r}") from None
