"""One file that recognizes: its card, its geometry, what runs it, and what it answers."""

from beholder.model.card import Calibration, EmbeddingSpace, Measure, ModelCard, Provenance
from beholder.model.file import graph_digest, read_card, write_card
from beholder.model.geometry import Geometry, Placement
from beholder.model.loading import load_bytes, load_file
from beholder.model.model import FileModel, Model
from beholder.model.runtime import OnnxRuntime, Runtime, available_devices

__all__ = [
    "Calibration",
    "EmbeddingSpace",
    "FileModel",
    "Geometry",
    "Measure",
    "Model",
    "ModelCard",
    "OnnxRuntime",
    "Placement",
    "Provenance",
    "Runtime",
    "available_devices",
    "graph_digest",
    "load_bytes",
    "load_file",
    "read_card",
    "write_card",
]
