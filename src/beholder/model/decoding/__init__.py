"""From a graph's outputs for one image to a result in the pixels of the original image.

One file per task, each with a function `decode` of the same form; a file is loaded when a model of its task is.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Final

from beholder.model.card import ModelCard, Task
from beholder.model.decoding.form import Decoder, Options, Place, Row

__all__ = ["DECODERS", "Decoder", "Options", "Place", "Row", "decoder_of", "needed_outputs", "used_outputs"]

DECODERS: Final[Mapping[Task, str]] = {
    "classify": "beholder.model.decoding.classify",
    "detect": "beholder.model.decoding.detect",
    "segment": "beholder.model.decoding.segment",
    "caption": "beholder.model.decoding.caption",
    "embed": "beholder.model.decoding.embed",
}
"""Where the decoder of each task is."""

NEEDED_OUTPUTS: Final[Mapping[Task, tuple[str, ...]]] = {
    "classify": ("probabilities",),
    "detect": ("boxes", "scores", "classes"),
    "segment": ("probabilities",),
    "caption": ("tokens",),
    "embed": ("embedding",),
}
"""What a graph must give for its task; more is allowed."""


def decoder_of(task: Task) -> Decoder:
    """The function that makes results of a task."""
    decoder: Decoder = importlib.import_module(DECODERS[task]).decode
    return decoder


def needed_outputs(card: ModelCard) -> tuple[str, ...]:
    """What a graph must give for what its card promises."""
    embedding = ("embedding",) if card.embedding is not None else ()
    return tuple(dict.fromkeys((*used_outputs(card, ()), *embedding)))


def used_outputs(card: ModelCard, given: Sequence[str]) -> tuple[str, ...]:
    """What the decoder of the card's task looks at, of what the graph gives."""
    rule = ("logits", "familiarity") if card.unknown is not None else ()
    masks = ("masks",) if card.task == "detect" and "masks" in given else ()
    return (*NEEDED_OUTPUTS[card.task], *rule, *masks)
