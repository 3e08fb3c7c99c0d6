"""`preprocessor_config.json` of a Hugging Face repository, in terms of `Geometry` and `Conventions`.

What an image processor does with its settings is not written in its file but in its class; the table below says it for
those that image classifiers use. Source: `transformers`, `models/*/image_processing_*.py`, versions 4.20 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from beholder.errors import HubError, UsageError
from beholder.model import Geometry
from beholder.model.geometry import MAX_INPUT_SIDE, Resample
from beholder.records import RecordError
from beholder.zoo.hub.untrusted import Document
from beholder.zoo.importing.conventions import Conventions

_FILTERS: Final[Mapping[int, Resample]] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}
"""Pillow's numbers."""


@dataclass(frozen=True, slots=True)
class _Family:
    """What a class of image processors does where its file does not say.

    Attributes:
        square: whether a size that is one number means both sides, rather than the shorter one.
        crop: whether it keeps the center; None for one that knows no cropping.
        margin: how the size before the crop is found: as stated, or from `crop_pct` (ConvNeXT: below 384 only), or by
            the fixed ratio of LeViT.
        filter: the number of the filter.
        normalize: whether mean and std are applied.
        swap: whether it puts blue first.
        twice: whether it divides by std once more, as EfficientNet's does for classifiers.
    """

    square: bool
    crop: bool | None
    filter: int
    margin: Literal["stated", "convnext", "poolformer", "levit"] = "stated"
    normalize: bool = True
    swap: bool = False
    twice: bool = False


_FAMILIES: Final[Mapping[str, _Family]] = {
    "Beit": _Family(square=True, crop=True, filter=3),
    "Bit": _Family(square=False, crop=True, filter=3),
    "CLIP": _Family(square=False, crop=True, filter=3),
    "ConvNext": _Family(square=False, crop=None, filter=3, margin="convnext"),
    "DINOv3ViT": _Family(square=True, crop=None, filter=2),
    "DeiT": _Family(square=True, crop=True, filter=3),
    "EfficientNet": _Family(square=True, crop=False, filter=0, twice=True),
    "Levit": _Family(square=False, crop=True, filter=3, margin="levit"),
    "MobileNetV1": _Family(square=False, crop=True, filter=2),
    "MobileNetV2": _Family(square=False, crop=True, filter=2),
    "MobileViT": _Family(square=False, crop=True, filter=2, normalize=False, swap=True),
    "PoolFormer": _Family(square=False, crop=True, filter=3, margin="poolformer"),
    "Pvt": _Family(square=True, crop=None, filter=2),
    "Segformer": _Family(square=True, crop=None, filter=2),
    "Siglip": _Family(square=True, crop=None, filter=3),
    "ViT": _Family(square=True, crop=None, filter=2),
    "ViTHybrid": _Family(square=False, crop=True, filter=3),
}

_ENDINGS: Final = re.compile(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$")
_CONVNEXT_WHOLE: Final = 384
"""From this size on ConvNeXT's processor squashes the whole image instead of keeping its center."""

_REFUSED_FLAGS: Final = ("do_pad", "do_thumbnail", "do_align_long_axis", "do_color_quantize")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a repository wants its images.

    Attributes:
        geometry: how an image becomes the input.
        conventions: what becomes of its numbers.
        notes: where this differs from what its authors' program does.
    """

    geometry: Geometry
    conventions: Conventions
    notes: tuple[str, ...] = ()


def read_preprocessing(document: Document) -> Preprocessing:
    """Read `preprocessor_config.json`.

    Raises:
        HubError: it is not what it should be, or asks for something that no `Geometry` does.
    """
    family = _family(document)
    for flag in _REFUSED_FLAGS:
        if document.flag(flag, False):
            raise HubError(f"{document.place}: asks for {flag}, which Beholder does not do")
    geometry, notes = _geometry(document, family)
    return Preprocessing(geometry, _conventions(document, family), notes)


def _family(document: Document) -> _Family:
    key = "image_processor_type" if "image_processor_type" in document else "feature_extractor_type"
    name = _ENDINGS.sub("", document.text(key))
    if name not in _FAMILIES:
        raise HubError(
            f"{document.place}: {key} must be one of {', '.join(_FAMILIES)}, found {name!r}; download the ONNX "
            "file and say how it wants its images: beholder import FILE --size … --mean … --std …"
        )
    return _FAMILIES[name]


def _geometry(document: Document, family: _Family) -> tuple[Geometry, tuple[str, ...]]:
    """The geometry, and what is different about it."""
    if not document.flag("do_resize", True):
        raise HubError(f"{document.place}: must resize its images, but do_resize is false")
    resample = _FILTERS[document.integer("resample", family.filter, high=max(_FILTERS))]
    size_hw, shorter = _size(document, family)
    crop_hw = None
    if family.crop is not None and document.flag("do_center_crop", family.crop):
        crop_hw = _sides(document, "crop_size")
    notes: tuple[str, ...] = ()
    if family.margin == "convnext" and shorter is not None:
        crop_hw, shorter = size_hw, _with_margin(document, shorter) if shorter < _CONVNEXT_WHOLE else None
    elif family.margin == "poolformer" and "crop_pct" in document and size_hw[0] == size_hw[1]:
        shorter = _with_margin(document, size_hw[0])
    elif family.margin == "levit" and shorter is not None:
        shorter = int(256 / 224 * shorter)
    elif shorter is None and crop_hw not in (None, size_hw) and size_hw[0] == size_hw[1]:
        shorter = size_hw[0]
        notes = (
            f"The program of its authors squashes images to {shorter} x {shorter} before it keeps the center; "
            "here they keep their proportions.",
        )
    try:
        if shorter is None and crop_hw in (None, size_hw):
            return Geometry("squash", size_hw, resample=resample), notes
        if shorter is not None and crop_hw is not None:
            return Geometry("resize_crop", crop_hw, resize=shorter, resample=resample), notes
    except RecordError as error:
        raise HubError(f"{document.place}: cannot be followed: {error}") from None
    raise HubError(f"{document.place}: must make every image the same size; by its size and crop_size it does not")


def _size(document: Document, family: _Family) -> tuple[tuple[int, int], int | None]:
    """Height and width, and how long the shorter side is to be where the proportions are kept."""
    value = document.raw("size")
    side = None
    if isinstance(value, dict) and document.inner("size").keys() == ["shortest_edge"]:
        side = document.inner("size").integer("shortest_edge", low=1, high=MAX_INPUT_SIDE)
    elif not family.square and isinstance(value, int | float):
        side = document.integer("size", low=1, high=MAX_INPUT_SIDE)
    return ((side, side), side) if side is not None else (_sides(document, "size"), None)


def _sides(document: Document, key: str) -> tuple[int, int]:
    """Height and width: one number for both, a list of two, or an object."""
    value = document.raw(key)
    if isinstance(value, list) and len(value) == 2:
        document = Document(document.place, {"height": value[0], "width": value[1]})
    elif isinstance(value, dict):
        document = document.inner(key)
        if set(document.keys()) != {"height", "width"}:
            raise HubError(f"{document.place}: must have height and width, found {', '.join(document.keys())[:100]}")
    else:
        side = document.integer(key, low=1, high=MAX_INPUT_SIDE)
        return side, side
    height, width = (document.integer(side, low=1, high=MAX_INPUT_SIDE) for side in ("height", "width"))
    return height, width


def _with_margin(document: Document, side: int) -> int:
    share = document.number("crop_pct", 224 / 256)
    if not 0.1 <= share <= 1:
        raise document.refusal("crop_pct", "a share from 0.1 to 1")
    return int(side / share)


def _conventions(document: Document, family: _Family) -> Conventions:
    scale = document.number("rescale_factor", 1 / 255) if document.flag("do_rescale", True) else 1.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if document.flag("do_normalize", family.normalize):
        mean, std = document.triple("image_mean"), document.triple("image_std")
        if family.twice and document.flag("include_top", True):
            std = (std[0] ** 2, std[1] ** 2, std[2] ** 2)
    if document.flag("rescale_offset", False):
        if abs(scale * 127.5 - 1) > 1e-6:  # elsewhere versions of transformers differ in what it means
            raise HubError(
                f"{document.place}: rescale_offset must go with a rescale_factor of 1/127.5, found {scale:g}"
            )
        mean = (mean[0] + 1, mean[1] + 1, mean[2] + 1)
    swap = document.flag("do_flip_channel_order", family.swap)
    try:
        return Conventions(scale=scale, mean=mean, std=std, order="bgr" if swap else "rgb", layout="nchw")
    except UsageError as error:
        raise HubError(f"{document.place}: {error}") from None
