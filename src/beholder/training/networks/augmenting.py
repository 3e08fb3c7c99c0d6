"""How images are varied in training: words of a recipe, as transforms of torchvision."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from beholder.errors import UsageError
from beholder.records import nearest

_GREY: Final = 114.0
"""What fills the corners of a turned image, and what erasing leaves."""

_HANDED: Final = re.compile(r"(^|[^a-z])(left|right|clockwise|anticlockwise|counterclockwise)([^a-z]|$)")
_NUMBERS: Final = frozenset(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))


class Word(NamedTuple):
    """One way to vary an image.

    Attributes:
        make: from the strength and the side of the input to the transform of a uint8 `(3, h, w)` image.
        strength: the usual one; None where there is none to choose.
        most: the highest one; the lowest is 0.
        meaning: what it does, and what the strength means.
    """

    make: Callable[[float, int], v2.Transform]
    strength: float | None
    most: float
    meaning: str


def _affine(**options: Any) -> v2.Transform:
    return v2.RandomAffine(**{"degrees": 0, **options}, interpolation=InterpolationMode.BILINEAR, fill=_GREY)


WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "crop": Word(
            lambda least, side: v2.RandomResizedCrop(side, scale=(least, 1.0), antialias=True),
            0.35,
            1.0,
            "a part of the image, of at least this share of its area",
        ),
        "shift": Word(
            lambda share, side: v2.RandomCrop(side, padding=max(1, round(share * side))),
            0.1,
            1.0,
            "moved by up to this share of its side, black where it was",
        ),
        "flip": Word(lambda _, __: v2.RandomHorizontalFlip(), None, 0.0, "half of the images mirrored, left to right"),
        "flip-up": Word(lambda _, __: v2.RandomVerticalFlip(), None, 0.0, "half of the images mirrored, top to bottom"),
        "rotate": Word(lambda degrees, _: _affine(degrees=degrees), 10.0, 180.0, "turned by up to so many degrees"),
        "scale": Word(
            lambda by, _: _affine(scale=(1 - by, 1 + by)), 0.15, 0.95, "larger or smaller by up to this share"
        ),
        "translate": Word(lambda by, _: _affine(translate=(by, by)), 0.1, 1.0, "moved by up to this share of its side"),
        "shear": Word(
            lambda degrees, _: _affine(shear=(-degrees, degrees, -degrees, degrees)),
            8.0,
            60.0,
            "slanted by up to so many degrees",
        ),
        "distort": Word(
            lambda by, _: v2.RandomPerspective(by, p=0.5, fill=_GREY), 0.3, 1.0, "half of the images seen at a slant"
        ),
        "color": Word(
            lambda by, _: v2.ColorJitter(by, by, by),
            0.2,
            1.0,
            "brightness, contrast and saturation changed by up to this share",
        ),
        "hue": Word(
            lambda by, _: v2.ColorJitter(hue=by),
            0.05,
            0.5,
            "hue turned by up to this share of the circle; it takes four times as long as color",
        ),
        "blur": Word(
            lambda chance, _: v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=chance),
            0.1,
            1.0,
            "this share of the images blurred",
        ),
        "grey": Word(lambda chance, _: v2.RandomGrayscale(chance), 0.1, 1.0, "this share of the images without color"),
        "erasing": Word(
            lambda chance, _: v2.RandomErasing(p=chance, scale=(0.02, 0.25), value=_GREY),
            0.25,
            1.0,
            "a patch of this share of the images painted over",
        ),
        "randaugment": Word(
            lambda strength, _: v2.RandAugment(2, round(strength), fill=_GREY),
            7.0,
            30.0,
            "two of fourteen changes drawn at random, of this strength of 30",
        ),
        "none": Word(lambda _, __: v2.Identity(), None, 0.0, "nothing is varied"),
    }
)
"""What a recipe may say under `augment`, as `word` or `word:strength`."""

_GEOMETRIC: Final = frozenset({"crop", "shift"})
"""Words that bring an image to the side of the input by themselves."""


class Augmentation:
    """Varies images as the words of a recipe say.

    Args:
        words: such as `crop:0.35` and `flip`; `crop` and `shift` come first, the others in their order.
        side: of the input, pixels.

    Raises:
        UsageError: a word is not known, or its strength is no number it can have.
    """

    def __init__(self, words: Sequence[str], side: int) -> None:
        self.words = tuple(words)
        parts = [_parse(word) for word in words]
        first = [transform for name, transform in _made(parts, side) if name in _GEOMETRIC]
        others = [transform for name, transform in _made(parts, side) if name not in _GEOMETRIC]
        self._vary = v2.Compose([*(first or [v2.CenterCrop(side)]), *others])

    def __call__(self, image: Tensor, seed: int) -> Tensor:
        """A varied image, uint8 `(3, side, side)`, of uint8 `(3, h, w)`; the same for the same seed."""
        torch.default_generator.manual_seed(seed)  # of the CPU alone, which takes a hundredth of the time
        return cast(Tensor, self._vary(image)).contiguous()


def default_words(classes: Sequence[str], small: bool, started: bool, side: int) -> tuple[str, ...]:
    """How images are varied where a recipe does not say.

    Args:
        classes: names; where they speak of characters or of left and right, nothing is mirrored.
        small: whether the images are small.
        started: whether training starts from weights that were trained before, which asks for less.
        side: of the input, pixels.
    """
    mirror = () if is_handed(classes) else ("flip",)
    if small:
        return (f"shift:{2 / 28 if side <= 28 else 1 / 8:.3f}", *mirror, "erasing:0.25")
    if started:
        return ("crop:0.35", *mirror, "color:0.2")
    return ("crop:0.25", *mirror, "randaugment:7", "erasing:0.25")


def is_handed(classes: Sequence[str]) -> bool:
    """Whether a mirrored image would show something else: characters, numbers, left and right."""
    names = [name.casefold().strip() for name in classes]
    if any(_HANDED.search(name) for name in names):
        return True
    return all(len(name) <= 2 or name in _NUMBERS or name.isdigit() for name in names)


def _made(parts: Sequence[tuple[str, float]], side: int) -> list[tuple[str, v2.Transform]]:
    return [(name, WORDS[name].make(strength, side)) for name, strength in parts]


def _parse(text: str) -> tuple[str, float]:
    name, colon, strength = text.partition(":")
    word = WORDS.get(name)
    if word is None:
        raise UsageError(f"augment: {name!r} is not known; {nearest(name, [*WORDS, 'auto'])}")
    if not colon:
        return name, word.strength or 0.0
    if word.strength is None:
        raise UsageError(f"augment: {name} takes no strength, found {text!r}")
    try:
        value = float(strength)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= word.most:
        asked = f"a strength from 0 to {word.most:g}, such as {word.strength:g}"
        raise UsageError(f"augment: {name} takes {asked}, found {text!r}")
    return name, value
