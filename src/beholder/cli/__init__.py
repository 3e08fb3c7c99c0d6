"""The command `beholder`: one file per verb, loaded when it is used.

Each verb's module has `add_arguments(parser)` and `run(args)`, which returns the exit status: 0 all done, 1 some inputs
failed, 2 wrong usage or nothing could be done, 130 interrupted. A verb with verbs of its own has `SUB_VERBS` instead.
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
from beholder.cli import printing
from beholder.cli.parsing import Parser
from beholder.cli.sub_verbs import run_sub_verb
from beholder.errors import BeholderError
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
    "dataset": Verb("beholder.cli.dataset", "look at datasets, convert, compare, split and correct them"),
    "audit": Verb("beholder.cli.audit", "say what is wrong with a dataset, and what to do about it"),
    "baselines": Verb("beholder.cli.baselines", "say what features and classifiers from before networks would get"),
    "evaluate": Verb("beholder.cli.evaluate", "say how good a model is on images that it was not fitted on"),
    "compare": Verb("beholder.cli.compare", "say which of two models is better on the same images"),
    "runs": Verb("beholder.cli.runs", "list, compare and plot the trainings that were done"),
    "explain": Verb("beholder.cli.explain", "show where in an image an answer comes from"),
    "features": Verb("beholder.cli.features", "a page of what each stage of a network sees and answers to"),
    "info": Verb("beholder.cli.info", "show what a model file says about itself"),
    "zoo": Verb("beholder.cli.zoo", "list the models known by name"),
    "pull": Verb("beholder.cli.pull", "bring a model from a hub"),
    "import": Verb("beholder.cli.import_", "make a model file of an ONNX file from elsewhere"),
    "doctor": Verb("beholder.cli.doctor", "say what this machine can run, and what is missing for what"),
    "demo": Verb("beholder.cli.demo", "the main job on real photographs, in seconds, and a page that shows it"),
}

_USAGE_STATUS: Final = 2
_INTERRUPTED_STATUS: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    _prepare_process()
    try:
        status = _run([word for word in words if word != "--debug"])
        printing.flush()
    except BeholderError as error:
        if debug:
            raise
        _drop_unwritable_output()
        _complain(str(error))
        return _USAGE_STATUS
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED_STATUS
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        _drop_unwritable_output()
        return 0
    except Exception as error:
        if debug:
            raise
        _complain(f"unexpected {type(error).__name__}: {error}; run it again with --debug and report what it shows")
        return _USAGE_STATUS
    return status


def _run(words: list[str]) -> int:
    name = words[0] if words else ""
    if name and not name.startswith("-") and name not in VERBS:
        _complain(f"{name!r} is not a verb; {nearest(name, list(VERBS))}; see: beholder --help")
        return _USAGE_STATUS
    try:
        if name not in VERBS:
            return _run_without_verb(words)
        module = importlib.import_module(VERBS[name].module)
        if hasattr(module, "SUB_VERBS"):
            return run_sub_verb(f"beholder {name}", _sentence(VERBS[name].summary), module.SUB_VERBS, words[1:])
        parser = Parser(f"beholder {name}", _sentence(VERBS[name].summary))
        module.add_arguments(parser)
        args = parser.parse_words(words[1:])
    except SystemExit as done:  # help was printed, or wrong usage was told
        return int(done.code or 0)
    status: int = module.run(args)
    return status


def _run_without_verb(words: list[str]) -> int:
    """Help or the version."""
    parser = Parser(
        "beholder",
        "Image recognition in one file: honest answers, offline.",
        "beholder VERB --help says more about a verb.",
    )
    parser.add_argument("--version", action="version", version=f"beholder {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(metavar="VERB", parser_class=argparse.ArgumentParser)
    for name, verb in VERBS.items():
        verbs.add_parser(name, help=verb.summary)
    _, unknown = parser.parse_known_args(words)
    if unknown:
        parser.refuse(unknown)
    parser.print_help()
    return 0


def _drop_unwritable_output() -> None:
    """What is held back and cannot be written must not be tried again when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_process() -> None:
    """Output is UTF-8, a line at a time, whatever bytes a file's name holds; libraries' warnings are not for users."""
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _complain(text: str) -> None:
    printing.warn(f"beholder: {' '.join(text.split())}")
