"""Images that what a training starts from was fitted on already: they are no longer new to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from beholder.model.card import fitting_mark
from beholder.training.material import Material


def with_note_of_seen(material: Material, marks: Collection[str], start: str) -> Material:
    """The material, with a note where images that it is measured on were seen before.

    Args:
        material: of a training.
        marks: of the images that its start was fitted on, as `fitting_mark` makes them.
        start: what that is, in words.
    """
    if not marks:
        return material
    measured = material.tested if material.tested.any() else material.folds >= 0
    samples = [material.dataset.samples[row] for row in np.flatnonzero(measured)]
    seen = sum(fitting_mark(sample.digest or "") in marks for sample in samples)
    if not seen:
        return material
    note = (
        f"{start} had been fitted on {seen:,} of the {len(samples):,} images that are measured on: "
        "expect less on new ones"
    )
    return replace(material, dataset=material.dataset.with_notes(note))
