"""From files to what is fitted on and tested on, for any method: digests, what shows the same, the version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from beholder.data import ContentCache, Dataset, Manifest, save_version, with_digests
from beholder.data.listing import some
from beholder.errors import ImageError, UnreadableImage
from beholder.training.features import Backbone
from beholder.training.learned import Report
from beholder.training.material import Material, gather
from beholder.training.recipe import Recipe
from beholder.zoo import DEFAULT_MODEL, find

COMPARED_BY_SIGHT: Final = 20_000
"""For a network, of more images those that show the same are found by their hashes alone: a backbone takes too long."""


def grouping_model(recipe: Recipe, images: int) -> Path | None:
    """The model file whose features say which images show the same; None where their hashes alone say it.

    Other groups give another test part: whatever must leave that of a training alone has to group as it does.

    Args:
        recipe: of the training.
        images: how many have a digest.

    Raises:
        UnknownModel: there is no such backbone.
    """
    if recipe.method == "head":
        return find(recipe.backbone)
    return find(DEFAULT_MODEL) if images <= COMPARED_BY_SIGHT else None


def gathered(
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    tell: Report,
    *,
    backbone: Backbone | None = None,
    keep_version: bool = True,
) -> tuple[str, Material]:
    """The version of a dataset, and what of it is fitted on, tested on and held out.

    Args:
        dataset: what is learned from.
        recipe: how.
        contents: keeps what was seen of images.
        tell: told what is going on.
        backbone: of the recipe, where it is loaded already.
        keep_version: whether the manifest is kept; not of a part that is drawn for a while.

    Raises:
        InvalidClasses: there is nothing to tell apart.
        OutputFailed: the version cannot be kept.
    """
    known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    version = save_version(known) if keep_version else Manifest.of(known).version
    if backbone is None and (model := grouping_model(recipe, len(known.samples))) is not None:
        backbone = Backbone(model)
    material = gather(known, backbone, recipe, contents, lambda done, total: tell("looking", done, total))
    lost = [name for name in dataset.classes if name not in material.dataset.classes]
    if lost:
        note = f"not one image can be read of {some(map(repr, lost))}, which is therefore not learned"
        material = replace(material, dataset=material.dataset.with_notes(note))
    return version, replace(material, failures={**_without_digest(dataset, known), **material.failures})


def _without_digest(dataset: Dataset, known: Dataset) -> dict[str, ImageError]:
    """Files of which not even the digest is known."""
    there = {sample.name for sample in known.everything()}
    names = [sample.name for sample in dataset.everything() if sample.name not in there]
    return {name: UnreadableImage(name, "the file cannot be read") for name in names}
