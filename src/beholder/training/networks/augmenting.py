"""How images are varied in training: the words of a recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import torch
from torchvision.transforms import InterpolationMode, v2

from beholder.errors import UsageError
from beholder.records import nearest
from beholder.training.networks.varying import GREY, Array, centered, cropped, erased, mirrored, shifted

Vary = Callable[[Array], Array]
"""From uint8 `(h, w, 3)` to the same; what is drawn at random comes from torch's generator."""

_HANDED: Final = re.compile(r"(^|[^a-z])(left|right|clockwise|anticlockwise|counterclockwise)([^a-z]|$)")
_NUMBERS: Final = frozenset(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))


class Word(NamedTuple):
    """One way to vary an image.

    Attributes:
        make: from the strength and the side of the input to what varies an image.
        strength: the usual one; None where there is none to choose.
        most: the highest one; the lowest is 0.
        meaning: what it does, and what the strength means.
    """

    make: Callable[[float, int], Vary]
    strength: float | None
    most: float
    meaning: str


def _by_torchvision(transform: v2.Transform) -> Vary:
    def vary(image: Array) -> Array:
        varied: Array = transform(torch.from_numpy(image.copy()).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        return varied

    return vary


def _affine(**options: Any) -> Vary:
    options = {"degrees": 0, "interpolation": InterpolationMode.BILINEAR, "fill": float(GREY), **options}
    return _by_torchvision(v2.RandomAffine(**options))


WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "crop": Word(
            lambda least, side: partial(cropped, least=least, side=side),
            0.35,
            1.0,
            "a part of the image, of at least this share of its area",
        ),
        "shift": Word(
            lambda share, side: partial(shifted, share=share, side=side),
            0.1,
            1.0,
            "moved by up to this share of its side, black where it was",
        ),
        "flip": Word(lambda _, __: partial(mirrored, axis=1), None, 0.0, "half of the images mirrored, left to right"),
        "flip-up": Word(
            lambda _, __: partial(mirrored, axis=0), None, 0.0, "half of the images mirrored, top to bottom"
        ),
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
            lambda by, _: _by_torchvision(v2.RandomPerspective(by, p=0.5, fill=float(GREY))),
            0.3,
            1.0,
            "half of the images seen at a slant",
        ),
        "color": Word(
            lambda by, _: _by_torchvision(v2.ColorJitter(by, by, by)),
            0.2,
            1.0,
            "brightness, contrast and saturation changed by up to this share",
        ),
        "hue": Word(
            lambda by, _: _by_torchvision(v2.ColorJitter(hue=by)),
            0.05,
            0.5,
            "hue turned by up to this share of the circle; it takes four times as long as color",
        ),
        "blur": Word(
            lambda chance, _: _by_torchvision(v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], p=chance)),
            0.1,
            1.0,
            "this share of the images blurred",
        ),
        "grey": Word(
            lambda chance, _: _by_torchvision(v2.RandomGrayscale(chance)),
            0.1,
            1.0,
            "this share of the images without color",
        ),
        "erasing": Word(
            lambda chance, _: partial(erased, chance=chance),
            0.25,
            1.0,
            "in this share of the images, a patch is painted over",
        ),
        "randaugment": Word(
            lambda strength, _: _by_torchvision(v2.RandAugment(2, round(strength), fill=float(GREY))),
            7.0,
            30.0,
            "two of fourteen changes drawn at random, of this strength of 30",
        ),
        "none": Word(lambda _, __: lambda image: image, None, 0.0, "nothing is varied"),
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
        self.words, self._side = tuple(words), side
        parts = sorted((_parse(word) for word in words), key=lambda part: part[0] not in _GEOMETRIC)
        self._vary = [WORDS[name].make(strength, side) for name, strength in parts]
        if not any(name in _GEOMETRIC for name, _ in parts):
            self._vary.insert(0, partial(centered, side=side))

    def __reduce__(self) -> tuple[type[Augmentation], tuple[tuple[str, ...], int]]:
        return Augmentation, (self.words, self._side)  # what varies is made anew in each process

    def __call__(self, image: Array, seed: int) -> Array:
        """A varied image, uint8 `(side, side, 3)`, of uint8 `(h, w, 3)`; the same for the same seed."""
        torch.default_generator.manual_seed(seed)  # of the CPU alone, which takes a hundredth of the time
        for vary in self._vary:
            image = vary(image)
        return image


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
