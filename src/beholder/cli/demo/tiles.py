"""The demo's images: tiles cut from photographs that scikit-image installs, with some faults planted among them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.errors import MissingPackage

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

CLASSES: Final = ("brick", "grass", "gravel")
STRANGERS: Final = {"cat": "chelsea.png", "cup": "coffee.png"}

_SIDE: Final = 8
"""Tiles along each side of a photograph of 512 pixels."""

_HELD_OUT_ROWS: Final = 2
_WRONG_LABELS: Final = 4


@dataclass(frozen=True, slots=True)
class Planted:
    """What was cut, and what is wrong with it.

    Attributes:
        training: the folder to learn from, a folder for each class.
        held_out: tiles from another region of each photograph, a folder for each class.
        wrong: for each image in the wrong folder, its true class; by the name it has there.
        duplicate: the name of a copy.
        original: what it is a copy of.
        broken: the name of a file that is cut short.
    """

    training: Path
    held_out: Path
    wrong: Mapping[str, str]
    duplicate: str
    original: str
    broken: str


def photograph(name: str) -> Path:
    """Where a photograph is, found without importing scikit-image.

    Raises:
        MissingPackage: it is not installed.
    """
    spec = find_spec("skimage")
    path = Path(spec.origin).with_name("data") / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingPackage(
            "the demo looks at photographs that scikit-image installs; "
            "install it with: pip install --no-deps scikit-image"
        )
    return path


def cut_and_plant(folder: Path, seed: int) -> Planted:
    """Cut the photographs into tiles that do not overlap, and plant the faults.

    Two rows of tiles along one side of each photograph, the same side for all, are held out.

    Args:
        folder: to be filled.
        seed: which side is held out, and which tiles get the faults.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    side = int(random.integers(4))
    training, held_out = folder / "textures", folder / "held-out"
    names: list[str] = []
    for name in CLASSES:
        for row, tile in enumerate(_tiles(photograph(f"{name}.png"), side)):
            is_held_out = row < _HELD_OUT_ROWS * _SIDE
            place = Path(name) / f"{name}-{row:02}.png"
            target = (held_out if is_held_out else training) / place
            target.parent.mkdir(parents=True, exist_ok=True)
            tile.save(target)
            if not is_held_out:
                names.append(place.as_posix())
    return _plant(training, held_out, names, random)


def _tiles(path: Path, side: int) -> list[PIL.Image.Image]:
    """All tiles of a photograph, row by row from one of its sides."""
    import numpy as np
    import PIL.Image

    with PIL.Image.open(path) as opened:
        pixels = np.rot90(np.asarray(opened.convert("L")), side)
    size = pixels.shape[0] // _SIDE
    parts = [
        pixels[row * size : (row + 1) * size, column * size : (column + 1) * size]
        for row in range(_SIDE)
        for column in range(_SIDE)
    ]
    return [PIL.Image.fromarray(np.ascontiguousarray(np.rot90(part, -side))) for part in parts]


def _plant(training: Path, held_out: Path, names: list[str], random: np.random.Generator) -> Planted:
    chosen = [names[int(index)] for index in random.choice(len(names), _WRONG_LABELS + 2, replace=False)]
    wrong: dict[str, str] = {}
    for name in chosen[:_WRONG_LABELS]:
        truth = name.split("/")[0]
        other = str(random.choice([label for label in CLASSES if label != truth]))
        moved = f"{other}/{other}-{90 + len(wrong)}.png"
        (training / name).rename(training / moved)
        wrong[moved] = truth
    original, broken = chosen[_WRONG_LABELS:]
    duplicate = f"{original.removesuffix('.png')}-copy.png"
    shutil.copyfile(training / original, training / duplicate)
    whole = (training / broken).read_bytes()
    (training / broken).write_bytes(whole[: len(whole) // 3])
    return Planted(training, held_out, wrong, duplicate, original, broken)
