"""How good a model is: metrics of each task, intervals, comparisons, and the report that a person reads."""

from beholder.evaluation.assembling import predictions_of
from beholder.evaluation.choosing import UNREADABLE
from beholder.evaluation.comparing import Comparison, compare_predictions
from beholder.evaluation.comparing_models import compare
from beholder.evaluation.evaluating import evaluate_predictions
from beholder.evaluation.evaluation import EVALUATION_SCHEMA_VERSION, Evaluation, EvaluationKind
from beholder.evaluation.intervals import NOT_MEASURED, Estimate, more_needed, proportion
from beholder.evaluation.parts import LeftOut
from beholder.evaluation.predictions import Predictions, Strangers
from beholder.evaluation.running import evaluate
from beholder.evaluation.strangeness import strangers_of

__all__ = [
    "EVALUATION_SCHEMA_VERSION",
    "NOT_MEASURED",
    "UNREADABLE",
    "Comparison",
    "Estimate",
    "Evaluation",
    "EvaluationKind",
    "LeftOut",
    "Predictions",
    "Strangers",
    "compare",
    "compare_predictions",
    "evaluate",
    "evaluate_predictions",
    "more_needed",
    "predictions_of",
    "proportion",
    "strangers_of",
]
