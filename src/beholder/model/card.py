"""The model card: what a model file says about itself.

A number that was not measured is `None`, never a guess; a number that somebody else measured is *stated*, with who says
so. The published JSON Schema is `card.schema.json` beside this file.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from beholder.errors import InvalidCard
from beholder.model.geometry import Geometry
from beholder.records import RecordError, described, from_json, json_schema, to_json

CARD_SCHEMA_VERSION = 1
"""The version of the card's schema that this release writes; a file with another version is refused."""

Task = Literal["classify", "detect", "segment", "caption", "embed"]

MAX_LABELS = 100_000
MAX_SEGMENT_LABELS = 65_535
"""What a map of one class per pixel can hold, with one value left for no class."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Calibration:
    """How the confidences were made to mean what they say, inside the graph."""

    method: Literal["temperature", "sigmoid"] = described(
        "one divisor for all logits, or slope and shift for each label"
    )
    temperature: float | None = described("the divisor of the logits, above 0; null for sigmoid")
    count: int = described("how many images it was fitted on")

    def __post_init__(self) -> None:
        _must((self.temperature is not None) == (self.method == "temperature"), "temperature: belongs to that method")
        _must(self.temperature is None or self.temperature > 0, "temperature: must be above 0")
        _must(self.count > 0, "count: must be above 0")


@dataclass(frozen=True)
class UnknownRule:
    """When an image is answered *unknown*: too far from what was trained on, or too little evidence for any label."""

    familiarity_from: float = described("the least familiarity of what is known; below it is a far stranger")
    evidence_from: float | None = described(
        "the least largest logit of what is known; below it is a near stranger; null where images may have no label"
    )
    budget: float = described("the share of known images that may be answered unknown")
    count: int = described("how many known images, left out of the fit in turn, the thresholds come from")

    def __post_init__(self) -> None:
        _must(0 <= self.budget <= 1, f"budget: must lie between 0 and 1, found {self.budget}")
        _must(self.count > 0, "count: must be above 0")


@dataclass(frozen=True)
class PredictionSets:
    """Sets of labels that hold the truth with a stated probability: all labels at least as probable as a threshold."""

    coverages: tuple[float, ...] = described("the stated probabilities, such as 0.9 and 0.95")
    thresholds: tuple[float, ...] = described("for each coverage, the probability from which a label is in the set")
    class_thresholds: tuple[tuple[float, ...], ...] | None = described(
        "for each coverage and label, the threshold that states it for each class by itself; null: too few images"
    )
    count: int = described("how many images, left out of the fit in turn, the thresholds come from")

    def __post_init__(self) -> None:
        _must(bool(self.coverages) and all(0 < value < 1 for value in self.coverages), "coverages: must lie in 0 to 1")
        _must(len(self.thresholds) == len(self.coverages), "thresholds: must be one for each coverage")
        by_class = self.class_thresholds
        _must(by_class is None or len(by_class) == len(self.coverages), "class_thresholds: must be one row a coverage")
        _must(self.count > 0, "count: must be above 0")


@dataclass(frozen=True)
class EmbeddingSpace:
    """What may be compared with what: two embeddings are comparable when their spaces are equal."""

    space: str = described("the digest of the backbone's graph and geometry")
    dim: int = described("how many values a vector has")
    normalized: bool = described("whether vectors have length 1")
    metric: Literal["cosine", "euclidean", "dot"] = described("how two vectors are compared")

    def __post_init__(self) -> None:
        _must(self.dim > 0, "dim: must be above 0")


@dataclass(frozen=True)
class Measure:
    """One number about how well the model does."""

    metric: str = described("the metric's name, such as top1")
    value: float = described("the number, a share of 1 where the metric is one")
    origin: Literal["measured", "stated"] = described("measured by Beholder on this file, or stated by somebody")
    by: str = described("who measured or states it")
    dataset: str = described("what it was measured on")
    low: float | None = described("lower end of the 95% interval", default=None)
    high: float | None = described("upper end of the 95% interval", default=None)
    count: int | None = described("how many images", default=None)


@dataclass(frozen=True)
class Provenance:
    """Where the model comes from, and what may be done with it."""

    weights_source: str | None = described("where the weights come from", default=None)
    weights_license: str | None = described("the licence of the weights", default=None)
    weights_digest: str | None = described("the digest of the file the weights came in", default=None)
    data_source: str | None = described("the images it was trained on", default=None)
    data_license: str | None = described("the terms of these images", default=None)
    data_digest: str | None = described("the version of the dataset", default=None)
    recipe: str | None = described("the recipe of the training run, as TOML", default=None)
    parent: str | None = described("the graph digest of the model this one was made from", default=None)
    versions: dict[str, str] | None = described("the versions of what made the file", default=None)
    notes: tuple[str, ...] = described("what a user of the model should know", default=())
    fitted_on: tuple[str, ...] | None = described(
        "the images it was fitted on: the first 16 digits of the SHA-256 of each content digest", default=None
    )


@dataclass(frozen=True)
class ModelCard:
    """What a model file says about itself; validated when made.

    Raises:
        InvalidCard: a value breaks the schema; the text names the place.
    """

    name: str = described("a short name")
    task: Task = described("what the model does")
    geometry: Geometry = described("how an image becomes the input")
    description: str = described("what the model knows, in a sentence", default="")
    labels: tuple[str, ...] = described("class names in the order of the outputs", default=())
    label_ids: tuple[str, ...] | None = described("an identifier for each label, such as a WordNet id", default=None)
    label_groups: tuple[str, ...] | None = described(
        "the group of each label, broad to narrow, as in animal/cat", default=None
    )
    multi_label: bool = described("whether several labels may hold of one image", default=False)
    thresholds: tuple[float, ...] | None = described(
        "for each label, the score from which it is accepted (multi-label, detection)", default=None
    )
    overlap: float | None = described(
        "detection: the IoU from which the weaker of two boxes of one class is dropped; null: none is", default=None
    )
    sure_from: float | None = described(
        "the confidence from which the best label is the answer; below it the narrowest group that reaches it is; "
        "null: always the label",
        default=None,
    )
    calibration: Calibration | None = described("null when confidences are as trained", default=None)
    unknown: UnknownRule | None = described("null: it cannot tell what it does not know", default=None)
    prediction_sets: PredictionSets | None = described("null: none were measured", default=None)
    embedding: EmbeddingSpace | None = described("null when the model gives no embedding", default=None)
    vocabulary: tuple[str, ...] | None = described("the words that caption tokens stand for; 0 ends", default=None)
    evaluation: tuple[Measure, ...] = described("how well it does", default=())
    provenance: Provenance = described("where it comes from", default=Provenance())
    schema: int = described("the version of this schema", default=CARD_SCHEMA_VERSION)

    def __post_init__(self) -> None:
        try:
            self._check()
        except RecordError as error:
            raise InvalidCard(f"model card: {error}") from None

    def _check(self) -> None:
        _must(bool(self.name.strip()), "name: must not be empty")
        for name, texts in (("name", self.name), ("labels", "".join(self.labels))):
            _must(not _CONTROL.search(texts), f"{name}: must hold no control characters")
        _must(len(self.labels) <= MAX_LABELS, f"labels: must be at most {MAX_LABELS:,}, found {len(self.labels):,}")
        fits = self.task != "segment" or len(self.labels) <= MAX_SEGMENT_LABELS
        _must(fits, f"labels: must be at most {MAX_SEGMENT_LABELS:,} to segment, found {len(self.labels):,}")
        needs_labels = self.task in ("classify", "detect", "segment")
        _must(
            bool(self.labels) == needs_labels, f"labels: a model that can {self.task} must have {_some(needs_labels)}"
        )
        _must(len(set(self.labels)) == len(self.labels), "labels: must differ from each other")
        for name in ("label_ids", "label_groups", "thresholds"):
            values = getattr(self, name)
            must_be = f"{name}: must have one entry per label ({len(self.labels)}), found"
            _must(values is None or len(values) == len(self.labels), f"{must_be} {len(values or ())}")
        in_range = all(0 <= threshold <= 1 for threshold in self.thresholds or ())
        _must(in_range, "thresholds: must lie between 0 and 1")
        for name in ("overlap", "sure_from"):
            value = getattr(self, name)
            _must(value is None or 0 <= value <= 1, f"{name}: must lie between 0 and 1, found {value}")
        _must(self.overlap is None or self.task == "detect", "overlap: holds for detect only")
        fits = self.sure_from is None or (self.label_groups is not None and not self.multi_label)
        _must(fits, "sure_from: needs label_groups, and one label per image")
        rules_fit = self.task == "classify" or (self.unknown is None and self.prediction_sets is None)
        _must(rules_fit, "unknown, prediction_sets: hold for classify only")
        _must(self.prediction_sets is None or not self.multi_label, "prediction_sets: need one label per image")
        rows = (self.prediction_sets and self.prediction_sets.class_thresholds) or ()
        _must(all(len(row) == len(self.labels) for row in rows), "class_thresholds: must have one entry per label")
        _must(not self.multi_label or self.task == "classify", "multi_label: holds for classify only")
        _must((self.vocabulary is not None) == (self.task == "caption"), "vocabulary: is for caption, and needed there")
        _must(self.task != "embed" or self.embedding is not None, "embedding: must be described")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a card from its JSON text.

        Raises:
            InvalidCard: the text is not JSON, or of another schema version, or breaks the schema.
        """
        try:
            value: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidCard(f"model card: must be JSON, but {error}") from None
        version = value.get("schema") if isinstance(value, dict) else None
        if version != CARD_SCHEMA_VERSION or isinstance(version, bool):
            raise InvalidCard(
                f"model card: schema version must be {CARD_SCHEMA_VERSION}, found {version!r}; "
                "a newer Beholder may read it"
            )
        try:
            return from_json(cls, value)
        except RecordError as error:
            raise InvalidCard(f"model card: {error}") from None

    def to_json(self) -> str:
        """The card as compact JSON text, the same for the same card."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON values, the schema version first."""
        values: dict[str, Any] = to_json(self)
        return {"schema": values.pop("schema"), **values}


def card_json_schema() -> dict[str, Any]:
    """The JSON Schema of the card, as published in `card.schema.json`."""
    schema = json_schema(ModelCard)
    schema["properties"]["schema"]["const"] = CARD_SCHEMA_VERSION
    schema["required"] = [*schema["required"], "schema"]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Beholder model card"}
    order = [field.name for field in fields(ModelCard)]
    schema["properties"] = {name: schema["properties"][name] for name in ("schema", *order[:-1])}
    return {**head, **schema}


def fitting_mark(digest: str) -> str:
    """How a card names an image it was fitted on: who does not have the image cannot tell which it is.

    Args:
        digest: content digest of the file, `sha256:…`.
    """
    return hashlib.sha256(digest.encode()).hexdigest()[:16]


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RecordError(otherwise)


def _some(needs: bool) -> str:
    return "labels" if needs else "none"
