"""What a training gives, whatever the method: the file, its card, what was measured of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholder.data import Sample
from beholder.errors import InvalidModel
from beholder.evaluation import Evaluation
from beholder.model import ModelCard
from beholder.model.loading import load_bytes
from beholder.training.learned import Learned

Answers = Mapping[str, NDArray[Any]]
"""Outputs of a model for some images, by name: `logits` and `probabilities` `(n, k)`, `familiarity` `(n,)`."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives.

    Attributes:
        model: the bytes of the model file.
        card: its card.
        evaluation: what was measured on images that the model has not seen.
        learned: what is known of the model by images that it has not seen.
        seconds: how long each part took.
        facts: what else a run keeps of how it was made, as JSON values.
        curve: what a network was like while it was trained, a row for each time it was looked at.
        files: what else a run keeps, by name.
        forget: lets go of what was kept to go on from; to be called when all of this is written.
    """

    model: bytes
    card: ModelCard
    evaluation: Evaluation
    learned: Learned
    seconds: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)
    curve: Sequence[Mapping[str, float]] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    forget: Callable[[], None] = lambda: None


def refuse_difference(expected: Answers, found: Answers, samples: Sequence[Sample], tolerance: float) -> None:
    """Refuse a file that does not answer as what it was exported from.

    Args:
        expected: what was fitted says of images.
        found: what the file says of them; of some outputs, or all.
        samples: the images.
        tolerance: the largest difference that may be, beside the largest value where that is above 1.

    Raises:
        InvalidModel: a difference is larger; the text names the image and the output.
    """
    for name, values in found.items():
        differences = np.abs(values - expected[name]).reshape(len(samples), -1).max(axis=1)
        scale = max(1.0, float(np.abs(expected[name]).max(initial=0.0)))
        worst = int(differences.argmax())
        if not differences[worst] <= tolerance * scale:  # also where it is not a number
            raise InvalidModel(
                f"the exported file must answer as the trained model does; on {samples[worst].name} they differ by "
                f"{differences[worst]:.2g} ({name})"
            )


def refuse_other_answers(file: bytes, known: Answers, samples: Sequence[Sample], tolerance: float) -> None:
    """Refuse a model file that says something else when it decodes images by itself.

    Args:
        file: its bytes.
        known: what it must say; of some outputs, or all.
        samples: the images. Those whose files have gone meanwhile are left out.
        tolerance: as in `refuse_difference`.

    Raises:
        InvalidModel: as in `refuse_difference`.
    """
    with load_bytes(file) as model:
        answers = list(model.outputs_many([str(sample.path) for sample in samples], tuple(known)))
    told = {row: answer for row, answer in enumerate(answers) if isinstance(answer, dict)}
    if told:
        found = {name: np.stack([answer[name] for answer in told.values()]) for name in known}
        kept = {name: values[list(told)] for name, values in known.items()}
        refuse_difference(kept, found, [samples[row] for row in told], tolerance)
