"""An evaluation: what was measured of a model on images that it was not fitted on, as one frozen record.

Its JSON is what `evaluate --json` prints and what stands beside a report. A number that was not measured is `null`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self, get_type_hints

import numpy as np

from beholder.errors import UsageError
from beholder.evaluation.intervals import Estimate
from beholder.evaluation.parts import (
    AnsweredStranger,
    CalibratedError,
    ClassResult,
    CollectNext,
    Confused,
    LeftOut,
    Mistake,
    ReliabilityBin,
    RiskPoint,
    SetSizes,
    StrangerResult,
    Unanswered,
)
from beholder.evaluation.resampling import Integers
from beholder.evaluation.slices import Slice
from beholder.records import RecordError, from_json, to_json

EVALUATION_SCHEMA_VERSION: Final = 1

EvaluationKind = Literal["test", "cross-validated", "held-out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured of a model. A metric is also an attribute: `evaluation.top1.value`.

    Attributes:
        model: its name.
        dataset: digest of the dataset, `sha256:…`.
        kind: `test`: images set apart; `cross-validated`: each image answered by a model fitted without it; `held-out`:
            one part that the model was not fitted on, and that its confidence was made from.
        fitted_known: whether it is known which images the model was fitted on; where it is not, some of those measured
            may be among them.
        copies_apart: whether it was made sure that none of the images shows the same as one that the model was fitted
            on, such as the same picture saved anew; where it is false, only the same files are known to be kept out.
        unknown_budget: the share of known images that the model's rule for *unknown* may leave unanswered; `None` where
            it has no such rule.
        task: `classify`.
        multi_label: whether an image may have several labels.
        classes: names, in the order of the model.
        count: how many images were measured.
        metrics: estimates by name of the metric; those that do not apply to the task are not there.
        per_class: a result for each class, in the order of the model.
        confusion: where an image has one label; most frequent first; `None` otherwise.
        ece_if_calibrated: what a perfectly calibrated model would show.
        reliability: bins of about equal mass, least confident first.
        risk_coverage: most confident first.
        set_sizes: of the prediction sets.
        strangers: a result for each kind.
        slices: by column, the smallest first.
        mistakes: the most confident first.
        unanswered: the least familiar are not told from the others; the most confident first.
        answered_strangers: the most confident first.
        collect_next: where more images would help most, first.
        left_out: images that were not measured, and why.
        notes: what else a reader should know.
        schema: version of the JSON.
    """

    model: str
    dataset: str
    kind: EvaluationKind
    fitted_known: bool = True
    copies_apart: bool = False
    unknown_budget: float | None = None
    task: Literal["classify"] = "classify"
    multi_label: bool = False
    classes: tuple[str, ...]
    count: int
    metrics: Mapping[str, Estimate]
    per_class: tuple[ClassResult, ...] = ()
    confusion: tuple[Confused, ...] | None = None
    ece_if_calibrated: CalibratedError | None = None
    reliability: tuple[ReliabilityBin, ...] = ()
    risk_coverage: tuple[RiskPoint, ...] = ()
    set_sizes: tuple[SetSizes, ...] = ()
    strangers: tuple[StrangerResult, ...] = ()
    slices: tuple[Slice, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
    answered_strangers: tuple[AnsweredStranger, ...] = ()
    collect_next: tuple[CollectNext, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    schema: int = EVALUATION_SCHEMA_VERSION

    def __post_init__(self) -> None:
        known = set(self.classes)
        strange = [pair for pair in self.confusion or () if not {pair.truth, pair.predicted} <= known]
        if strange:
            raise RecordError(f"confusion: must be of the classes, found {strange[0].truth} and {strange[0].predicted}")

    def __getattr__(self, name: str) -> Estimate:
        """A metric by its name."""
        if name != "metrics" and name in self.metrics:
            return self.metrics[name]
        raise AttributeError(f"an evaluation has no {name!r}; its metrics: {', '.join(self.metrics)}")

    @property
    def tuned_here(self) -> bool:
        """Whether all about confidence was made from the answers that were measured: it fits them by construction."""
        return self.kind != "test"

    def confusion_matrix(self) -> Integers:
        """The confusion matrix, int64 `(K, K)`, a row for each true class.

        Raises:
            UsageError: an image may have several labels.
        """
        if self.confusion is None:
            raise UsageError("a confusion matrix needs one label per image; look at per_class")
        place = {name: index for index, name in enumerate(self.classes)}
        matrix = np.zeros((len(self.classes), len(self.classes)), np.int64)
        for pair in self.confusion:
            matrix[place[pair.truth], place[pair.predicted]] = pair.count
        return matrix

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON values, the schema version first."""
        head = {"schema": self.schema, "model": self.model, "dataset": self.dataset, "kind": self.kind}
        values = {field.name: to_json(getattr(self, field.name)) for field in fields(self) if field.name not in head}
        return {**head, **values, "metrics": {name: to_json(measured) for name, measured in self.metrics.items()}}

    @classmethod
    def from_dict(cls, value: Any) -> Self:
        """Make an evaluation of its JSON values; the `extras` that a report's twin has are passed over.

        Raises:
            UsageError: of another schema version, or not in the form of an evaluation; the text names the place.
        """
        version = value.get("schema") if isinstance(value, dict) else None
        if version != EVALUATION_SCHEMA_VERSION or isinstance(version, bool):
            must_be = f"evaluation: schema must be {EVALUATION_SCHEMA_VERSION}"
            raise UsageError(f"{must_be}, found {version!r}; a newer Beholder may read it")
        try:
            metrics = value.get("metrics")
            if not isinstance(metrics, dict):
                raise RecordError("metrics: must be an object")
            measured = {name: from_json(Estimate, item, f"metrics.{name}") for name, item in metrics.items()}
            rest = from_json(_REST, {name: item for name, item in value.items() if name not in ("metrics", "extras")})
            return cls(metrics=measured, **{field.name: getattr(rest, field.name) for field in fields(rest)})
        except RecordError as error:
            raise UsageError(f"evaluation: {error}") from None


def _rest() -> type[Any]:
    """The record of all fields but `metrics`: a record cannot hold a dictionary of records."""
    hints = get_type_hints(Evaluation)
    parts = [(f.name, hints[f.name], _same_default(f)) for f in fields(Evaluation) if f.name != "metrics"]
    return dataclasses.make_dataclass("Evaluation", parts, frozen=True, kw_only=True)


def _same_default(field: dataclasses.Field[Any]) -> Any:
    return dataclasses.field() if field.default is dataclasses.MISSING else dataclasses.field(default=field.default)


_REST: Final = _rest()
