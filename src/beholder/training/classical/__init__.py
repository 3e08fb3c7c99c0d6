"""What came before networks: features that nobody trained, and classifiers on them. A network is worth what it adds.

The only room that imports scikit-learn.
"""

from beholder.training.classical.classifiers import CLASSIFIERS
from beholder.training.classical.comparing import Baseline, Baselines, baselines
from beholder.training.classical.features import FEATURES, usual_features
from beholder.training.classical.packages import require_packages

__all__ = ["CLASSIFIERS", "FEATURES", "Baseline", "Baselines", "baselines", "require_packages", "usual_features"]
