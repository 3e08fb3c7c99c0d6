"""`beholder zoo`: list the models known by name."""

from __future__ import annotations

import argparse

from beholder.cli import printing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `zoo`."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole card")


def run(args: argparse.Namespace) -> int:
    """List the models; see the module."""
    from beholder.errors import InvalidModel
    from beholder.zoo import available

    damaged = 0
    for name, card in available():
        if isinstance(card, InvalidModel):
            damaged += 1
            printing.warn(f"{card}; fetch it again with: beholder pull --force")
            continue
        if args.json:
            printing.say(printing.as_json({"name": name, "card": card.to_dict()}))
            continue
        what = f"{card.task}, {len(card.labels):,} labels" if card.labels else card.task
        printing.say(f"{name}  ({what})")
        printing.say(f"  {card.description or 'no description'}")
        for measure in card.evaluation:
            printing.say(f"  {measure.metric} {measure.value:.1%} on {measure.dataset}, {measure.origin}")
        printing.say(f"  weights: {card.provenance.weights_license or 'licence not stated'}")
    if not args.json:
        printing.warn("more of one: beholder info NAME; another from a hub: beholder pull ORG/NAME")
    return 1 if damaged else 0
