"""The command `beholder`: one file per verb, loaded when it is used.

Each verb's module has `add_arguments(parser)` and `run(args)`, which returns the exit status: 0 all done, 1 some inputs
failed, 2 wrong usage or nothing could be done.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Final, NamedTuple

from beholder import __version__
from beholder.errors import BeholderError, one_line
from beholder.records import nearest


class Verb(NamedTuple):
    """A verb of the command.

    Attributes:
        module: where it is.
        summary: what it does, for the help.
    """

    module: str
    summary: str


VERBS: Final = {
    "predict": Verb("beholder.cli.predict", "say what is in images"),
    "train": Verb("beholder.cli.train", "from a folder of images to a model with an honest report"),
    "info": Verb("beholder.cli.info", "show what a model file says about itself"),
    "zoo": Verb("beholder.cli.zoo", "list the models known by name"),
    "pull": Verb("beholder.cli.pull", "bring a model from a hub"),
    "import": Verb("beholder.cli.import_", "make a model file of an ONNX file from elsewhere"),
    "doctor": Verb("beholder.cli.doctor", "say what this machine can run, and what is missing for what"),
    "demo": Verb("beholder.cli.demo", "recognize some photographs and write a page about it"),
}

_USAGE_STATUS: Final = 2
_INTERRUPTED_STATUS: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    _prepare_process()
    try:
        return _run([word for word in words if word != "--debug"])
    except BeholderError as error:
        if debug:
            raise
        _complain(str(error))
        return _USAGE_STATUS
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED_STATUS
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        _complain(f"unexpected {type(error).__name__}: {error}; run it again with --debug and report what it shows")
        return _USAGE_STATUS


def _run(words: list[str]) -> int:
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        _complain(f"{words[0]!r} is not a verb; {nearest(words[0], list(VERBS))}; see: beholder --help")
        return _USAGE_STATUS
    parser = argparse.ArgumentParser(
        prog="beholder",
        description="Image recognition in one file: honest answers, offline.",
        epilog="beholder VERB --help says more about a verb.",
    )
    parser.add_argument("--version", action="version", version=f"beholder {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, verb in VERBS.items():
        chosen = bool(words) and words[0] == name
        verb_parser = verbs.add_parser(name, help=verb.summary, description=_sentence(verb.summary))
        if chosen:
            module = importlib.import_module(verb.module)
            module.add_arguments(verb_parser)
            verb_parser.set_defaults(run=module.run)
    args = parser.parse_args(words)
    status: int = args.run(args)
    sys.stdout.flush()
    return status


def _prepare_process() -> None:
    """Output is UTF-8, a line at a time, whatever bytes a file's name holds; libraries' warnings are not for users."""
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _complain(text: str) -> None:
    sys.stderr.write(f"beholder: {one_line(' '.join(text.split()))}\n")
