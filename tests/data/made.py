"""Small datasets made for the tests."""

import json
import zlib
from pathlib import Path

import numpy as np
import PIL.Image

from beholder.data import Dataset, Sample


def image(path: Path, size_wh: tuple[int, int] = (40, 30)) -> Path:
    """A PNG of colored noise that differs from every other by its name."""
    random = np.random.default_rng(zlib.crc32(str(path.name).encode()))
    small = random.integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(small).resize(size_wh, PIL.Image.Resampling.BICUBIC).save(path)
    return path


def tree(root: Path, *names: str) -> Path:
    """A folder with files: an image for each name of one, an empty file for any other."""
    for name in names:
        path = root / name
        if path.suffix in (".png", ".jpg"):
            image(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def table(root: Path, text: str, name: str = "labels.csv") -> Path:
    """A table, and an image for each word in it that ends in .png and does not begin with `no`."""
    for word in text.replace(",", " ").replace(";", " ").replace("\t", " ").split():
        if word.endswith(".png") and not Path(word).name.startswith("no"):
            image(root / word.strip('"'))
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def coco(root: Path, images: list[dict], annotations: list[dict], categories: list[dict], name: str = "c.json") -> Path:
    """A COCO file, and its images."""
    for entry in images:
        if not Path(entry["file_name"]).name.startswith("no"):
            image(root / entry["file_name"])
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def said(dataset: Dataset) -> dict[str, tuple]:
    """What a dataset says of each image, by name: labels and split."""
    return {sample.name: (sample.said, sample.split) for sample in dataset.everything()}


def by_name(dataset: Dataset, name: str) -> Sample:
    """The sample of a name; strangers are labelled `_unknown`."""
    return next(sample for sample in dataset.everything() if sample.name == name)
