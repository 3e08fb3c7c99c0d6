"""A contact sheet of what a network will see: some images, and how training varies them."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch
from numpy.typing import NDArray

from beholder.training.networks.augmenting import Augmentation
from beholder.training.networks.cleaning import Intake
from beholder.training.networks.loading import seed_of
from beholder.training.networks.pixels import Pixels

_ROWS: Final = 6
_VARIED: Final = 7
_CELL: Final = 144
_GAP: Final = 6
_MARGIN: Final = 28
_PAPER: Final = (250, 250, 248)
_INK: Final = (40, 40, 40)


def contact_sheet(pixels: Pixels, rows: NDArray[Any], augmentation: Augmentation, intake: Intake, seed: int) -> bytes:
    """A JPEG: in each row an image as the model file sees it, and seven times as training does.

    Args:
        pixels: of all images.
        rows: of those that are fitted on, which can be read.
        augmentation: varies them.
        intake: cleans them up; that is shown too.
        seed: of which are drawn, and how they vary.
    """
    chosen = np.random.default_rng(seed).permutation(np.asarray(rows))[:_ROWS]
    step = _CELL + _GAP
    size = (2 * _GAP + (1 + _VARIED) * step + _GAP, _MARGIN + len(chosen) * step + _GAP)
    sheet = PIL.Image.new("RGB", size, _PAPER)
    draw = PIL.ImageDraw.Draw(sheet)
    draw.text((2 * _GAP, 8), "as it is", _INK)
    draw.text((3 * _GAP + step, 8), f"as training varies it: {', '.join(augmentation.words) or 'not'}", _INK)
    for line, row in enumerate(chosen.tolist()):
        whole = pixels.whole(row)
        seen = [pixels.input(row), *(augmentation(whole, seed_of(seed, 0, row, time)) for time in range(_VARIED))]
        for column, image in enumerate(_cleaned(np.stack(seen), intake)):
            place = (2 * _GAP + column * step + (_GAP if column else 0), _MARGIN + line * step)
            sheet.paste(PIL.Image.fromarray(image).resize((_CELL, _CELL), PIL.Image.Resampling.BICUBIC), place)
    written = io.BytesIO()
    sheet.save(written, "JPEG", quality=88)
    return written.getvalue()


def _cleaned(images: NDArray[np.uint8], intake: Intake) -> NDArray[np.uint8]:
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    for cleaner in intake.cleaners:
        values = cleaner(values)
    return values.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
