"""How an image becomes the input of a model, and how what the model says comes back to the image.

A small closed set of methods, each with an exact inverse. The reference resampler is Pillow's antialiased one, applied
once: cropping and resizing are one resampling of a box with real-valued bounds. `golden_geometry.json` in the
tests holds vectors that every implementation of a geometry must meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from beholder.records import RecordError, described

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from beholder.image import Image

Method = Literal["resize_crop", "squash", "letterbox"]
Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

MAX_INPUT_SIDE: Final = 4096


@dataclass(frozen=True)
class Placement:
    """Where the input lies in the original image: `original = offset + input * scale`, for x and for y.

    Attributes:
        offset_xy: the input's upper left corner, in pixels of the original image.
        scale_xy: how many pixels of the original image one pixel of the input covers.
    """

    offset_xy: tuple[float, float]
    scale_xy: tuple[float, float]

    def to_original(self, points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map points `(..., 2)`, or boxes `(..., 4)` as xyxy, from pixels of the input to those of the image."""
        import numpy as np

        repeats = points_xy.shape[-1] // 2
        offset, scale = np.tile(self.offset_xy, repeats), np.tile(self.scale_xy, repeats)
        return np.asarray(points_xy * scale + offset, np.float32)

    def to_input(self, points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map points `(..., 2)`, or boxes `(..., 4)` as xyxy, from pixels of the image to those of the input."""
        import numpy as np

        repeats = points_xy.shape[-1] // 2
        offset, scale = np.tile(self.offset_xy, repeats), np.tile(self.scale_xy, repeats)
        return np.asarray((points_xy - offset) / scale, np.float32)


@dataclass(frozen=True)
class Geometry:
    """How an image becomes the input of a model.

    - `resize_crop`: scale the shorter side to `resize`, keep the `size_hw` in the center. A side of `size_hw` longer
      than `resize` is refused: there would be nothing to keep.
    - `squash`: scale to `size_hw`, whatever that does to the proportions.
    - `letterbox`: scale to fit into `size_hw`, center, and fill the rest with `fill`.
    """

    method: Method = described("resize_crop, squash or letterbox")
    size_hw: tuple[int, int] = described("height and width of the input, pixels")
    resize: int | None = described("resize_crop: the shorter side before the crop, pixels", default=None)
    resample: Resample = described("the filter, antialiased, as Pillow names it", default="bicubic")
    fill: tuple[int, int, int] | None = described("letterbox: the color around the image, RGB", default=None)
    draft: float | None = described(
        "a JPEG may be decoded at 1/2, 1/4 or 1/8 as long as it stays this many times larger than needed; "
        "null: always whole",
        default=None,
    )

    def __post_init__(self) -> None:
        if not all(1 <= side <= MAX_INPUT_SIDE for side in self.size_hw):
            raise RecordError(f"size_hw: must lie between 1 and {MAX_INPUT_SIDE}, found {list(self.size_hw)}")
        if (self.resize is not None) != (self.method == "resize_crop"):
            raise RecordError("resize: is for resize_crop, and needed there")
        if self.resize is not None and not max(self.size_hw) <= self.resize <= MAX_INPUT_SIDE:
            raise RecordError(f"resize: must lie between {max(self.size_hw)} and {MAX_INPUT_SIDE}, found {self.resize}")
        if (self.fill is not None) != (self.method == "letterbox"):
            raise RecordError("fill: is for letterbox, and needed there")
        if self.fill is not None and not all(0 <= value <= 255 for value in self.fill):
            raise RecordError(f"fill: must lie between 0 and 255, found {list(self.fill)}")
        if self.draft is not None and self.draft < 1:
            raise RecordError(f"draft: must be at least 1, found {self.draft}")

    def place(self, size_hw: tuple[int, int]) -> Placement:
        """Where the input lies in an image of this size."""
        height, width = size_hw
        input_height, input_width = self.size_hw
        if self.method == "squash":
            return Placement((0.0, 0.0), (width / input_width, height / input_height))
        if self.method == "resize_crop":
            scale = min(size_hw) / (self.resize or 1)
            offset = ((width - input_width * scale) / 2, (height - input_height * scale) / 2)
            return Placement(offset, (scale, scale))
        inner_height, inner_width = self._inner_hw(size_hw)
        scale_x, scale_y = width / inner_width, height / inner_height
        left, top = (input_width - inner_width) // 2, (input_height - inner_height) // 2
        return Placement((-left * scale_x, -top * scale_y), (scale_x, scale_y))

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """The smallest scale, at most 1, at which an image of this size may be decoded."""
        if self.draft is None:
            return 1.0
        return min(1.0, self.draft / min(self.place(size_hw).scale_xy))

    def apply(self, image: Image) -> tuple[NDArray[np.uint8], Placement]:
        """Make the input of an image.

        Args:
            image: decoded, upright; its pixels may be at a reduced scale.

        Returns:
            The input, uint8 `(height, width, 3)`, and where it lies in the original image.
        """
        import numpy as np
        import PIL.Image

        placement = self.place(image.size_hw)
        filter_ = PIL.Image.Resampling[self.resample.upper()]
        height, width = self.size_hw
        if self.method == "letterbox":
            inner_height, inner_width = self._inner_hw(image.size_hw)
            canvas = PIL.Image.new("RGB", (width, height), self.fill)
            inner = image.pil.resize((inner_width, inner_height), filter_)
            canvas.paste(inner, ((width - inner_width) // 2, (height - inner_height) // 2))
            return np.asarray(canvas), placement
        resized = image.pil.resize((width, height), filter_, box=self._box(image.pil.height, image.pil.width))
        return np.asarray(resized), placement

    def _box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The part that the input shows of pixels of this size: left, upper, right and lower bound."""
        (left, top), (scale_x, scale_y) = (placement := self.place((height, width))).offset_xy, placement.scale_xy
        right, bottom = left + self.size_hw[1] * scale_x, top + self.size_hw[0] * scale_y
        return max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)

    def _inner_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        scale = min(self.size_hw[0] / size_hw[0], self.size_hw[1] / size_hw[1])
        return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))
