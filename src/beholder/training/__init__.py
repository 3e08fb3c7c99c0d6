"""From examples to a model: a head on a trained backbone in seconds, or a whole network in torch."""

from beholder.training.features import Backbone
from beholder.training.label_issues import Suspect, find_label_issues
from beholder.training.learned import Learned, Report
from beholder.training.learning import learn
from beholder.training.material import Material
from beholder.training.recipe import Recipe
from beholder.training.runs import Run, run_training, train

__all__ = [
    "Backbone",
    "Learned",
    "Material",
    "Recipe",
    "Report",
    "Run",
    "Suspect",
    "find_label_issues",
    "learn",
    "run_training",
    "train",
]
