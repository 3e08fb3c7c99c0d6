"""`beholder zoo`: list the models known by name, or the architectures of networks that can be trained."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from beholder.cli import printing

if TYPE_CHECKING:
    from beholder.model import ModelCard
    from beholder.training.networks.architectures import Architecture
    from beholder.training.networks.counting import Counts

_HEADINGS: Final = ("architecture", "year", "pixels", "parameters", "multiply-adds", "MB", "pretrained", "source")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `zoo`."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole card")
    parser.add_argument(
        "--architectures",
        nargs="*",
        metavar="NAME",
        help="list the networks that can be trained instead, with what they cost; all, or these; timm/NAME too",
    )


def run(args: argparse.Namespace) -> int:
    """List the models, or the architectures; see the module."""
    if args.architectures is not None:
        return _list_architectures(args.architectures, as_json=args.json)
    from beholder.errors import InvalidModel, OutputFailed
    from beholder.zoo import BUILTIN, available

    try:
        models = list(available())
    except OutputFailed as error:
        for name in BUILTIN:
            printing.say(printing.as_json({"name": name, "card": None}) if args.json else f"{name}  (built in)")
        printing.warn(f"{error}; so it is made anew each time; set BEHOLDER_CACHE to a folder to keep it in")
        return 1
    damaged = 0
    for name, card in models:
        if isinstance(card, InvalidModel):
            damaged += 1
            printing.warn(f"{card}; fetch it again with: beholder pull {name.replace('~', '/')} --force")
        elif args.json:
            printing.say(printing.as_json({"name": name, "card": card.to_dict()}))
        else:
            _show(name, card)
    if not args.json:
        printing.warn("more of one: beholder info NAME; another from a hub: beholder pull ORG/NAME")
    return 1 if damaged else 0


def _show(name: str, card: ModelCard) -> None:
    what = f"{card.task}, {len(card.labels):,} labels" if card.labels else card.task
    printing.say(f"{name}  ({what})")
    printing.say(f"  {card.description or 'no description'}")
    for measure in card.evaluation:
        printing.say(f"  {measure.metric} {measure.value:.1%} on {measure.dataset}, {measure.origin}")
    printing.say(f"  weights: {card.provenance.weights_license or 'licence not stated'}")


def _list_architectures(names: list[str], *, as_json: bool) -> int:
    from beholder.training.networks.architectures import ARCHITECTURES, find_architecture, need_torch

    need_torch()
    from beholder.training.networks.counting import count, own_spec

    chosen = {name: find_architecture(name) for name in names or ARCHITECTURES}
    width = max(len(name) for name in chosen)
    if not as_json:
        printing.say(_row(_HEADINGS, max(width, len(_HEADINGS[0]))))
    for name, architecture in chosen.items():
        counts, classes = count(name), own_spec(architecture).classes
        if as_json:
            printing.say(printing.as_json(_facts(name, architecture, counts, classes)))
        else:
            printing.say(_row(_cells(name, architecture, counts), max(width, len(_HEADINGS[0]))))
    if not as_json:
        few = [name for name, architecture in chosen.items() if own_spec(architecture).classes == 10]
        with_ten = f"; {', '.join(few)}: with 10" if few else ""
        printing.warn(f"counted for one image of the size it was made for, with 1,000 classes{with_ten}")
        if not names:
            printing.warn("any network of timm by its name: beholder zoo --architectures timm/NAME")
    return 0


def _facts(name: str, architecture: Architecture, counts: Counts, classes: int) -> dict[str, Any]:
    return {
        "name": name,
        "family": architecture.family,
        "year": architecture.year,
        "source": architecture.source,
        "size": architecture.size,
        "smallest": architecture.smallest,
        "classes": classes,
        "parameters": counts.parameters,
        "multiply_adds": counts.multiply_adds,
        "byte_size": counts.byte_size,
        "weights": architecture.weights,
        "widths": architecture.widths,
        "loss": architecture.loss,
    }


def _cells(name: str, architecture: Architecture, counts: Counts) -> tuple[str, ...]:
    return (
        name,
        str(architecture.year or ""),
        str(architecture.size),
        f"{counts.parameters / 1e6:,.2f} M",
        f"{counts.multiply_adds / 1e6:,.1f} M",
        f"{counts.byte_size / 1e6:,.1f}",
        architecture.weights or "none",
        architecture.source,
    )


def _row(cells: tuple[str, ...], width: int) -> str:
    name, year, size, parameters, multiply_adds, megabytes, weights, source = cells
    return (
        f"{name:<{width}}  {year:>4}  {size:>6}  {parameters:>10}  {multiply_adds:>13}  {megabytes:>6}  "
        f"{weights:<11}  {source}"
    )
