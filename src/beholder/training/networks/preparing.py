"""What a training has before a network is fitted: images as arrays, and everything decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Final

import numpy as np
import torch

from beholder import __version__
from beholder.data import ContentCache, Dataset
from beholder.errors import HubError, ImageError
from beholder.files import digest, file_digest, write_atomic
from beholder.training.grouping import gathered
from beholder.training.learned import Report, Say
from beholder.training.material import Material
from beholder.training.networks.answering import Recognizer
from beholder.training.networks.architectures import ARCHITECTURES
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.checking import require_possible
from beholder.training.networks.cleaning import Intake
from beholder.training.networks.decoding import DecodedPixels
from beholder.training.networks.devices import accelerator
from beholder.training.networks.exporting import require_exportable
from beholder.training.networks.keeping import Keeper, unfinished_folder
from beholder.training.networks.loading import seed_of
from beholder.training.networks.network import Network, build
from beholder.training.networks.pixels import Pixels, SelectedPixels, StoredPixels, pixels_of
from beholder.training.networks.plan import Plan, plan_for
from beholder.training.networks.sheet import contact_sheet
from beholder.training.networks.weights import load_weights
from beholder.training.recipe import Recipe

SHEET: Final = "augmentations.jpg"


@dataclass(frozen=True, slots=True)
class Work:
    """What a training has before a network is fitted.

    Attributes:
        plan: how networks are trained.
        material: what they are fitted on, and what is kept from them.
        pixels: of its images.
        version: of the dataset.
        keeper: of what is unfinished.
        sheet: how its images are varied, as JPEG.
        notes: what the card and the run say of how it went.
        tell: told what is going on.
        say: told in words what a person should know at once.
    """

    plan: Plan
    material: Material
    pixels: Pixels
    version: str
    keeper: Keeper
    sheet: bytes
    notes: list[str]
    tell: Report
    say: Say


def prepare(
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    tell: Report,
    say: Say,
    *,
    keep_version: bool = True,
) -> Work:
    """Read, look, decide and decode; and show what the network will see. `keep_version` is as of `gathered`."""
    version, material = looked_at(dataset, recipe, contents, tell, keep_version=keep_version)
    plan, network, notes = planned(recipe, material)
    for note in notes:
        say(note)
    if recipe.architecture not in ARCHITECTURES:  # of which every one was exported
        tell("trying whether it can be exported", 0, 1)
        require_exportable(recognizer_of(plan, network), plan.geometry.size_hw)
    material, pixels = decoded(material, plan, tell, say)
    keeper = Keeper(unfinished_folder(version, recipe.to_toml(), name, *_makers(plan, material)))
    if any(keeper.folder.glob("**/checkpoint.pt")):
        say("an unfinished training of the same images by the same recipe was found: it goes on where it was")
    sheet = sheet_of(material, pixels, plan, network)
    with write_atomic(keeper.folder / SHEET, overwrite=True) as stream:
        stream.write(sheet)
    say(f"what the network will see: {keeper.folder / SHEET}, which the run keeps when it is done")
    return Work(plan, material, pixels, version, keeper, sheet, notes, tell, say)


def looked_at(
    dataset: Dataset, recipe: Recipe, contents: ContentCache, tell: Report, *, keep_version: bool = True
) -> tuple[str, Material]:
    """The version of a dataset, and what of it is fitted on, tested on and held out."""
    require_possible(recipe)
    return gathered(dataset, recipe, contents, tell, keep_version=keep_version)


def sheet_of(material: Material, pixels: Pixels, plan: Plan, network: Network) -> bytes:
    """The contact sheet of a plan, as JPEG."""
    rows = np.flatnonzero(material.fitted)
    return contact_sheet(pixels, rows, augmentation_of(plan), intake_of(plan, network), plan.recipe.seed)


def planned(recipe: Recipe, material: Material) -> tuple[Plan, Network, list[str]]:
    """The plan, the network as it starts, and in words what was decided that nobody asked for."""
    device = torch.device(accelerator())
    plan = plan_for(recipe, material, device)
    notes = []
    try:
        network = start_network(plan)
    except HubError as error:
        if recipe.weights != "auto":
            raise
        notes.append(f"{error}; so it is trained from random weights, which takes more images and more time")
        plan = replace(plan_for(replace(recipe, weights="none"), material, device), recipe=recipe)
        network = start_network(plan)
    else:
        if recipe.weights == "auto" and not plan.pretrained:
            notes.append(f"{recipe.architecture} is trained from random weights: {_why_random(plan)}")
    return plan, network, notes


def _why_random(plan: Plan) -> str:
    if plan.architecture.weights is None:
        return "nobody publishes weights of it"
    if plan.recipe.width != 1:
        return f"published weights are of width 1, not {plan.recipe.width:g}"
    return f"its weights were made for larger images than {plan.spec.size} pixels; see the key weights"


def start_network(plan: Plan) -> Network:
    """A network as training starts, the same each time."""
    torch.manual_seed(seed_of(plan.recipe.seed, 0))
    network = build(plan.recipe.architecture, plan.spec, pretrained=plan.pretrained)
    if plan.weights_file is not None:
        load_weights(network, plan.weights_file)
    return network


def intake_of(plan: Plan, network: Network) -> Intake:
    """What cleans and normalizes the images of a network."""
    return Intake(plan.clean, plan.spec.channels, network.mean, network.std)


def recognizer_of(plan: Plan, network: Network) -> Recognizer:
    """What is trained and exported."""
    return Recognizer(intake_of(plan, network), network, mirrored=plan.recipe.views == "mirror")


def augmentation_of(plan: Plan) -> Augmentation:
    """What varies the images of a plan."""
    return Augmentation(plan.augment, plan.spec.size)


def decoded(material: Material, plan: Plan, tell: Report, say: Say) -> tuple[Material, Pixels]:
    """The images as arrays, and the material without those that cannot be decoded after all."""
    samples = material.dataset.samples
    progress = lambda done, total: tell("decoding", done, total)  # noqa: E731 — the shape that `pixels_of` asks for
    pixels = pixels_of(samples, material.facts, plan.geometry, progress)
    if isinstance(pixels, DecodedPixels):
        say(f"images are decoded each time they are seen, which is slower: {pixels.reason}")
    failures: Mapping[int, ImageError] = pixels.failures() if isinstance(pixels, StoredPixels) else {}
    if not failures:
        return material, pixels
    kept = [row for row in range(len(samples)) if row not in failures]
    return material.without(failures), SelectedPixels(pixels, kept)


def _makers(plan: Plan, material: Material) -> list[str]:
    """What else decides what comes out: a checkpoint of others is not gone on with.

    The plan may be another where weights can be had that could not be before, and the images where more can be read.
    """
    from_file = "" if plan.weights_file is None else file_digest(plan.weights_file)
    digests = [sample.digest for sample in material.dataset.samples]
    parts = [digests, material.tested.tolist(), material.folds.tolist()]
    versions = [__version__, str(torch.__version__), metadata.version("timm")]
    return [*versions, accelerator(), from_file, repr(plan), digest(json.dumps(parts).encode())]
