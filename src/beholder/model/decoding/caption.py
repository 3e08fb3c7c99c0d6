"""From tokens to a caption."""

from __future__ import annotations

from beholder.model.card import ModelCard
from beholder.model.decoding.form import Options, Place, Row
from beholder.result import Caption


def decode(row: Row, place: Place, card: ModelCard, options: Options) -> Caption:
    """`tokens [T]`: indices into the vocabulary, whose pieces are joined as they are; 0 ends the text."""
    vocabulary = card.vocabulary or ()
    pieces = []
    for token in row["tokens"].tolist():
        if token == 0:
            break
        pieces.append(vocabulary[token])
    return Caption(text="".join(pieces).strip(), **place.common)
