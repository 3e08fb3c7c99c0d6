"""Where in an image an answer comes from, for any model file that classifies.

Occlusion: parts of the image are hidden in turn, and what that takes from the label is noted where they were (Zeiler
and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014). It asks the model itself, as it is
exported, and needs nothing of its inside.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from beholder.errors import UsageError, WrongTask, one_line
from beholder.evaluation.asking import opened
from beholder.evaluation.explaining_picture import overlay, side_by_side
from beholder.evaluation.explaining_windows import SCALES, Mask, View, Windows, answers
from beholder.evaluation.material import Place
from beholder.image import Input, Limits
from beholder.image.sources import single
from beholder.model import FileModel
from beholder.records import nearest
from beholder.result import Classification, Label

EXPLANATION_SCHEMA_VERSION: Final = 1
"""Of the JSON of explanations. Keys are only ever added within a version."""

MOST_MARKED: Final = 0.2
"""How much of what the model sees is marked at most."""

MARKED_FROM: Final = 1 / 3
"""From which share of the greatest heat a place is marked."""

_LEAST_HEAT: Final = 1e-3
"""Less than this is rounding."""

_TURNS: Final = 3
"""The marked part is moved by thirds of the height and width, going in again where it goes out, to see what hiding as
much elsewhere does."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Where in an image an answer comes from.

    Attributes:
        source: name of the image.
        size_hw: height and width of the original, upright image, pixels.
        model: name of the model.
        label: what is explained.
        index: of that label in the model.
        confidence: of that label, 0 to 1.
        unknown: whether the model answers *unknown*; None where it cannot tell.
        heat: float32 `(h, w)`, cells that cover `box_xyxy`: how much the log-odds of the label (natural logarithm)
            fall when a window around the cell is hidden, on average; below 0 where hiding makes the label more likely.
        box_xyxy: what the model sees of the image, pixels of the original. Nothing is known of the rest.
        marked: `(h, w)`, the cells with at least a third of the greatest heat, a fifth of all at most.
        left: the confidence that is left when the marked part is hidden, 0 to 1.
        left_elsewhere: the same, when parts of equal shape elsewhere are hidden instead; mean of eight, of fewer
            in images of extreme proportions.
        frame: number of the frame, from 0, for images from a video.
        time_seconds: time of the frame from the start of the video.
    """

    source: str
    size_hw: tuple[int, int]
    model: str
    label: str
    index: int
    confidence: float
    unknown: bool | None
    heat: NDArray[np.float32]
    box_xyxy: tuple[float, float, float, float]
    marked: NDArray[np.bool_]
    left: float
    left_elsewhere: float
    frame: int | None = None
    time_seconds: float | None = None
    _pixels: Callable[[], NDArray[np.uint8]] = field(repr=False)

    @property
    def marked_share(self) -> float:
        """How much of what the model sees is marked, 0 to 1."""
        return float(self.marked.mean())

    @property
    def drop(self) -> float:
        """How much the confidence falls when the marked part is hidden: whether the marks say the truth."""
        return self.confidence - self.left

    def plot(self) -> NDArray[np.uint8]:
        """The image with what matters lit, RGB uint8 `(height, width, 3)` of the original's size.

        The marked part has a white outline. What the model does not see is gray.

        Raises:
            ImageError: the image cannot be read any more.
        """
        return overlay(self._pixels(), self.heat, self.box_xyxy, self.marked)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the image and its explanation side by side as an image file, 600 to 1,000 pixels each.

        Args:
            path: where to; the suffix says the format, `.png` or `.jpg`.
            overwrite: whether an existing file may be replaced.

        Raises:
            UsageError: another suffix.
            ImageError: the image cannot be read any more.
            OutputExists: the file exists and `overwrite` is false.
            OutputFailed: the file cannot be written.
        """
        from beholder.files import write_atomic
        from beholder.result.drawing import encode

        file_format = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}.get(os.path.splitext(os.fspath(path))[1].lower())
        if file_format is None:
            raise UsageError(f"{os.fspath(path)}: a picture must be saved as .png or .jpg")
        both = side_by_side(self._pixels(), self.heat, self.box_xyxy, self.marked)
        with write_atomic(path, overwrite=overwrite) as stream:
            stream.write(encode(both, file_format))

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON's own types; heat with three decimals."""
        moment = {"frame": self.frame, "time_seconds": self.time_seconds}
        return {
            "schema": EXPLANATION_SCHEMA_VERSION,
            "source": self.source,
            **{key: value for key, value in moment.items() if value is not None},
            "size_hw": list(self.size_hw),
            "model": self.model,
            "label": self.label,
            "index": self.index,
            "confidence": round(self.confidence, 6),
            "unknown": self.unknown,
            "drop": round(self.drop, 6),
            "marked_share": round(self.marked_share, 3),
            "left": round(self.left, 6),
            "left_elsewhere": round(self.left_elsewhere, 6),
            "box_xyxy": [round(value, 2) for value in self.box_xyxy],
            "heat": [[round(value, 3) for value in row] for row in self.heat.tolist()],
            "marked": self.marked.astype(int).tolist(),
        }

    def __str__(self) -> str:
        best = f"{self.label} {self.confidence:.0%}"
        said = f"unknown (nearest: {best})" if self.unknown else best
        moment = "" if self.time_seconds is None else f" @{self.time_seconds:.2f}s"
        tried = "hiding no part of it makes that less likely"
        if self.marked.any():
            tried = (
                f"hiding the marked part ({self.marked_share:.0%} of what the model sees) leaves {self.left:.0%}, "
                f"hiding as much elsewhere {self.left_elsewhere:.0%}"
            )
        return one_line(f"{self.source}{moment}: {said}; {tried}")

    def _repr_png_(self) -> bytes:
        from beholder.result.drawing import encode

        return encode(self.plot(), "PNG", longer_side=512)


def explain(
    model: FileModel | Place, source: Any, *, label: str | None = None, limits: Limits | None = None
) -> Explanation:
    """Find out where in an image an answer comes from.

    Windows of several sizes, half overlapping, with soft edges, are blurred in turn. How much that lowers the log-odds
    of the label is averaged over the windows of a size that cover a place, then over the sizes. The same image gives
    the same explanation.

    Args:
        model: any that classifies, or its file.
        source: one image, as for `predict`.
        label: what to explain; the best label when left out, also where the answer is *unknown*.
        limits: what the image may cost.

    Raises:
        WrongTask: the model does not classify.
        UsageError: the model has no such label, or the source holds several images.
        ImageError: the image cannot be read.
        InvalidModel: the file is damaged, hostile, or not what its card says.
    """
    with opened(model) as running:
        card = running.card
        if card.task != "classify":
            raise WrongTask(f"only what classifies can be explained; {card.name} is a model that can {card.task}")
        index = None if label is None else index_of(running, label)
        found = single(source, limits or Limits())
        answer: Classification = running.predict(found, top=0)
        chosen = next(one for one in answer.labels if index in (None, one.index))
        return _explained(running, answer, chosen, found)


def index_of(model: FileModel, label: str) -> int:
    """The index of a label by its name; of several of that name the first.

    Raises:
        UsageError: the model has none of this name.
    """
    names = model.card.labels
    if label not in names:
        raise UsageError(f"{model.card.name} has no label {label!r}; {_nearest(label, names)}")
    return names.index(label)


def _nearest(label: str, names: tuple[str, ...]) -> str:
    hint = nearest(label, names)
    return hint if len(hint) <= 200 else f"it has {len(names):,}; see: beholder info"


def _explained(model: FileModel, answer: Classification, chosen: Label, found: Input) -> Explanation:
    view = View.of(model.prepare(found))
    heat = _heat(model, chosen.index, view)
    marked = _hottest(heat)
    left, *elsewhere = answers(model, chosen.index, view, _hiding(marked, view)).probability.tolist()
    return Explanation(
        source=answer.source,
        size_hw=answer.size_hw,
        model=answer.model,
        label=chosen.name,
        index=chosen.index,
        confidence=chosen.confidence,
        unknown=answer.unknown,
        heat=heat,
        box_xyxy=view.box_xyxy,
        marked=marked,
        left=left,
        left_elsewhere=float(np.mean(elsewhere or left)),
        frame=answer.frame,
        time_seconds=answer.time_seconds,
        _pixels=partial(model.pixels_of, found),
    )


def _heat(model: FileModel, index: int, view: View) -> NDArray[np.float32]:
    layers = [Windows.over(view.size_hw, scale) for scale in SCALES]
    masks: list[Mask] = [lambda: np.zeros(view.size_hw, np.float32)]  # nothing hidden
    parts = [layer.masks(view.size_hw) for layer in layers]
    log_odds = answers(model, index, view, masks + [mask for part in parts for mask in part]).log_odds
    falls = np.split(log_odds[0] - log_odds[1:], np.cumsum([len(part) for part in parts])[:-1])
    spread = [layer.spread(fall, view.size_hw, view.cells_hw) for layer, fall in zip(layers, falls, strict=True)]
    return np.asarray(np.mean(spread, axis=0), np.float32)


def _hottest(heat: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The cells that are marked; of equals the first. None, where hiding nothing makes the label less likely."""
    order = np.argsort(-heat, axis=None, kind="stable")[: max(1, round(MOST_MARKED * heat.size))]
    warm = order[heat.flat[order] >= max(MARKED_FROM * float(heat.max()), _LEAST_HEAT)]
    marked = np.zeros(heat.size, bool)
    marked[warm] = True
    return marked.reshape(heat.shape)


def _hiding(marked: NDArray[np.bool_], view: View) -> list[Mask]:
    """What hides the marked part, and then as much elsewhere."""
    height, width = view.size_hw
    rows, columns = (range(0, _TURNS * count, count) for count in marked.shape)
    shifts = dict.fromkeys((row // _TURNS, column // _TURNS) for row in rows for column in columns)  # each once

    def mask(shift: tuple[int, int]) -> NDArray[np.float32]:
        cells = PIL.Image.fromarray(np.roll(marked, shift, (0, 1)).astype(np.float32))
        return np.asarray(cells.resize((width, height), PIL.Image.Resampling.BILINEAR))

    return [partial(mask, shift) for shift in shifts]
