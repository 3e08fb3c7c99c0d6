"""A verb that has verbs of its own, such as `beholder dataset show`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from beholder.cli import printing
from beholder.cli.parsing import Parser
from beholder.records import nearest

_USAGE_STATUS: Final = 2

ALONE: Final = ""
"""The name, among the verbs, of what is done where no verb is named."""


class SubVerb(NamedTuple):
    """A verb of a verb.

    Attributes:
        form: what it is followed by, as in `DATA OUT [--to FORMAT]`.
        summary: what it does, for the help.
        add_arguments: declares its options.
        run: does it; returns the exit status.
    """

    form: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def run_sub_verb(prog: str, summary: str, verbs: Mapping[str, SubVerb], words: Sequence[str]) -> int:
    """Run the verb that the first word names; without one, do what stands under `ALONE`, or print what there is.

    Args:
        prog: the words that lead here, such as `beholder dataset`.
        summary: what the verbs are about, for the help.
        verbs: by name.
        words: what stands behind `prog`.

    Returns:
        The exit status.

    Raises:
        SystemExit: help was printed, or wrong usage was told.
    """
    name = words[0] if words else ""
    if name and name in verbs:
        verb = verbs[name]
        parser = Parser(f"{prog} {name}", f"{verb.summary[0].upper()}{verb.summary[1:]}.")
        verb.add_arguments(parser)
        return verb.run(parser.parse_words(list(words[1:])))
    if name and not name.startswith("-"):
        printing.warn(f"{prog}: {_unknown(prog, name, verbs)}; see: {prog} --help")
        return _USAGE_STATUS
    parser = Parser(prog, summary)
    parser.usage, parser.formatter_class = f"{prog} VERB …", argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{_listed(verbs)}\n\n{prog} VERB --help says more about a verb."
    if ALONE in verbs:
        alone = verbs[ALONE]
        parser.usage = f"{prog} {alone.form}\n       {prog} VERB …"
        alone.add_arguments(parser)
        return alone.run(parser.parse_words(list(words)))
    _, unknown = parser.parse_known_args(list(words))
    if unknown:
        parser.error(f"{unknown[0]}: options follow a verb, as in: {prog} {next(iter(verbs))}")
    parser.print_help()
    return 0


def _unknown(prog: str, name: str, verbs: Mapping[str, SubVerb]) -> str:
    if os.path.exists(name):
        return f"{name!r} is not a verb but a path; did you mean: {prog} {next(iter(verbs))} {name}"
    return f"{name!r} is not a verb; {nearest(name, [verb for verb in verbs if verb])}"


def _listed(verbs: Mapping[str, SubVerb]) -> str:
    lines = ["verbs:"]
    for name, verb in verbs.items():
        if name == ALONE:
            continue
        lines += [f"  {name} {verb.form}", f"      {verb.summary}"]
    return "\n".join(lines)
