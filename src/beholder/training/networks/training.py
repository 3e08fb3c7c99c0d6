"""From a dataset to a model file by a network: held-out answers, the network that is kept, its export, its measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from beholder import __version__
from beholder.data import ContentCache, Dataset, save_version, with_digests
from beholder.errors import ImageError, Offline
from beholder.files import write_atomic
from beholder.model import EmbeddingSpace, ModelCard
from beholder.model.card import Provenance
from beholder.model.file import embedding_space, graph_digest_of, read_card, with_card
from beholder.model.loading import load_bytes
from beholder.training.card import card_of
from beholder.training.completing import familiarity_of
from beholder.training.confidence import find_prototypes, fit_confidence
from beholder.training.features import Backbone
from beholder.training.learned import Learned, Report
from beholder.training.material import Material, gather, image_weights
from beholder.training.measuring import measure, measures_of
from beholder.training.networks.answering import Recognizer, answers
from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.checking import require_possible
from beholder.training.networks.cleaning import Intake
from beholder.training.networks.exporting import ExportedNetwork, export_network
from beholder.training.networks.fitting import Fitted, Fitting, Lesson
from beholder.training.networks.keeping import Keeper, unfinished_folder
from beholder.training.networks.loading import Feed, seed_of
from beholder.training.networks.network import Network, build
from beholder.training.networks.pixels import Pixels, SelectedPixels, StoredPixels, pixels_of
from beholder.training.networks.plan import Plan, plan_for, with_network
from beholder.training.networks.sheet import contact_sheet
from beholder.training.networks.weights import load_weights, weights_bytes
from beholder.training.recipe import Recipe
from beholder.training.trained import Answers, Trained, refuse_difference
from beholder.zoo import DEFAULT_MODEL, find

COMPARED_BY_SIGHT: Final = 20_000
"""Of more images, those that show the same are found by their hashes alone: a backbone would take too long."""

AGREEING_IMAGES: Final = 500
TOLERANCE: Final = 1e-3
"""How far what the exported file says may be from what the network says, beside the largest value."""

THROUGH_THE_FILE: Final = 32
"""Images that are also asked for through the whole file: decoding, geometry and graph."""

SHEET: Final = "augmentations.jpg"

_FOR_PROTOTYPES: Final = 5_000

Say = Callable[[str], None]


def train_network(
    dataset: Dataset,
    recipe: Recipe,
    contents: ContentCache,
    name: str,
    report: Report | None = None,
    say: Say | None = None,
) -> Trained:
    """Train a network, export it, and measure the exported file; what was interrupted goes on where it was.

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
        work = _prepare(dataset, recipe, contents, name, tell, say or (lambda _: None))
        looked = time.perf_counter()
        learned, fitted, rows = _fit_all(work)
        learned.seconds.update({"look": looked - started, "fit": time.perf_counter() - looked})
        trained = _exported(work, learned, fitted, rows, name)
    work.keeper.remove()
    tell("done", 1, 1)
    rate, waited = trained.facts["images_per_second"], trained.facts["waited_share"]
    work.say(f"{rate:,.0f} images a second while training; {waited:.0%} of that time it waited for them")
    return trained


def preview(dataset: Dataset, recipe: Recipe, contents: ContentCache, report: Report | None = None) -> bytes:
    """A contact sheet, as JPEG, of how images would be varied; nothing is trained. Raises as `train_network`."""
    tell: Report = report or (lambda *_: None)
    with torch.random.fork_rng():
        _, material = _looked_at(dataset, recipe, contents, tell)
        plan, network, _ = _planned(recipe, material)
        material, pixels = _decoded(material, plan, tell)
        return _sheet(material, pixels, plan, network)


def learn_network(
    dataset: Dataset, recipe: Recipe, contents: ContentCache, name: str, report: Report | None = None
) -> Learned:
    """Train a network for what it says of images that it has not seen; as `train_network`, and nothing is exported."""
    with torch.random.fork_rng():
        work = _prepare(dataset, recipe, contents, name, report or (lambda *_: None), lambda _: None)
        learned, _, _ = _fit_all(work)
    work.keeper.remove()
    return learned


@dataclass(frozen=True, slots=True)
class _Work:
    """What a training has before a network is fitted.

    Attributes:
        plan: how networks are trained.
        material: what they are fitted on, and what is kept from them.
        pixels: of its images.
        version: of the dataset.
        keeper: of what is unfinished.
        notes: what the card and the run say of how it went.
        tell: told what is going on.
        say: told in words what a person should know at once.
    """

    plan: Plan
    material: Material
    pixels: Pixels
    version: str
    keeper: Keeper
    notes: list[str]
    tell: Report
    say: Say


def _prepare(dataset: Dataset, recipe: Recipe, contents: ContentCache, name: str, tell: Report, say: Say) -> _Work:
    """Read, look, decide and decode; and show what the network will see."""
    version, material = _looked_at(dataset, recipe, contents, tell)
    plan, network, notes = _planned(recipe, material)
    for note in notes:
        say(note)
    material, pixels = _decoded(material, plan, tell)
    keeper = Keeper(unfinished_folder(version, recipe.to_toml(), name, __version__, torch.__version__))
    if any(keeper.folder.glob("**/checkpoint.pt")):
        say("an unfinished training of the same images by the same recipe was found: it goes on where it was")
    with write_atomic(keeper.folder / SHEET, overwrite=True) as stream:
        stream.write(_sheet(material, pixels, plan, network))
    say(f"what the network will see: {keeper.folder / SHEET}")
    return _Work(plan, material, pixels, version, keeper, notes, tell, say)


def _looked_at(dataset: Dataset, recipe: Recipe, contents: ContentCache, tell: Report) -> tuple[str, Material]:
    require_possible(recipe)
    known = with_digests(dataset, contents, lambda done, total: tell("reading", done, total))
    backbone = Backbone(find(DEFAULT_MODEL)) if len(known.samples) <= COMPARED_BY_SIGHT else None
    material = gather(known, backbone, recipe, contents, lambda done, total: tell("looking", done, total))
    return save_version(known), material


def _sheet(material: Material, pixels: Pixels, plan: Plan, network: Network) -> bytes:
    rows = np.flatnonzero(material.fitted)
    return contact_sheet(pixels, rows, _augmentation(plan), _intake(plan, network), plan.recipe.seed)


def _planned(recipe: Recipe, material: Material) -> tuple[Plan, Network, list[str]]:
    """The plan, the network as it starts, and in words what was decided that nobody asked for."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plan = plan_for(recipe, material, device)
    notes = []
    try:
        network = _network(plan, 0)
    except Offline as error:
        if recipe.weights != "auto":
            raise
        notes.append(f"{error}; so it is trained from random weights, which takes more images and more time")
        plan = replace(plan_for(replace(recipe, weights="none"), material, device), recipe=recipe)
        network = _network(plan, 0)
    else:
        if recipe.weights == "auto" and not plan.pretrained:
            notes.append(f"{recipe.architecture} is trained from random weights: {_why_random(plan)}")
    return with_network(plan, network, device), network, notes


def _why_random(plan: Plan) -> str:
    if plan.architecture.weights is None:
        return "nobody publishes weights of it"
    if plan.recipe.width != 1:
        return f"published weights are of width 1, not {plan.recipe.width:g}"
    return f"its weights were made for larger images than {plan.spec.size} pixels; see the key weights"


def _network(plan: Plan, number: int) -> Network:
    """A network as training starts; the last layer of the first is that of all others too."""
    torch.manual_seed(seed_of(plan.recipe.seed, 0, number))
    network = build(plan.recipe.architecture, plan.spec, pretrained=plan.pretrained)
    if plan.weights_file is not None:
        load_weights(network, plan.weights_file)
    return network


def _intake(plan: Plan, network: Network) -> Intake:
    return Intake(plan.clean, plan.spec.channels, network.mean, network.std)


def _augmentation(plan: Plan) -> Augmentation:
    return Augmentation(plan.augment, plan.spec.size)


def _decoded(material: Material, plan: Plan, tell: Report) -> tuple[Material, Pixels]:
    """The images as arrays, and the material without those that cannot be decoded after all."""
    samples = material.dataset.samples
    progress = lambda done, total: tell("decoding", done, total)  # noqa: E731 — the shape that `pixels_of` asks for
    pixels = pixels_of(samples, material.facts, plan.geometry, progress)
    failures: Mapping[int, ImageError] = pixels.failures() if isinstance(pixels, StoredPixels) else {}
    if not failures:
        return material, pixels
    kept = [row for row in range(len(samples)) if row not in failures]
    return material.without(failures), SelectedPixels(pixels, kept)


def _fit_all(work: _Work) -> tuple[Learned, Fitted, NDArray[np.intp]]:
    """Networks for what is held out, and the one that is kept, with the rows that it was fitted on."""
    material, recipe = work.material, work.plan.recipe
    scores = np.full(material.targets.shape, np.nan, np.float32)
    familiarity = np.full(len(scores), np.nan)
    turns = np.unique(material.folds[material.folds >= 0])
    crossed = recipe.cross_validates(bool(material.tested.any()))
    if crossed:  # the minutes are those of all networks together
        each = replace(recipe, minutes=recipe.minutes / (len(turns) + 1))
        work = replace(work, plan=replace(work.plan, recipe=each))
    for turn in turns if crossed else turns[:1]:
        held = np.flatnonzero(material.folds == turn)
        rows = np.flatnonzero(material.fitted & (material.folds != turn))
        place = f"fold-{turn}" if crossed else "final"
        words = f"training, fold {turn + 1} of {len(turns)}" if crossed else "training"
        kept = work.keeper.get(place) if crossed else None
        if kept is None:
            fitted = _fit(work, place, words, rows, held)
            kept = _held_out(work, fitted, rows, held)
            if crossed:
                work.keeper.put(place, kept)
        scores[held], familiarity[held] = kept["logits"], kept["familiarity"]
    if crossed or not len(turns):
        rows = np.flatnonzero(material.fitted)
        fitted = _fit(work, "final", "training", rows, np.empty(0, np.intp))
    if material.tested.any():
        tested = np.flatnonzero(material.tested)
        kept = _held_out(work, fitted, rows, tested)
        scores[tested], familiarity[tested] = kept["logits"], kept["familiarity"]
    return _learned(work, scores, familiarity), fitted, rows


def _fit(work: _Work, place: str, words: str, rows: NDArray[np.intp], held: NDArray[np.intp]) -> Fitted:
    """One network, fitted on some images and looked at on others."""
    plan, material = work.plan, work.material
    network = _network(plan, 0)
    seed = plan.recipe.seed
    targets = material.targets
    weights = np.ones(len(targets))
    weights[rows] = image_weights(targets[rows], plan.recipe.balance)
    lesson = Lesson(
        feed=Feed(work.pixels, rows, _augmentation(plan), batch=min(plan.batch, len(rows)), seed=seed),
        pixels=work.pixels,
        targets=torch.from_numpy(targets.astype(np.float32)),
        weights=torch.from_numpy(weights.astype(np.float32)),
        held_out=held,
        multi_label=material.dataset.multi_label,
    )
    recognizer = Recognizer(_intake(plan, network), network)
    keeper = Keeper(work.keeper.folder / place)
    return Fitting(recognizer, plan, lesson, keeper, partial(work.tell, words)).run()


def _held_out(work: _Work, fitted: Fitted, rows: NDArray[np.intp], held: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """What a network says of images that it has not seen, and how familiar they are to it."""
    said = answers(fitted.recognizer, work.pixels, held)
    prototypes = _prototypes(work, fitted, rows)
    return {"logits": said.logits, "familiarity": familiarity_of(said.embeddings, prototypes).astype(np.float64)}


def _prototypes(work: _Work, fitted: Fitted, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Points that stand for the images that a network was fitted on, or for many of them, in its embedding."""
    recipe = work.plan.recipe
    drawn = np.sort(np.random.default_rng(recipe.seed).permutation(rows)[:_FOR_PROTOTYPES])
    embeddings = answers(fitted.recognizer, work.pixels, drawn).embeddings
    readable = embeddings[~np.isnan(embeddings[:, 0])]
    return find_prototypes(readable, min(recipe.prototypes, len(readable)), recipe.seed)


def _learned(work: _Work, scores: NDArray[np.float32], familiarity: NDArray[np.float64]) -> Learned:
    material = work.material
    calibrating = material.fitted & ~np.isnan(scores[:, 0])
    confidence = fit_confidence(
        scores[calibrating].astype(np.float64), material.targets[calibrating], material.dataset.multi_label
    )
    return Learned(material, confidence, scores, familiarity, work.version, {})


def _exported(work: _Work, learned: Learned, fitted: Fitted, rows: NDArray[np.intp], name: str) -> Trained:
    """The file of a network, compared with it, and measured."""
    plan, material = work.plan, learned.material
    started = time.perf_counter()
    work.tell("exporting", 0, 1)
    prototypes = _prototypes(work, fitted, rows)
    graph = export_network(fitted.recognizer, plan.geometry.size_hw, learned.confidence, prototypes)
    exported = ExportedNetwork(graph)
    card = _card(work, learned, graph, prototypes.shape[1], name)
    agreement = _refuse_disagreement(work, learned, fitted, exported, graph, card)
    written = time.perf_counter()
    tested = exported.answer(work.pixels, np.flatnonzero(material.tested))
    evaluation = measure(learned, card, tested, _strangers(work, exported), plan.recipe.seed)
    card = replace(card, evaluation=measures_of(evaluation))
    seconds = {**learned.seconds, "export": written - started, "evaluate": time.perf_counter() - written}
    return Trained(
        model=with_card(graph, card),
        card=card,
        evaluation=evaluation,
        learned=learned,
        seconds=seconds,
        facts={**plan.facts(), **_facts(plan, fitted), **agreement, "notes": [*work.notes, *fitted.progress.notes]},
        curve=fitted.progress.curve,
        files={
            SHEET: (work.keeper.folder / SHEET).read_bytes(),
            "weights.safetensors": weights_bytes(fitted.recognizer.network, plan.spec.channels),
        },
    )


def _facts(plan: Plan, fitted: Fitted) -> dict[str, Any]:
    progress = fitted.progress
    seconds = max(progress.seconds, 1e-9)
    return {
        "steps": progress.steps,
        "images_per_second": round(progress.steps * plan.batch / seconds, 1),
        "waited_share": round(progress.waited / seconds, 4),
        "parts": progress.parts,
        "parameters": sum(weight.numel() for weight in fitted.recognizer.network.parameters()),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    }


def _card(work: _Work, learned: Learned, graph: bytes, width: int, name: str) -> ModelCard:
    plan, recipe = work.plan, work.plan.recipe
    origin = Provenance()
    how = "trained from random weights"
    if plan.pretrained:
        how = f"fine-tuned from weights that {plan.architecture.weights} publishes"
        origin = Provenance(
            weights_source=f"pretrained weights of {recipe.architecture} in {plan.architecture.weights}"
        )
        if plan.architecture.weights == "embedded":
            how = f"fine-tuned from the weights of {recipe.architecture} that come with Beholder"
            origin = read_card(find(DEFAULT_MODEL)).provenance
    elif plan.weights_file is not None:
        how = "fine-tuned from weights of an earlier run"
    notes = [f"A whole network, {recipe.architecture}, {how}."]
    if origin.data_source:
        notes.append(f"Those weights were trained on: {origin.data_source}.")
    versions = {"torch": str(torch.__version__)}
    return card_of(
        learned,
        recipe,
        name,
        geometry=plan.geometry,
        embedding=EmbeddingSpace(embedding_space(graph_digest_of(graph), plan.geometry), width, False, "cosine"),
        origin=replace(origin, parent=None, notes=tuple(notes), versions=versions),
    )


def _strangers(work: _Work, exported: ExportedNetwork) -> Answers | None:
    """What the file says of the images of nothing known that the owner gave."""
    strangers = work.material.dataset.strangers
    if not strangers:
        return None
    pixels = pixels_of(strangers, work.material.facts, work.plan.geometry)
    try:
        return exported.answer(pixels, range(len(strangers)))
    except ImageError as error:  # gone since it was looked at: no reason to lose what was trained
        work.notes.append(f"nothing was measured on images of nothing known: {error}")
        work.say(work.notes[-1])
        return None


def _refuse_disagreement(
    work: _Work, learned: Learned, fitted: Fitted, exported: ExportedNetwork, graph: bytes, card: ModelCard
) -> dict[str, Any]:
    """The file must answer as the network does: on arrays, and for some images from their files.

    Held-out images first: on those that it was fitted on, a network is too sure to differ.
    """
    unseen = ~np.isnan(learned.scores[:, 0])
    order = np.random.default_rng(0).permutation(len(unseen))
    order = order[np.argsort(~unseen[order], kind="stable")][:AGREEING_IMAGES]
    samples = [work.material.dataset.samples[row] for row in order]
    said = answers(fitted.recognizer, work.pixels, order)
    expected = {"logits": said.logits, "embedding": said.embeddings}
    expected["probabilities"] = learned.confidence.probabilities(said.logits)
    found = exported.answer(work.pixels, order)
    refuse_difference(expected, {name: found[name] for name in expected}, samples, TOLERANCE)
    same = int((found["logits"].argmax(axis=1) == said.logits.argmax(axis=1)).sum())
    with load_bytes(with_card(graph, card)) as model:
        some = samples[:THROUGH_THE_FILE]
        through = list(model.outputs_many([str(sample.path) for sample in some], tuple(found)))
    there = [row for row, answer in enumerate(through) if isinstance(answer, dict)]  # the others have gone since
    if there:
        rows = [answer for answer in through if isinstance(answer, dict)]
        whole = {name: np.stack([row[name] for row in rows]) for name in found}
        kept = {name: values[there] for name, values in found.items()}
        refuse_difference(kept, whole, [some[row] for row in there], TOLERANCE)
    return {"agreeing": same, "compared": len(order)}
