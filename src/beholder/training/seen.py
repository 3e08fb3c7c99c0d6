"""Images that what a training starts from was made with already: they are no longer new to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from beholder.model.card import fitting_mark
from beholder.training.learned import Learned


def with_note_of_seen(learned: Learned, marks: Collection[str], start: str) -> Learned:
    """What was learned, with a note where images that it is measured on were seen before.

    Args:
        learned: by a training.
        marks: of the images that its start was made with, as `fitting_mark` makes them.
        start: what that is, in words.
    """
    material = learned.material
    measured = material.tested if material.tested.any() else learned.calibrating
    samples = [material.dataset.samples[row] for row in np.flatnonzero(measured)]
    seen = sum(fitting_mark(sample.digest or "") in marks for sample in samples) if marks else 0
    if not seen:
        return learned
    note = (
        f"{start} was made with {seen:,} of the {len(samples):,} images that are measured on: expect less on new ones"
    )
    return replace(learned, material=replace(material, dataset=material.dataset.with_notes(note)))
