"""`beholder zoo`: list the models known by name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from beholder.cli import printing

if TYPE_CHECKING:
    from beholder.model import ModelCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `zoo`."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole card")


def run(args: argparse.Namespace) -> int:
    """List the models; see the module."""
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
