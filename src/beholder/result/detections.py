"""Detections: what is where in an image."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from beholder.errors import UsageError
from beholder.result import fields
from beholder.result.answer import Result
from beholder.result.fields import Pixels
from beholder.result.mask import Mask
from beholder.result.outlining import Outline, draw_outlines
from beholder.result.palette import class_color


@final
@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One thing found in an image: a row of `Detections`.

    Args:
        index: of the class in the model.
        name: of the class.
        confidence: from 0 to 1.
        box_xyxy: pixels of the original image.
        mask: its pixels.
        keypoints: float32 `(k, 3)`: x, y in pixels of the original image, and visibility.
        track_id: the same for the same thing in all frames.
    """

    index: int
    name: str
    confidence: float
    box_xyxy: tuple[float, float, float, float]
    mask: Mask | None = None
    keypoints: NDArray[np.float32] | None = None
    track_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The detection as JSON's own types; mask, keypoints and track id only when there are any."""
        return {
            "index": self.index,
            "name": self.name,
            "confidence": self.confidence,
            "box_xyxy": list(self.box_xyxy),
            **({} if self.mask is None else {"mask": self.mask.to_coco()}),
            **({} if self.keypoints is None else {"keypoints": fields.plain(self.keypoints)}),
            **({} if self.track_id is None else {"track_id": self.track_id}),
        }

    def __eq__(self, other: object) -> bool:
        return fields.same(self, other) if isinstance(other, Detection) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.index, self.name, self.confidence, self.box_xyxy, self.mask, self.track_id))

    def __str__(self) -> str:
        track = "" if self.track_id is None else f" #{self.track_id}"
        return f"{self.name}{track} {fields.percent(self.confidence)}"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections(Result):
    """What is where in an image. Has a length; gives a `Detection` for each thing found when iterated or indexed.

    Args:
        boxes_xyxy: float32 `(n, 4)`, pixels of the original image; the right and lower edges not before the others.
        scores: float32 `(n,)`, from 0 to 1.
        classes: int64 `(n,)`, indices into `names`.
        names: of all classes of the model.
        masks: one for each box, of the size of the image. `None` where there are none, also when nothing was found.
        keypoints: float32 `(n, k, 3)`: x, y in pixels of the original image, and visibility. `None` as with masks.
        track_ids: int64 `(n,)`, from 0 up, the same for the same thing in all frames. `None` as with masks.

    Raises:
        UsageError: a field holds what it must not, or lengths differ.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    names: tuple[str, ...] = dataclasses.field(repr=False)
    masks: tuple[Mask, ...] | None = dataclasses.field(default=None, repr=False)
    keypoints: NDArray[np.float32] | None = None
    track_ids: NDArray[np.int64] | None = None

    task: ClassVar[str] = "detect"

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Detection]:
        boxes, scores, classes = fields.plain(self.boxes_xyxy), fields.plain(self.scores), self.classes.tolist()
        for row in range(len(self)):
            yield Detection(
                index=classes[row],
                name=self.names[classes[row]],
                confidence=scores[row],
                box_xyxy=tuple(boxes[row]),
                mask=None if self.masks is None else self.masks[row],
                keypoints=None if self.keypoints is None else self.keypoints[row],
                track_id=None if self.track_ids is None else int(self.track_ids[row]),
            )

    def __getitem__(self, row: int) -> Detection:
        return next(iter(self.take([range(len(self))[row]])))

    def take(self, rows: ArrayLike) -> Self:
        """The detections of some rows, in that order.

        Args:
            rows: integers `(k,)`, from 0 up.

        Raises:
            UsageError: a row that is not there.
        """
        chosen = fields.array(rows, np.int64, (None,), "rows")
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(self):
            raise UsageError(f"rows must be from 0 to {len(self) - 1}, found {chosen.min()} to {chosen.max()}")
        return dataclasses.replace(
            self,
            boxes_xyxy=self.boxes_xyxy[chosen],
            scores=self.scores[chosen],
            classes=self.classes[chosen],
            masks=None if self.masks is None else tuple(self.masks[row] for row in chosen),
            keypoints=None if self.keypoints is None else self.keypoints[chosen],
            track_ids=None if self.track_ids is None else self.track_ids[chosen],
        )

    def above(self, score: float) -> Self:
        """Only the detections with at least this score, in the same order."""
        threshold = np.float32(fields.finite(score, "score"))
        return self.take(np.flatnonzero(self.scores >= threshold))

    def _check(self) -> None:
        boxes = fields.array(self.boxes_xyxy, np.float32, (None, 4), "boxes_xyxy")
        count, names = len(boxes), fields.texts(self.names, "names")
        scores = fields.array(self.scores, np.float32, (count,), "scores")
        classes = fields.array(self.classes, np.int64, (count,), "classes")
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise UsageError("boxes_xyxy must have x1 <= x2 and y1 <= y2; found corners the other way round")
        if not ((scores >= 0) & (scores <= 1)).all():
            raise UsageError(f"scores must be from 0 to 1, found {scores.min():g} to {scores.max():g}")
        if not ((classes >= 0) & (classes < len(names))).all():
            raise UsageError(f"classes must be from 0 to {len(names) - 1}, found {classes.min()} to {classes.max()}")
        fields.settle(self, boxes_xyxy=boxes, scores=scores, classes=classes, names=names)
        fields.settle(self, masks=self._checked_masks(count), **self._checked_extras(count))

    def _checked_masks(self, count: int) -> tuple[Mask, ...] | None:
        if self.masks is None:
            return None
        masks = tuple(fields.sequence(self.masks, "masks"))
        if len(masks) != count or not all(isinstance(mask, Mask) for mask in masks):
            raise UsageError(f"masks must be one Mask for each of {count} boxes, found {len(masks)}")
        for mask in masks:
            if mask.size_hw != self.size_hw:
                raise UsageError(f"masks must have the image's size {self.size_hw}, found {mask.size_hw}")
        return masks or None

    def _checked_extras(self, count: int) -> dict[str, NDArray[Any] | None]:
        keypoints, tracks = self.keypoints, self.track_ids
        if keypoints is not None:
            keypoints = fields.array(keypoints, np.float32, (count, None, 3), "keypoints")
        if tracks is not None:
            tracks = fields.array(tracks, np.int64, (count,), "track_ids")
            if (tracks < 0).any():
                raise UsageError(f"track_ids must be from 0 up, found {tracks.min()}")
        return {"keypoints": keypoints if count else None, "track_ids": tracks if count else None}

    def _content(self) -> dict[str, Any]:
        return {"names": list(self.names), "detections": [detection.to_dict() for detection in self]}

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        rows = fields.items(content, "detections")

        def column(key: str) -> list[Any]:
            return [fields.item(row, key) for row in rows]

        read = {"boxes_xyxy": column("box_xyxy"), "scores": column("confidence"), "classes": column("index")}
        present = {key for row in rows for key in row}
        return {
            "names": fields.item(content, "names"),
            **read,
            "masks": [Mask.from_coco(mask) for mask in column("mask")] if "mask" in present else None,
            "keypoints": column("keypoints") if "keypoints" in present else None,
            "track_ids": column("track_id") if "track_id" in present else None,
        }

    def _draw(self, pixels: Pixels) -> Pixels:
        best_first = self.take(np.argsort(-self.scores, kind="stable"))
        outlines = [
            Outline(found.box_xyxy, str(found), class_color(found.index), found.mask, found.keypoints)
            for found in best_first
        ]
        return draw_outlines(pixels, outlines)

    def _summary(self) -> str:
        counts = Counter(self.names[index] for index in self.classes.tolist())
        return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "nothing detected"
