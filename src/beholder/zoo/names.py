"""Models by name: built in, pulled from a hub, or a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from beholder.errors import InvalidModel, OutputFailed, UnknownModel, UsageError
from beholder.files import cache_dir, write_atomic
from beholder.image import Isolation, Limits
from beholder.model import FileModel, ModelCard, load_file, read_card
from beholder.model.loading import load_bytes
from beholder.records import nearest

DEFAULT_MODEL: Final = "efficientnet-lite0"


@dataclass(frozen=True, slots=True)
class Builtin:
    """A model that Beholder makes from installed weights.

    Attributes:
        version: changes when the made file does, so that an older one in the cache is not used.
        build: makes the bytes of the file.
    """

    version: str
    build: Callable[[], bytes]


def _efficientnet_lite0() -> bytes:
    from beholder.zoo.builtin import build_efficientnet_lite0

    return build_efficientnet_lite0()


def _classical(name: str) -> bytes:
    from beholder.zoo.builtin.classical import build_classical

    return build_classical(name)


BUILTIN: Final[Mapping[str, Builtin]] = {
    "efficientnet-lite0": Builtin("3", _efficientnet_lite0),
    "hog": Builtin("1", partial(_classical, "hog")),
    "edges": Builtin("1", partial(_classical, "edges")),
    "corners": Builtin("1", partial(_classical, "corners")),
}
"""The models that come with Beholder, by name."""


def load(
    name: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    device: str = "auto",
    limits: Limits | None = None,
    isolation: Isolation = "auto",
    exact: bool = False,
) -> FileModel:
    """Load a model by its name in the zoo, or from its file.

    Args:
        name: such as `efficientnet-lite0`, the name of a pulled model, or the path of a model file.
        device: `auto` for the fastest present, or `cpu`, `cuda`, ….
        limits: what an image may cost.
        isolation: which images are decoded in a worker that can be killed: `auto` (those whose decoder is not bounded
            by the header), `always` (for untrusted images), `never`.
        exact: whether JPEGs are always decoded whole. Large ones are otherwise read at a reduced scale where the model
            card allows it, which is several times faster and changes the pixels a little.

    Raises:
        UnknownModel: neither a name nor a file.
        InvalidModel: the file is damaged, hostile, or not what its card says.
    """
    text = _as_text(name)
    builtin = BUILTIN.get(text)
    if builtin is None:
        return load_file(find(text), device=device, limits=limits, isolation=isolation, exact=exact)
    path = _builtin_path(text, builtin)
    if path.is_file():
        with suppress(InvalidModel):  # a damaged file in the cache is made anew
            return load_file(path, device=device, limits=limits, isolation=isolation, exact=exact)
    data = builtin.build()
    with suppress(OutputFailed):  # where no cache can be written, the model is made each time
        _keep(path, data)
    return load_bytes(data, device=device, limits=limits, isolation=isolation, exact=exact)


def find(name: str | os.PathLike[str]) -> Path:
    """The file of a model.

    Args:
        name: a name in the zoo, or a path. A built-in model is made when it is not in the cache yet.

    Raises:
        UnknownModel: neither a name nor a file; the text suggests the nearest name.
        OutputFailed: a built-in model cannot be written to the cache.
    """
    text = _as_text(name)
    builtin = BUILTIN.get(text)
    if builtin is not None:
        path = _builtin_path(text, builtin)
        if not path.exists():
            _keep(path, builtin.build())
        return path
    pulled = pulled_path(text)
    if pulled.is_file():
        return pulled
    path = Path(text)
    if path.is_dir():
        raise UnknownModel(f"{text}: is a folder where a model is expected; name a model file, or one of: beholder zoo")
    if not path.exists():
        raise UnknownModel(f"{text}: no model of this name and no such file; {_suggestion(text)}")
    return path


def _keep(path: Path, data: bytes) -> None:
    with write_atomic(path, overwrite=True) as stream:
        stream.write(data)


def _as_text(name: str | os.PathLike[str]) -> str:
    if not isinstance(name, str | os.PathLike):
        raise UsageError(f"a model must be a name or a path, found {type(name).__name__}")
    return os.fspath(name)


def pulled_path(name: str) -> Path:
    """Where a pulled model of this name is kept."""
    safe = "".join(character if character.isalnum() or character in "-_." else "~" for character in name)
    return cache_dir() / "models" / "pulled" / f"{safe}.onnx"


def available() -> Iterator[tuple[str, ModelCard | InvalidModel]]:
    """The models that can be loaded by name, with their cards: built in first, then pulled.

    Yields:
        The name and the card; of a pulled file that is damaged, the name of the file and what is wrong with it.
    """
    for name in BUILTIN:
        yield name, read_card(find(name))
    for path in sorted((cache_dir() / "models" / "pulled").glob("*.onnx")):
        try:
            card = read_card(path)
        except InvalidModel as error:
            yield path.stem, error
        else:
            yield card.name, card


def _builtin_path(name: str, builtin: Builtin) -> Path:
    return cache_dir() / "models" / "built" / f"{name}-{builtin.version}.onnx"


def _suggestion(name: str) -> str:
    pulled = [path.stem.replace("~", "/") for path in (cache_dir() / "models" / "pulled").glob("*.onnx")]
    hint = nearest(name, [*BUILTIN, *pulled])
    if name.count("/") == 1 and not name.startswith((".", "/")):
        return f"{hint}; a model on a hub is fetched with: beholder pull {name}"
    return f"{hint}; see: beholder zoo"
