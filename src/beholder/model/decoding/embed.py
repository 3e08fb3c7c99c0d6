"""From a vector to an embedding."""

from __future__ import annotations

import numpy as np

from beholder.model.card import ModelCard
from beholder.model.decoding.form import Options, Place, Row
from beholder.result import Embedding


def decode(row: Row, place: Place, card: ModelCard, options: Options) -> Embedding:
    """`embedding [D]`."""
    space = card.embedding.space if card.embedding else None
    return Embedding(vector=row["embedding"].astype(np.float32), space=space, **place.common)
