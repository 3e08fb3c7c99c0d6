"""Small pictures of the images of a dataset, for the pages that show them."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import PIL.Image

from beholder.data import Dataset, Sample
from beholder.errors import ImageError
from beholder.evaluation.report.pictures import Thumbnails
from beholder.image import read as read_image

_SIDE: Final = 240


def thumbnails_of(dataset: Dataset) -> Thumbnails:
    """What gives a report the small JPEG of an image by its name; None for one that has gone."""
    by_name: dict[str, Sample] = {sample.name: sample for sample in (*dataset.samples, *dataset.strangers)}

    def thumbnail(name: str) -> bytes | None:
        try:
            image = read_image(by_name[name].path, needed_scale=lambda size: _SIDE / max(size))
        except (ImageError, KeyError):
            return None
        small = image.pil.copy()
        small.thumbnail((_SIDE, _SIDE), PIL.Image.Resampling.BICUBIC)
        stream = BytesIO()
        small.save(stream, "JPEG", quality=80)
        return stream.getvalue()

    return thumbnail
