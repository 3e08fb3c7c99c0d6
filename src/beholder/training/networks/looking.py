"""How a network does on what is held out while it is trained."""

from __future__ import annotations

import numpy as np
import torch

from beholder.training.networks.answering import Recognizer, answers
from beholder.training.networks.lesson import Lesson
from beholder.training.networks.losses import Loss


def look(recognizer: Recognizer, lesson: Lesson, loss: Loss, together: int) -> dict[str, float]:
    """The loss on what is held out, and its top-1; where an image may have several labels, the loss from 0 down.

    Args:
        recognizer: that is looked at.
        lesson: says what is held out; there is something.
        loss: of single images.
        together: images that are asked about at once.
    """
    rows = lesson.held_out
    said = answers(recognizer, lesson.pixels, rows, together)
    there = ~np.isnan(said.logits[:, 0])
    logits, targets = torch.from_numpy(said.logits[there]), lesson.targets[rows[there]]
    mean = float(loss(logits, targets).mean())
    if lesson.multi_label:
        return {"held_out_loss": mean, "held_out": -mean}
    right = (logits.argmax(dim=1) == targets.argmax(dim=1)).float().mean()
    return {"held_out_loss": mean, "held_out": float(right)}
