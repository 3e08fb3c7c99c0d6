"""What a look into a network gives: its stages, their units, and what excites them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholder.errors import ImageError
from beholder.evaluation.intervals import Estimate, rounded
from beholder.training.units.drawing import Floats, Pixels
from beholder.training.units.stages import Stage


@dataclass(frozen=True, slots=True, eq=False)
class Excited:
    """What excites a unit.

    Attributes:
        name: of the image.
        label: its class; None where it has none.
        pixels: the part of it, uint8 `(side, side, 3)`.
    """

    name: str
    label: str | None
    pixels: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A unit of a stage that tells something.

    Attributes:
        number: in its stage.
        label: the class that it answers to most; None without labels.
        index: how much it prefers it; see `selectivity_of`. Without labels how few images it answers to.
        by_class: how strongly it answers to each class in the mean, a share of the strongest.
        excited_by: the images that excite it most, the most exciting first.
    """

    number: int
    label: str | None
    index: float
    by_class: tuple[float, ...]
    excited_by: tuple[Excited, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StageStudy:
    """One stage.

    Attributes:
        stage: what it is.
        units: how many it has.
        map_hw: height and width of its maps; None where it has none.
        selectivity: the mean of its units' indexes; None without labels.
        middle_half: between which two values the middle half of them lies; None without labels.
        silent: units that never answer.
        probe: top-1 of a linear probe; not measured without labels.
        telling: the units to show.
        active: of the image on its way, the units that it excites beyond what is usual, and their maps.
    """

    stage: Stage
    units: int
    map_hw: tuple[int, int] | None
    selectivity: float | None
    middle_half: tuple[float, float] | None
    silent: int
    probe: Estimate
    telling: tuple[Unit, ...]
    active: tuple[tuple[int, Floats], ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        measured = self.probe
        return {
            "stage": self.stage.name,
            "tensor": self.stage.tensor,
            "units": self.units,
            "map_hw": None if self.map_hw is None else list(self.map_hw),
            "sees_hw": None if self.stage.sight is None else [round(side) for side in self.stage.sight.size_yx],
            "selectivity": None if self.selectivity is None else rounded(self.selectivity),
            "probe_top1": {
                "value": measured.value,
                "low": measured.low,
                "high": measured.high,
                "count": measured.count,
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A look into a network.

    Attributes:
        model: its name.
        source: of the images.
        images: how many were looked at.
        classes: of the images; none without labels.
        stages: early ones first.
        image_name: of the image on its way.
        image_path: where it is.
        input: what the network gets of it.
        notes: what a reader should know.
        failures: why images could not be read, by name.
    """

    model: str
    source: str
    images: int
    classes: tuple[str, ...]
    stages: tuple[StageStudy, ...]
    image_name: str
    image_path: Path
    input: Pixels
    notes: tuple[str, ...]
    failures: dict[str, ImageError]
