"""The recipe of a training run: one frozen value, readable as one TOML page."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final, Literal, Self

from beholder.errors import UsageError
from beholder.records import RecordError, from_json, nearest, to_json

Auto = Literal["auto"]


def _key(doc: str, default: Any, of: str | None = None) -> Any:
    """A key of the recipe; one that belongs to a method is refused with another."""
    return field(default=default, metadata={"doc": doc, "of": of})


def _of_head(doc: str, default: Any) -> Any:
    return _key(doc, default, "head")


def _of_network(doc: str, default: Any) -> Any:
    return _key(doc, default, "network")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    Equal recipes and equal data give equal files on the same machine with the same number of threads; but not where
    `minutes` are fewer than a network would take, for then the clock says how many steps there are.

    One part of the images is held out for a network where they are not crossed: of round(1 / `validation_share`) parts,
    so that 0.3 holds out a third and 0.4 a half. `warmup` is of the schedules `cosine` and `constant`: `one-cycle` has
    its own rise.

    A key that belongs to the other method is refused, for it would not be heeded.
    """

    method: Literal["head", "network"] = _key(
        "head: a linear head on a trained backbone, in seconds; network: a whole network, in torch", "head"
    )

    backbone: str = _of_head("model file, or name in the zoo, whose features are used", "efficientnet-lite0")
    layers: Literal["auto", "last", "last-two", "all"] = _of_head(
        "which layers of the backbone the head looks at; auto: several ways, by what cross-validation says", "auto"
    )

    architecture: str = _of_network("which network; see: beholder zoo --architectures", "efficientnet-lite0")
    width: float = _of_network("width multiplier: channels, as a share of the architecture's own", 1.0)
    weights: str = _of_network(
        "what training starts from; pretrained; none: random; a file of weights that a run left; "
        "auto: pretrained where there are any, and random else, which is then said",
        "auto",
    )
    size: int | Auto = _of_network("side of the input, pixels; auto: by the images and the architecture", "auto")
    geometry: Literal["auto", "crop", "squash", "letterbox"] = _of_network(
        "how an image is brought to that size; auto: crop, and squash for images that are small already", "auto"
    )
    epochs: int | Auto = _of_network("how often every image is seen; auto: by how many there are", "auto")
    minutes: float = _of_network("see fewer images, so that fitting takes no longer; 0: as long as it takes", 0.0)
    batch: int | Auto = _of_network("images for each step", "auto")
    optimizer: Literal["auto", "adamw", "sgd"] = _of_network("sgd: with Nesterov's momentum of 0.9", "auto")
    learning_rate: float | Auto = _of_network("the highest of the schedule", "auto")
    weight_decay: float | Auto = _of_network("of weight matrices and filters; not of biases and norms", "auto")
    schedule: Literal["cosine", "one-cycle", "constant"] = _of_network("how the learning rate changes", "cosine")
    warmup: float = _of_network("share of the steps in which the learning rate rises; one-cycle has its own rise", 0.1)
    frozen: int = _of_network("how many stages, from the input on, keep the weights they start with", 0)
    stage_decay: float | Auto = _of_network(
        "learning rate of each stage as a share of that of the next; auto: lower for weights that were trained before",
        "auto",
    )
    dropout: float | Auto = _of_network("before the last layer; auto: as the architecture has it", "auto")
    label_smoothing: float = _of_network("share of each target that is spread over all classes", 0.1)
    mixup: float = _of_network("mixing of images in pairs, as the alpha of mixup; 0: none", 0.0)
    cutmix: float = _of_network("patches of other images, as the alpha of cutmix; 0: none", 0.0)
    augment: tuple[str, ...] = _of_network(
        "how images are varied: auto, or words such as crop:0.35, flip, rotate:15, color:0.2; see docs/networks.md",
        ("auto",),
    )
    clean: tuple[str, ...] = _of_network(
        "what is done to every image, also in use: denoise, brightness, contrast, equalize, grey", ()
    )
    views: Literal["one", "mirror"] = _of_network(
        "mirror: the file also looks at the mirror image, and answers by the mean of both, in twice the time", "one"
    )
    progressive: float = _of_network(
        "share of the steps in which images grow to their size from half of it; not for every network",
        0.0,
    )
    ema: float | Auto = _of_network(
        "the model is a moving average of the weights, which keeps this share at each step; 0: the last weights", "auto"
    )
    patience: int = _of_network("stop when so many epochs did not better the images held out; 0: never", 0)
    clip: float = _of_network("longest gradient; 0: any length", 5.0)
    precision: Literal["auto", "fp32", "bf16"] = _of_network("arithmetic; auto: bf16 where it is faster", "auto")
    compile: Literal["auto", "yes", "no"] = _of_network("compile the network; auto: where it pays", "auto")
    devices: int = _of_network("processes that train together, each with a GPU of its own, or a share of the cores", 1)
    validation_share: float = _of_network(
        "share of the images that is held out, for all about confidence, as one of round(1/share) equal parts", 0.1
    )
    cross_validate: Literal["auto", "yes", "no"] = _of_network(
        "hold out each of the folds in turn, which trains a network for each and then the one that is kept; "
        "auto: where there is no test part",
        "auto",
    )

    balance: Literal["auto", "none", "classes"] = _key(
        "classes: rare classes count as much as common ones; auto: where the commonest has over 3 times the rarest",
        "auto",
    )
    folds: int = _key("parts of the cross-validation that everything about confidence comes from", 5)
    test_share: float = _key("share of the images that is kept for the test, where no split is given", 0.2)
    unknown_budget: float = _key("share of known images that may be answered unknown", 0.05)
    threshold_aim: Literal["f1", "precision", "recall"] = _key(
        "several labels per image: what each label's threshold is tuned for", "f1"
    )
    threshold_value: float = _key("the precision or recall aimed at", 0.9)
    prototypes: int = _key("how many points stand for the images that familiarity is measured to", 64)
    seed: int = _key("of everything that is drawn at random", 0)

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if value != "auto" and not low <= value <= high:
                raise RecordError(f"{name}: must lie between {low} and {high}, found {value}")
        for known in fields(self):
            if known.metadata["of"] not in (None, self.method) and getattr(self, known.name) != known.default:
                raise RecordError(
                    f"{known.name}: is a key of method {known.metadata['of']!r}, and the method is {self.method!r}"
                )

    def cross_validates(self, has_test: bool) -> bool:
        """Whether each fold is left out in turn, rather than one part alone; a head costs nothing more for it."""
        return self.method == "head" or (
            not has_test if self.cross_validate == "auto" else self.cross_validate == "yes"
        )

    def parts(self, has_test: bool) -> int:
        """Into how many parts the images are dealt that are not tested on."""
        return self.folds if self.cross_validates(has_test) else max(2, round(1 / self.validation_share))

    @classmethod
    def from_toml(cls, text: str, place: str = "recipe") -> Self:
        """Read a recipe.

        Raises:
            UsageError: the text is not TOML, or a key or value is not known; the nearest key is named.
        """
        try:
            return from_json(cls, _with_method(tomllib.loads(text)))
        except (tomllib.TOMLDecodeError, RecordError) as error:
            raise UsageError(f"{place}: {error}") from None

    def to_toml(self) -> str:
        """The recipe as a TOML page, with what each key means; without the keys of the other method."""
        lines = []
        for name, value in self.to_dict().items():
            lines += [f"# {_FIELDS[name].metadata['doc']}", f"{name} = {json.dumps(value)}"]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """The keys that matter to its method, and their values."""
        values: dict[str, Any] = to_json(self)
        return {key: value for key, value in values.items() if _FIELDS[key].metadata["of"] in (None, self.method)}

    def with_settings(self, settings: Iterable[str]) -> Self:
        """The recipe with `key=value` settings applied; a key of networks makes it the recipe of one.

        Raises:
            UsageError: a setting has no `=`, or its key or value is not known; the nearest key is named.
        """
        given: dict[str, Any] = {}
        for setting in settings:
            key, equals, text = setting.partition("=")
            key = key.strip()
            if not equals:
                raise UsageError(f"--set: must be key=value, found {setting!r}")
            if key not in _FIELDS:
                raise UsageError(f"--set: {key!r} is not a key of a recipe; {nearest(key, list(_FIELDS))}")
            given[key] = _value(key, text.strip())
        own = self.to_dict()
        if self.method == _FIELDS["method"].default:  # which nobody may have chosen
            del own["method"]
        try:
            return from_json(type(self), _with_method({**own, **given}))
        except RecordError as error:
            raise UsageError(f"--set: {error}") from None


_FIELDS: Final[dict[str, Field[Any]]] = {known.name: known for known in fields(Recipe)}

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "folds": (2, 50),
    "test_share": (0.0, 0.5),
    "unknown_budget": (0.0, 0.5),
    "threshold_value": (0.0, 1.0),
    "prototypes": (1, 4096),
    "seed": (0, 2**32 - 1),
    "width": (0.01, 16.0),
    "size": (8, 1024),
    "epochs": (1, 100_000),
    "minutes": (0.0, 1e6),
    "batch": (1, 65_536),
    "learning_rate": (1e-9, 100.0),
    "weight_decay": (0.0, 1.0),
    "warmup": (0.0, 0.9),
    "frozen": (0, 64),
    "stage_decay": (0.01, 1.0),
    "dropout": (0.0, 0.95),
    "label_smoothing": (0.0, 0.9),
    "mixup": (0.0, 10.0),
    "cutmix": (0.0, 10.0),
    "progressive": (0.0, 1.0),
    "ema": (0.0, 0.99999),
    "patience": (0, 10_000),
    "clip": (0.0, 1e6),
    "devices": (1, 64),
    "validation_share": (0.02, 0.5),
}


def _with_method(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the method that their keys ask for, where none is given."""
    asks = [name for name, known in _FIELDS.items() if known.metadata["of"] == "network" and name in values]
    return {"method": "network", **values} if asks else values


def _value(key: str, text: str) -> Any:
    """A TOML value; a bare word is a string, and words of a list may be bare too: nobody has to quote them."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        words = text.removeprefix("[").removesuffix("]")
        return [word.strip() for word in words.split(",") if word.strip()] if _is_list(key) else text


def _is_list(key: str) -> bool:
    return isinstance(_FIELDS[key].default, tuple)
