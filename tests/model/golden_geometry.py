"""The golden vectors of geometry: small images, and the inputs that models see of them.

    python tests/model/golden_geometry.py      writes golden_geometry.json anew

Every implementation, in whatever language, must give these inputs to within one level. Sizes are such that the order
of rows and columns matters no more than that: up to Pillow 12 columns came first, from 13 on whichever costs less.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import cycle, product
from pathlib import Path

import numpy as np
import PIL.Image

from beholder.image import Image
from beholder.model import Geometry

PATH = Path(__file__).with_suffix(".json")

_IMAGES_HW = ((13, 17), (24, 18), (7, 7), (3, 90), (1, 9), (9, 1), (1, 1))
_FILTERS = ("bicubic", "bilinear", "lanczos", "box", "hamming", "nearest")


def make_image(height: int, width: int) -> np.ndarray:
    """Half smooth, half wild, with black and white corners."""
    y, x, channel = np.mgrid[:height, :width, :3]
    smooth = 255 * (x + y * (channel + 1)) // (width + height * (channel + 1))
    wild = (x * x * 7 + y * 13 * (channel + 1) + x * y * (3 - channel)) % 256
    pixels = np.where(x < width // 2, smooth, wild).astype(np.uint8)
    pixels[0, 0], pixels[-1, -1] = 0, 255
    return pixels


def geometries() -> list[tuple[tuple[int, int], Geometry]]:
    """What is recorded: every method on every size, and every filter with every method."""
    filters = cycle(_FILTERS)
    chosen = [(size, made) for size, make in product(_IMAGES_HW, _METHODS) for made in (make(next(filters)),)]
    return chosen + [((13, 17), make(filter_)) for make, filter_ in product(_METHODS[1:4], _FILTERS)]


_METHODS = (
    lambda resample: Geometry("squash", (5, 7), resample=resample),
    lambda resample: Geometry("squash", (16, 12), resample=resample),
    lambda resample: Geometry("resize_crop", (7, 8), resize=9, resample=resample),
    lambda resample: Geometry("letterbox", (9, 6), resample=resample, fill=(114, 20, 250)),
    lambda resample: Geometry("resize_crop", (8, 8), resize=8, resample=resample),
)


def main() -> None:
    """Write the file."""
    images = {f"{height}x{width}": make_image(height, width) for height, width in _IMAGES_HW}
    vectors = []
    for (height, width), geometry in geometries():
        pixels = images[f"{height}x{width}"]
        made, placement = geometry.apply(Image(PIL.Image.fromarray(pixels), (height, width), "golden"))
        vectors.append(
            {
                "image": f"{height}x{width}",
                "geometry": asdict(geometry),
                "input": made.tobytes().hex(),
                "offset_xy": placement.offset_xy,
                "scale_xy": placement.scale_xy,
            }
        )
    about = "Images by height x width, and inputs: RGB, 8 bits, row by row, hexadecimal."
    shown = {"about": about, "images": {name: pixels.tobytes().hex() for name, pixels in images.items()}}
    lines = ",\n  ".join(json.dumps(vector) for vector in vectors)
    PATH.write_text(f'{json.dumps(shown, indent=1)[:-2]},\n "vectors": [\n  {lines}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
