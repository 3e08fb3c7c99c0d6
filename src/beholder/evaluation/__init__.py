"""How good a model is: metrics of each task, intervals, comparisons, and the report that a person reads."""

from beholder.evaluation.comparing import Comparison, compare_predictions
from beholder.evaluation.evaluating import evaluate_predictions
from beholder.evaluation.evaluation import EVALUATION_SCHEMA_VERSION, Evaluation
from beholder.evaluation.intervals import NOT_MEASURED, Estimate, more_needed, proportion
from beholder.evaluation.parts import LeftOut
from beholder.evaluation.predictions import Predictions, Strangers
from beholder.evaluation.strangeness import strangers_of

__all__ = [
    "EVALUATION_SCHEMA_VERSION",
    "NOT_MEASURED",
    "Comparison",
    "Estimate",
    "Evaluation",
    "LeftOut",
    "Predictions",
    "Strangers",
    "compare_predictions",
    "evaluate_predictions",
    "more_needed",
    "proportion",
    "strangers_of",
]
