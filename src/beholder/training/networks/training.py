"""From a dataset to a model file by a network: the steps of a training, one after the other."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from beholder.data import ContentCache, Dataset
from beholder.training.learned import Learned, Report, Say
from beholder.training.networks.finishing import finish
from beholder.training.networks.preparing import decoded, looked_at, planned, prepare, sheet_of
from beholder.training.networks.turns import fit_all, learn_only
from beholder.training.recipe import Recipe
from beholder.training.trained import Trained


def train_network(
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    report: Report | None = None,
    say: Say | None = None,
) -> Trained:
    """Train a network, export it, and measure the exported file; what was interrupted goes on where it was.

    What that takes is kept until the caller calls `forget` of what comes back: when it has written it.

    Args:
        dataset: what to learn from.
        recipe: how.
        contents: keeps what was seen of images.
        name: of the model.
        report: told what is going on.
        say: told in words what a person should know at once.

    Raises:
        UsageError: the recipe asks for what there is not.
        InvalidClasses: there is nothing to tell apart.
        TrainingFailed: too little memory, or a loss that is no number.
        InvalidModel: the exported file does not answer as the network does.
        OutputFailed: a checkpoint or the cache cannot be written.
    """
    tell: Report = report or (lambda *_: None)
    started = time.perf_counter()
    with torch.random.fork_rng():
        work = prepare(dataset, recipe, contents, name, tell, say or (lambda _: None))
        looked = time.perf_counter()
        with work.keeper.owned():
            done = fit_all(work)
            done.learned.seconds.update({"look": looked - started, "fit": time.perf_counter() - looked})
            trained = finish(done, name)
    tell("done", 1, 1)
    rate, waited = trained.facts["images_per_second"], trained.facts["waited_share"]
    work.say(f"{rate:,.0f} images a second while training; {waited:.0%} of that time it waited for them")
    return replace(trained, forget=work.keeper.remove)


def preview(dataset: Dataset, recipe: Recipe, contents: ContentCache, report: Report | None = None) -> bytes:
    """A contact sheet, as JPEG, of how images would be varied; nothing is trained. Raises as `train_network`."""
    tell: Report = report or (lambda *_: None)
    with torch.random.fork_rng():
        _, material = looked_at(dataset, recipe, contents, tell)
        plan, network, _ = planned(recipe, material)
        material, pixels = decoded(material, plan, tell, lambda _: None)
        return sheet_of(material, pixels, plan, network)


def learn_network(
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    report: Report | None = None,
    say: Say | None = None,
) -> Learned:
    """Train a network for what it says of images that it has not seen; as `train_network`, and nothing is exported.

    No version of the dataset is kept either: it is a part of another.
    """
    tell, hear = report or (lambda *_: None), say or (lambda _: None)
    with torch.random.fork_rng():
        work = prepare(dataset, recipe, contents, name, tell, hear, keep_version=False)
        with work.keeper.owned():
            learned = learn_only(work)
    work.keeper.remove()
    return learned
