"""From examples to a model: a head on a trained backbone, in seconds."""

from beholder.training.features import Backbone
from beholder.training.label_issues import Suspect, find_label_issues
from beholder.training.learning import Learned, learn
from beholder.training.material import Material
from beholder.training.recipe import Recipe
from beholder.training.runs import Run, run_training, train

__all__ = [
    "Backbone",
    "Learned",
    "Material",
    "Recipe",
    "Run",
    "Suspect",
    "find_label_issues",
    "learn",
    "run_training",
    "train",
]
