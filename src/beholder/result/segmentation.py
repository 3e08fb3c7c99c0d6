"""Segmentation: which class each pixel of an image belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from beholder.errors import UsageError
from beholder.result import fields
from beholder.result.answer import Result
from beholder.result.drawing import Bar, draw_bars
from beholder.result.fields import Pixels
from beholder.result.mask import Mask, masks_by_class
from beholder.result.outlining import draw_classes
from beholder.result.palette import GRAY, class_color

_HIGHEST = 65535
_BACKGROUND = "background"
"""A class of this name is not colored in the drawing."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation(Result):
    """Which class each pixel belongs to.

    Args:
        class_map: uint8 `(h, w)`, uint16 where more than 256 values are needed; indices into `names`, pixels of the
            original image.
        names: of all classes of the model, each once.
        ignore_index: what pixels that belong to no class hold; not an index into `names`.

    Raises:
        UsageError: a field holds what it must not.
    """

    class_map: NDArray[np.uint8 | np.uint16] = dataclasses.field(repr=False)
    names: tuple[str, ...] = dataclasses.field(repr=False)
    ignore_index: int | None = None

    task: ClassVar[str] = "segment"

    @property
    def share(self) -> dict[str, float]:
        """Class name to the fraction of all pixels, largest first; 0 for classes that are not there."""
        counts = np.bincount(self.class_map.ravel(), minlength=len(self.names))[: len(self.names)]
        order = np.argsort(-counts, kind="stable").tolist()
        return {self.names[index]: int(counts[index]) / self.class_map.size for index in order}

    def mask(self, name: str) -> Mask:
        """The pixels of one class.

        Raises:
            UsageError: the model has no class of this name.
        """
        if name not in self.names:
            raise UsageError(f"{name!r} is not a class of {self.model}; it has {', '.join(self.names)}")
        return Mask.from_array(self.class_map == self.names.index(name))

    def _check(self) -> None:
        names = fields.texts(self.names, "names")
        if len(set(names)) != len(names):
            raise UsageError("names must be different from each other")
        ignored = None if self.ignore_index is None else fields.whole(self.ignore_index, "ignore_index")
        highest = max(len(names) - 1, ignored or 0)
        if highest > _HIGHEST or (ignored is not None and ignored < len(names)):
            raise UsageError(f"ignore_index must be from {len(names)} to {_HIGHEST}, found {ignored}")
        dtype = np.uint8 if highest < 256 else np.uint16
        class_map = fields.array(self.class_map, dtype, self.size_hw, "class_map")
        outside = class_map >= len(names)
        if ignored is not None:
            outside &= class_map != ignored
        if outside.any():
            raise UsageError(f"class_map must be from 0 to {len(names) - 1}, found {class_map[outside][0]}")
        fields.settle(self, class_map=class_map, names=names, ignore_index=ignored)

    def _content(self) -> dict[str, Any]:
        masks = masks_by_class(self.class_map)
        segments = [
            {
                "index": index,
                "name": self.names[index],
                "share": mask.area / self.class_map.size,
                "mask": mask.to_coco(),
            }
            for index, mask in masks.items()
            if index != self.ignore_index
        ]
        ignored = {} if self.ignore_index is None else {"ignore_index": self.ignore_index}
        return {"names": list(self.names), **ignored, "segments": segments}

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        size, ignored = fields.size_hw(fields.item(content, "size_hw")), content.get("ignore_index")
        class_map = np.full(size, -1, np.int32)
        for segment in fields.items(content, "segments"):
            mask = Mask.from_coco(fields.item(segment, "mask"))
            if mask.size_hw != size:
                raise UsageError(f"the mask of a segment must have the image's size {size}, found {mask.size_hw}")
            inside = mask.to_array()
            if (class_map[inside] >= 0).any():
                raise UsageError("segments must not share pixels")
            class_map[inside] = fields.whole(fields.item(segment, "index"), "the index of a segment", most=_HIGHEST)
        if ignored is not None:
            class_map[class_map < 0] = fields.whole(ignored, "ignore_index", most=_HIGHEST)
        elif (class_map < 0).any():
            raise UsageError("segments must cover every pixel where there is no ignore_index")
        return {"class_map": class_map, "names": fields.item(content, "names"), "ignore_index": ignored}

    def _draw(self, pixels: Pixels) -> Pixels:
        shares = {name: share for name, share in self.share.items() if share > 0 and name != _BACKGROUND}
        colors = {self.names.index(name): class_color(self.names.index(name)) for name in shares}
        drawn = draw_classes(pixels, self.class_map, colors)
        if not shares:
            return drawn
        legend = [Bar(name, share, GRAY, class_color(self.names.index(name))) for name, share in shares.items()]
        return draw_bars(drawn, legend)

    def _summary(self) -> str:
        shares = [f"{name} {fields.percent(share)}" for name, share in self.share.items() if share > 0]
        return ", ".join(shares[:5]) + (", …" if len(shares) > 5 else "") or "no class anywhere"
