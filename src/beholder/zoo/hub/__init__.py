"""Models from a hub: listed, fetched, verified, and made into model files."""

from beholder.zoo.hub.hub import Hub, HuggingFaceHub
from beholder.zoo.hub.pulling import find_pulled, pull

__all__ = ["Hub", "HuggingFaceHub", "find_pulled", "pull"]
