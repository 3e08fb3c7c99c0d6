"""From examples to a model: a head on a trained backbone, in seconds."""

from beholder.train.recipe import Recipe
from beholder.train.runs import Run, train

__all__ = ["Recipe", "Run", "train"]
