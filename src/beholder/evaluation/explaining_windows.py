"""Hiding parts of a model's input: windows laid over it, what hides them, and what that does to a label.

All of it is in pixels of the input, and only where the input shows the image: the bars of a letterbox are not hidden.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import PIL.Image
import PIL.ImageFilter
from numpy.typing import NDArray

from beholder.model import FileModel
from beholder.model.model import Prepared
from beholder.model.outputs import check_outputs

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = Callable[[], Floats]
"""Makes the share of each pixel that is hidden, 0 to 1, `(height, width)` of the part that shows the image."""

SCALES: Final = (4, 6)
"""Windows to a side: a quarter and a sixth of the view high and wide. Measured, as what hides them; see decision 10."""

CELLS: Final = 28
"""Cells of the heat along the longer side of the view; finer than half a step of the smallest windows."""

_SOFT: Final = 0.25
"""How far the edge of a window fades, inwards and outwards, as a share of half its side. A hard edge is a shape of its
own, which a network sees."""

_BLUR: Final = 1 / 16
"""Standard deviation of the blur that hides, as a share of the view's side."""

_LEAST: Final = 1e-12
_LEAST_ALONE: Final = 1e-7
"""What is taken for no probability; where 1 minus a float32 is computed, it is no finer than this."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a model's input shows the image.

    Attributes:
        pixels: uint8 `(height, width, 3)` of the input.
        box: left, top, right and bottom of the part that shows the image, whole pixels.
        box_xyxy: which part of the original image that is, pixels of the original.
        fill: uint8 like `pixels`: what a hidden place becomes.
    """

    pixels: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    box_xyxy: tuple[float, float, float, float]
    fill: NDArray[np.uint8]

    @classmethod
    def of(cls, prepared: Prepared) -> View:
        """The view of an image, with a strongly blurred copy of itself to hide places with.

        Blurred, a place keeps its color and light, so that nothing new is to be seen there.
        """
        (height, width), (input_height, input_width) = prepared.size_hw, prepared.pixels.shape[:2]
        whole = prepared.placement.to_input(np.array([0, 0, width, height], np.float32))
        left, top, right, bottom = np.rint(np.clip(whole, 0, [input_width, input_height] * 2)).astype(int).tolist()
        # An image of extreme proportions may be a line in the middle of the input, thinner than a pixel.
        left, top = min(left, input_width - 1), min(top, input_height - 1)
        box = left, top, max(right, left + 1), max(bottom, top + 1)
        seen = prepared.placement.to_original(np.array(box, np.float32))
        x1, y1, x2, y2 = np.clip(seen, 0, [width, height] * 2).tolist()
        return cls(prepared.pixels, box, (x1, y1, x2, y2), _blurred(prepared.pixels, box))

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the part that shows the image."""
        return self.box[3] - self.box[1], self.box[2] - self.box[0]

    @property
    def cells_hw(self) -> tuple[int, int]:
        """How many cells of heat cover it, square as far as they can be."""
        height, width = self.size_hw
        cell = max(height, width) / CELLS
        return max(1, round(height / cell)), max(1, round(width / cell))

    def hidden(self, mask: Floats) -> NDArray[np.uint8]:
        """The input with a part hidden; `mask` covers the part that shows the image."""
        left, top, right, bottom = self.box
        shown, fill = (values[top:bottom, left:right].astype(np.float32) for values in (self.pixels, self.fill))
        changed = self.pixels.copy()
        changed[top:bottom, left:right] = np.rint(shown + (fill - shown) * mask[..., None])
        return changed


def _blurred(pixels: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The pixels with the part in the box blurred, by itself: the bars around it must not run into it."""
    left, top, right, bottom = box
    radius = _BLUR * math.sqrt((right - left) * (bottom - top))
    blurred = pixels.copy()
    shown = PIL.Image.fromarray(pixels[top:bottom, left:right])
    blurred[top:bottom, left:right] = np.asarray(shown.filter(PIL.ImageFilter.GaussianBlur(radius)))
    return blurred


@dataclass(frozen=True, slots=True)
class Windows:
    """Square windows of one size in rows and columns, half overlapping.

    Attributes:
        side: of a window, pixels.
        rows: of their centers, pixels from the top.
        columns: of their centers, pixels from the left.
    """

    side: float
    rows: Doubles
    columns: Doubles

    @classmethod
    def over(cls, size_hw: tuple[int, int], scale: int) -> Windows:
        """Windows that cover a part of this size, as many to its longer and fewer to its shorter side."""
        side = min(math.sqrt(size_hw[0] * size_hw[1]) / scale, *map(float, size_hw))
        rows, columns = (_centers(length, side) for length in size_hw)
        return cls(side, rows, columns)

    def masks(self, size_hw: tuple[int, int]) -> list[Mask]:
        """What makes the mask of each window, row by row."""
        down, across = self._profiles(size_hw, size_hw)
        return [partial(np.outer, row, column) for row in down for column in across]

    def spread(self, effects: Doubles, size_hw: tuple[int, int], cells_hw: tuple[int, int]) -> Doubles:
        """The mean effect, float64 `cells_hw`, of the windows over each cell, by how much of it each hides."""
        down, across = self._profiles(size_hw, cells_hw)
        table = effects.reshape(len(down), len(across))
        mean: Doubles = (down.T @ table @ across) / (down.T @ np.ones_like(table) @ across)
        return mean

    def _profiles(self, size_hw: tuple[int, int], counts_hw: tuple[int, int]) -> tuple[Floats, Floats]:
        """How much each row of windows hides at so many places from top to bottom, and each column across."""
        down, across = (
            _profile(centers, self.side, (np.arange(count) + 0.5) * length / count)
            for centers, length, count in zip((self.rows, self.columns), size_hw, counts_hw, strict=True)
        )
        return down, across


def _centers(length: float, side: float) -> Doubles:
    count = max(1, round(2 * (length - side) / side) + 1)
    return np.linspace(side / 2, length - side / 2, count) if count > 1 else np.array([length / 2])


def _profile(centers: Doubles, side: float, places: Doubles) -> Floats:
    distance = np.abs(places[None] - centers[:, None]) / (side / 2)
    # Never nothing: a cell between the windows of a tiny input has the effect of the nearest ones.
    return np.clip((1 + _SOFT - distance) / (2 * _SOFT), 1e-6, 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the model says of a label, for each of several inputs.

    Attributes:
        probability: float64 `(N,)`.
        log_odds: float64 `(N,)`, natural logarithm: of the label against all others, or against its absence where an
            image may have several labels.
    """

    probability: Doubles
    log_odds: Doubles


def answers(model: FileModel, index: int, view: View, masks: Sequence[Mask]) -> Answers:
    """Ask the model about the input with each mask hidden, in batches in several threads.

    Raises:
        InvalidModel: the graph fails, or does not give what its card promises.
    """
    runtime, card = model.runtime, model.card
    is_alone = card.multi_label or len(card.labels) == 1

    def ask(batch: Sequence[Mask]) -> Doubles:
        tensors = runtime.run(np.stack([view.hidden(mask()) for mask in batch]), ("probabilities",))
        check_outputs(tensors, len(batch), card)
        found = np.clip(tensors["probabilities"].astype(np.float64), 0, 1)
        label = found[:, index]
        against = 1 - label if is_alone else np.delete(found, index, axis=1).sum(axis=1)
        least = _LEAST_ALONE if is_alone else _LEAST
        log_odds = np.log(np.maximum(label, least)) - np.log(np.maximum(against, least))
        return np.stack([label, log_odds], axis=1)

    batches = [masks[start : start + runtime.batch_size] for start in range(0, len(masks), runtime.batch_size)]
    with ThreadPoolExecutor(runtime.threads, thread_name_prefix="beholder") as executor:
        rows = np.concatenate(list(executor.map(ask, batches)))
    return Answers(rows[:, 0], rows[:, 1])
