"""`beholder info`: show what a model file says about itself."""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from beholder.cli import printing
from beholder.errors import OutputFailed

if TYPE_CHECKING:
    from beholder.model import ModelCard

_WIDTH = 100
_INDENT = 14
_METRICS = {"cosine": "cosine similarity", "euclidean": "euclidean distance", "dot": "dot product"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `info`."""
    parser.add_argument("model", metavar="FILE|NAME", help="model file, or a name (see: beholder zoo)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object: path, digests and the whole card")
    form.add_argument(
        "--snippet",
        choices=("python", "js"),
        help="print a short program that runs the file with ONNX Runtime alone and gives the same answer",
    )


def run(args: argparse.Namespace) -> int:
    """Show a card; see the module."""
    with _model_file(args.model) as path:
        return _tell(path, args)


@contextmanager
def _model_file(name: str) -> Iterator[Path]:
    """The file of a model; a temporary one where a built-in model cannot be kept."""
    from beholder.zoo import BUILTIN, find

    try:
        path = find(name)
    except OutputFailed as error:
        if name not in BUILTIN:
            raise
        printing.warn(f"{error}; {name} is made anew in a temporary file; set BEHOLDER_CACHE to a folder to keep it in")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(BUILTIN[name].build())
            yield path
    else:
        yield path


def _tell(path: Path, args: argparse.Namespace) -> int:
    from beholder.files import file_digest
    from beholder.model import graph_digest, read_card

    card = read_card(path)
    if args.snippet:
        from beholder.model.snippet import snippet

        printing.say_lines(snippet(path, card, args.snippet).rstrip("\n"))
        return 0
    digests = {"file_digest": file_digest(path), "graph_digest": graph_digest(path)}
    if args.json:
        printing.say(printing.as_json({"path": str(path), **digests, "card": card.to_dict()}))
    else:
        _show(path, card, digests)
    return 0


def _show(path: Path, card: ModelCard, digests: dict[str, str]) -> None:
    printing.say(f"{card.name}: {card.description or card.task}")
    _line("file", f"{path} ({printing.shown_size(path.stat().st_size)})")
    _line("task", card.task + (", several labels per image" if card.multi_label else ""))
    if card.labels:
        shown = ", ".join(card.labels[:6]) + (", …" if len(card.labels) > 6 else "")
        _line("labels", f"{len(card.labels):,}: {shown}")
    _line("input", _geometry(card))
    if card.embedding is not None:
        _line("embedding", f"{card.embedding.dim:,} values, compared by {_METRICS[card.embedding.metric]}")
    if card.sure_from is not None:
        _line("sure from", f"{card.sure_from:.0%}; below it the answer is the narrowest group that is as sure")
    _line("calibrated", _calibration(card))
    for measure in card.evaluation:
        count = f" ({measure.count:,} images)" if measure.count else ""
        _line(measure.metric, f"{measure.value:.1%} on {measure.dataset}{count}, {measure.origin} by {measure.by}")
    if not card.evaluation:
        _line("accuracy", "not measured")
    origin = card.provenance
    _line("weights", f"{origin.weights_source or 'not stated'}; licence: {origin.weights_license or 'not stated'}")
    _line("data", f"{origin.data_source or 'not stated'}; {origin.data_license or 'terms not stated'}")
    for note in origin.notes:
        _line("note", note)
    for name, digest in digests.items():
        _line(name.replace("_", " "), digest)


def _line(name: str, text: str) -> None:
    indent = " " * (_INDENT + 2)
    printing.say_lines(
        textwrap.fill(f"  {name:<{_INDENT}}{text}", _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    )


def _geometry(card: ModelCard) -> str:
    geometry = card.geometry
    height, width = geometry.size_hw
    method = {
        "resize_crop": f"shorter side to {geometry.resize}, center {width} x {height} kept",
        "squash": f"squashed to {width} x {height}",
        "letterbox": f"fitted into {width} x {height}",
    }[geometry.method]
    return f"{method}, {geometry.resample}"


def _calibration(card: ModelCard) -> str:
    if card.calibration is None:
        return "no; confidences are as trained"
    temperature = card.calibration.temperature
    how = "a slope and a shift for each label" if temperature is None else f"temperature {temperature:.2f}"
    return f"yes, on {card.calibration.count:,} images ({how})"
