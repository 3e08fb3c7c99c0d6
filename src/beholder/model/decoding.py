"""From a graph's outputs for one image to a result in the pixels of the original image.

One function per task, all of one form, in the dictionary at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import InvalidModel
from beholder.model.card import ModelCard, Task
from beholder.model.confidence import accepted_labels, is_unknown, set_members
from beholder.model.geometry import Placement
from beholder.result import (
    Caption,
    Classification,
    Detections,
    Embedding,
    Group,
    Label,
    Mask,
    Result,
    Segmentation,
    clip_boxes,
    suppress,
)

UNTUNED_DETECTION_THRESHOLD: Final = 0.25
"""Where a card has no thresholds: the score from which a box is shown."""

MASK_THRESHOLD: Final = 0.5

_FAR: Final = 1e6
"""Pixels of the input beyond which it does not matter where a box ends, and where arithmetic is still exact."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller asks of an answer.

    Attributes:
        top: how many labels to give, best first; 0 for all.
        threshold: replaces every threshold of the card.
        coverage: the probability with which a prediction set holds the truth, where the card states any.
    """

    top: int = 5
    threshold: float | None = None
    coverage: float = 0.9


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of an image beside its tensors.

    Attributes:
        common: the fields that every result has: source, size, model, frame, time.
        size_hw: height and width of the original image, pixels.
        placement: where the input lies in it.
    """

    common: Mapping[str, Any]
    size_hw: tuple[int, int]
    placement: Placement


Row = Mapping[str, NDArray[Any]]
"""The outputs of one image, without the batch dimension."""

Decoder = Callable[[Row, Place, ModelCard, Options], Result]


def _classify(row: Row, place: Place, card: ModelCard, options: Options) -> Classification:
    """`probabilities [K]`; `familiarity` and `logits [K]` where the card has an unknown rule."""
    probabilities = np.clip(row["probabilities"], 0, 1)
    order = np.argsort(-probabilities, kind="stable")  # of equals the first, whatever the number that is asked for
    best = order[: options.top or len(order)]
    labels = tuple(Label(int(index), card.labels[index], _rounded(probabilities[index])) for index in best)
    accepted, prediction_set = None, None
    if card.multi_label:
        chosen = accepted_labels(card, probabilities, options.threshold)
        accepted = tuple(card.labels[index] for index in order if chosen[index])
    if card.prediction_sets is not None:
        members = set_members(card, probabilities, options.coverage)
        prediction_set = tuple(card.labels[index] for index in order if members[index])
    unknown = is_unknown(card, row)
    return Classification(
        labels=labels,
        accepted=accepted,
        prediction_set=prediction_set,
        unknown=None if unknown is None else bool(unknown),
        group=_group(probabilities, labels[0], card, options),
        **place.common,
    )


def _group(probabilities: NDArray[np.float32], best: Label, card: ModelCard, options: Options) -> Group | None:
    """Where the best label is not sure enough: the narrowest group that is, or the likeliest when none is."""
    if card.sure_from is None or card.label_groups is None:
        return None
    sure_from = card.sure_from if options.threshold is None else options.threshold
    if best.confidence >= sure_from:
        return None
    totals = {group: float(probabilities[members].sum()) for group, members in _members(card.label_groups).items()}
    sure = [group for group, total in totals.items() if total >= sure_from]
    path = max(sure or totals, key=lambda group: (group.count("/") if sure else 0, totals[group]))
    return Group(path.split("/")[-1], min(1.0, _rounded(totals[path])))


@lru_cache(maxsize=16)
def _members(label_groups: tuple[str, ...]) -> Mapping[str, NDArray[np.int64]]:
    """For each group, broad ones first: the indices of its labels. A path such as `animal/cat` is in both groups."""
    members: dict[str, list[int]] = {}
    for index, path in enumerate(label_groups):
        names = path.split("/")
        for depth in range(len(names)):
            members.setdefault("/".join(names[: depth + 1]), []).append(index)
    return {group: np.array(members[group]) for group in sorted(members, key=lambda group: group.count("/"))}


def _detect(row: Row, place: Place, card: ModelCard, options: Options) -> Detections:
    """`boxes [M, 4]` xyxy in pixels of the input, `scores [M]`, `classes [M]` (-1 pads), `masks [M, h, w]` optional.

    The best comes first; what lies beside the image, in the fill of a letterbox, is left out.
    """
    thresholds = np.append(_thresholds(card, options, UNTUNED_DETECTION_THRESHOLD), np.float32(np.inf))
    classes = row["classes"].astype(np.int64)
    scores = row["scores"].astype(np.float32)
    kept = np.flatnonzero(scores >= thresholds[classes])  # class -1 meets the infinite threshold at the end
    candidates = np.clip(row["boxes"].astype(np.float32), -_FAR, _FAR)
    if (candidates[kept, 2:] < candidates[kept, :2]).any():
        raise InvalidModel("output boxes must be x1, y1, x2, y2 with x1 <= x2 and y1 <= y2; found them the other way")
    boxes = clip_boxes(place.placement.to_original(candidates), place.size_hw)
    kept = kept[(boxes[kept, 2:] > boxes[kept, :2]).all(axis=1)]  # not those that lie beside the image
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    if card.overlap is not None:
        kept = kept[suppress(candidates[kept], scores[kept], classes[kept], iou_threshold=card.overlap)]
    boxes = boxes[kept]
    masks = None
    if "masks" in row and len(kept):
        pairs = zip(row["masks"][kept], boxes, strict=True)
        masks = tuple(_instance_mask(mask, box, place, card.geometry.size_hw) for mask, box in pairs)
    return Detections(
        boxes_xyxy=boxes,
        scores=np.clip(scores[kept], 0, 1),
        classes=classes[kept],
        names=card.labels,
        masks=masks,
        **place.common,
    )


def _instance_mask(
    mask: NDArray[np.float32], box: NDArray[np.float32], place: Place, input_hw: tuple[int, int]
) -> Mask:
    """A mask in the frame of the input, as pixels of the original image inside its box."""
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    pixels = np.zeros(place.size_hw, np.bool_)
    rows, columns = np.arange(top, bottom), np.arange(left, right)
    y, x = _grid_positions(rows, columns, place.placement, mask.shape, input_hw)
    pixels[top:bottom, left:right] = _sample(mask, y, x) >= MASK_THRESHOLD
    return Mask.from_array(pixels)


def _segment(row: Row, place: Place, card: ModelCard, options: Options) -> Segmentation:
    """`probabilities [K, h, w]` over the input; pixels of the image that the input does not show belong to no class."""
    probabilities = row["probabilities"]
    height, width = place.size_hw
    grid_hw = probabilities.shape[1:]
    y, x = _grid_positions(np.arange(height), np.arange(width), place.placement, grid_hw, card.geometry.size_hw)
    kind = np.uint8 if len(card.labels) < 255 else np.uint16
    best = np.full((height, width), -np.inf, np.float32)
    class_map = np.zeros((height, width), kind)
    for index, plane in enumerate(probabilities):
        values = _sample(plane, y, x)
        better = values > best
        best[better] = values[better]
        class_map[better] = index
    outside = np.iinfo(kind).max
    class_map[(y < -0.5) | (y > grid_hw[0] - 0.5), :] = outside
    class_map[:, (x < -0.5) | (x > grid_hw[1] - 0.5)] = outside
    return Segmentation(class_map=class_map, names=card.labels, ignore_index=int(outside), **place.common)


def _caption(row: Row, place: Place, card: ModelCard, options: Options) -> Caption:
    """`tokens [T]`: indices into the vocabulary, whose pieces are joined as they are; 0 ends the text."""
    vocabulary = card.vocabulary or ()
    pieces = []
    for token in row["tokens"].tolist():
        if token == 0:
            break
        pieces.append(vocabulary[token])
    return Caption(text="".join(pieces).strip(), **place.common)


def embedding_of(row: Row, place: Place, card: ModelCard, options: Options) -> Embedding:
    """`embedding [D]`."""
    space = card.embedding.space if card.embedding else None
    return Embedding(vector=row["embedding"].astype(np.float32), space=space, **place.common)


def _thresholds(card: ModelCard, options: Options, untuned: float) -> NDArray[np.float32]:
    """One for each label, in the precision of the scores: a score of 0.7 reaches a threshold of 0.7."""
    if card.thresholds is not None and options.threshold is None:
        return np.array(card.thresholds, np.float32)
    return np.full(len(card.labels), untuned if options.threshold is None else options.threshold, np.float32)


def _grid_positions(
    rows: NDArray[Any], columns: NDArray[Any], placement: Placement, grid_hw: Any, input_hw: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the centers of pixels of the original image lie on a grid over the input, in cells of that grid."""
    (offset_x, offset_y), (scale_x, scale_y) = placement.offset_xy, placement.scale_xy
    y = (rows + 0.5 - offset_y) / scale_y * (grid_hw[0] / input_hw[0]) - 0.5
    x = (columns + 0.5 - offset_x) / scale_x * (grid_hw[1] / input_hw[1]) - 0.5
    return y, x


def _sample(plane: NDArray[np.float32], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bilinear values at all pairs of `y` and `x`, float32 `(len(y), len(x))`; beyond the border the border's value."""
    rows = _blend(plane.astype(np.float32), y)
    return _blend(rows.T, x).T


def _blend(plane: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    clipped = np.clip(positions, 0, len(plane) - 1)
    lower = np.floor(clipped).astype(int)
    upper = np.minimum(lower + 1, len(plane) - 1)
    weight = (clipped - lower).astype(np.float32)[:, None]
    blended: NDArray[np.float32] = plane[lower] * (1 - weight) + plane[upper] * weight
    return blended


def _rounded(value: float) -> float:
    """Six decimals are more than a confidence means, and survive JSON unchanged."""
    return round(float(value), 6)


DECODERS: Final[Mapping[Task, Decoder]] = {
    "classify": _classify,
    "detect": _detect,
    "segment": _segment,
    "caption": _caption,
    "embed": embedding_of,
}

NEEDED_OUTPUTS: Final[Mapping[Task, tuple[str, ...]]] = {
    "classify": ("probabilities",),
    "detect": ("boxes", "scores", "classes"),
    "segment": ("probabilities",),
    "caption": ("tokens",),
    "embed": ("embedding",),
}
"""What a graph must give for its task; more is allowed."""


def needed_outputs(card: ModelCard) -> tuple[str, ...]:
    """What a graph must give for what its card promises."""
    rule = ("logits", "familiarity") if card.unknown is not None else ()
    embedding = ("embedding",) if card.embedding is not None else ()
    return tuple(dict.fromkeys((*NEEDED_OUTPUTS[card.task], *rule, *embedding)))


def used_outputs(card: ModelCard, given: Sequence[str]) -> tuple[str, ...]:
    """What the decoder of the card's task looks at, of what the graph gives."""
    rule = ("logits", "familiarity") if card.unknown is not None else ()
    masks = ("masks",) if card.task == "detect" and "masks" in given else ()
    return (*NEEDED_OUTPUTS[card.task], *rule, *masks)
