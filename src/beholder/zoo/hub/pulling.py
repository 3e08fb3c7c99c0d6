"""Bringing a model from a hub: a repository with an ONNX file and two settings files becomes a model file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from beholder.errors import HubError, InvalidModel, Offline, OutputExists, UsageError
from beholder.model import Provenance, read_card
from beholder.model.card import MAX_LABELS
from beholder.zoo.hub.addresses import offline_variable
from beholder.zoo.hub.downloading import Progress
from beholder.zoo.hub.hub import Hub, HuggingFaceHub, RemoteFile, Snapshot, check_repository
from beholder.zoo.hub.preprocessor import read_preprocessing
from beholder.zoo.hub.untrusted import MAX_BYTES, Document
from beholder.zoo.importing import import_model
from beholder.zoo.importing.foreign import MAX_FILE_BYTES
from beholder.zoo.importing.labels import check_label
from beholder.zoo.names import BUILTIN, find, pulled_path

DEFAULT_REVISION: Final = "main"

_PREFERRED: Final = ("onnx/model.onnx", "model.onnx")
_WEIGHTS_ENDINGS: Final = ("_data", ".data")
_SOURCE: Final = re.compile(r"(?P<hub>[^/]+)/(?P<name>[^@]+)@(?P<commit>[0-9a-f]{40})/(?P<file>.+)")


def pull(
    name: str,
    *,
    revision: str = DEFAULT_REVISION,
    file: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    hub: Hub | None = None,
) -> Path:
    """Bring a model from a hub, unless it is here already.

    Args:
        name: the repository, `organization/name`; a name in the zoo is here already.
        revision: a branch, a tag or a commit.
        file: which of its ONNX files, by its path there.
        force: fetch it again, and replace what is here.
        progress: told how many bytes are here, and how many there will be.
        hub: where from; the Hugging Face Hub, as the environment names it, when None.

    Returns:
        The model file, which `load` finds by the name.

    Raises:
        Offline: it is not here, and the network may not be used.
        HubError: the repository cannot be had, or does not hold a classifier that can be imported.
        InvalidModel: its graph is hostile, or cannot be brought to the contract of the model file.
        OutputExists: another revision or file of it is here.
    """
    here = None if force else find_pulled(name, revision=revision, file=file)
    if here is not None:
        return here
    check_repository(name)
    variable = offline_variable()
    if variable is not None:
        raise Offline(
            f"{name} is not here, and may not be fetched as {variable} is set; unset it, or pull it elsewhere"
        )
    source = hub or HuggingFaceHub.from_environment()
    snapshot = source.snapshot(name, revision)
    chosen = _onnx_file(snapshot, file)
    out = pulled_path(name)
    if out.exists() and not force:
        if _source(out).items() >= {"commit": snapshot.commit, "file": chosen.path}.items():
            return out
        raise OutputExists(f"{name}: another revision or file of it is here already; pass --force to replace it")
    _import(source, snapshot, chosen, out, force, progress)
    return out


def find_pulled(name: str, *, revision: str = DEFAULT_REVISION, file: str | None = None) -> Path | None:
    """The file of a model that is here already, without asking a hub; None where that cannot be told.

    Args:
        name: as for `pull`.
        revision: as for `pull`; any other than the default must be the commit that is here.
        file: as for `pull`.
    """
    if name in BUILTIN:
        return find(name)
    path = pulled_path(name)
    if not path.is_file():
        return None
    source = _source(path)
    same_revision = revision in (DEFAULT_REVISION, source.get("commit"))
    return path if same_revision and file in (None, source.get("file")) else None


def _source(path: Path) -> Mapping[str, str]:
    """What the card of a pulled model says of where it is from; empty when it says nothing."""
    try:
        found = _SOURCE.fullmatch(read_card(path).provenance.weights_source or "")
    except InvalidModel:
        return {}
    return found.groupdict() if found else {}


def _import(
    hub: Hub, snapshot: Snapshot, chosen: RemoteFile, out: Path, force: bool, progress: Progress | None
) -> None:
    """Fetch the files and make the model file of them; the settings come first, as they may already say no."""
    name = snapshot.repository
    config = _settings(hub, snapshot, chosen, "config.json")
    preprocessing = read_preprocessing(_settings(hub, snapshot, chosen, "preprocessor_config.json"))
    multi_label = _multi_label(config)
    labels, notes = _labels(config)
    weights = hub.fetch(snapshot, chosen, progress)
    provenance = Provenance(
        weights_source=f"{hub.name}/{name}@{snapshot.commit}/{chosen.path}",
        weights_license=snapshot.license,
        data_source=", ".join(snapshot.datasets)[:300] or None,
        notes=(*preprocessing.notes, *notes),
    )
    try:
        import_model(
            weights,
            out,
            name=name,
            geometry=preprocessing.geometry,
            conventions=preprocessing.conventions,
            labels=labels,
            multi_label=multi_label,
            description=f"Recognizes {len(labels):,} kinds of things; pulled from {hub.name}.",
            provenance=provenance,
            overwrite=force,
        )
    except (InvalidModel, UsageError) as error:
        reason = str(error).removeprefix(f"{weights}: ")
        raise InvalidModel(f"{name}: {chosen.path}: {reason}") from error
    weights.unlink(missing_ok=True)  # what it held is in the model file


def _onnx_file(snapshot: Snapshot, wanted: str | None) -> RemoteFile:
    """The ONNX file to take: the wanted one, one in a usual place, or the only one."""
    name, files = snapshot.repository, snapshot.files
    found = sorted(path for path in files if path.lower().endswith(".onnx"))
    if wanted is not None:
        if wanted not in found:
            raise HubError(f"{name}: has no ONNX file {wanted!r}; it has: {_listed(found)}")
        path = wanted
    elif not found:
        raise HubError(f"{name}: holds no ONNX file; pull a repository that does, or export it to ONNX and import that")
    else:
        usual = [path for path in _PREFERRED if path in found] or found
        if len(usual) > 1 and usual is found:
            raise HubError(f"{name}: holds several ONNX files; choose one with --file: {_listed(found)}")
        path = usual[0]
    if files[path].size > MAX_FILE_BYTES:
        raise HubError(
            f"{name}: {path} must be under 2 GiB, found {files[path].size:,} bytes; choose another by --file"
        )
    beside = [f"{path}{ending}" for ending in _WEIGHTS_ENDINGS if f"{path}{ending}" in files]
    if beside:
        raise HubError(
            f"{name}: {path} keeps its weights in {beside[0]}; a model is one file: choose another by --file"
        )
    return files[path]


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:12])
    return f"{shown}, …" if len(paths) > 12 else shown or "none"


def _settings(hub: Hub, snapshot: Snapshot, chosen: RemoteFile, file: str) -> Document:
    """A settings file: the one beside the ONNX file, or that of the whole repository."""
    beside = str(PurePosixPath(chosen.path).with_name(file))
    found = snapshot.files.get(beside) or snapshot.files.get(file)
    if found is None:
        raise HubError(
            f"{snapshot.repository}: has no {file}; download its ONNX file and say with: beholder import FILE"
        )
    if found.size > MAX_BYTES:
        raise HubError(f"{snapshot.repository}: {found.path} must be at most {MAX_BYTES:,} bytes, found {found.size:,}")
    kept = hub.fetch(snapshot, found)
    document = Document.parse(f"{snapshot.repository}: {found.path}", kept.read_bytes())
    kept.unlink(missing_ok=True)
    return document


def _multi_label(config: Document) -> bool:
    """Whether several labels may hold; a model that is no image classifier is refused."""
    architectures = config.texts("architectures")
    if not any("ForImageClassification" in architecture for architecture in architectures):
        found = ", ".join(architectures)[:100] or "none"
        raise HubError(f"{config.place}: must be of a model …ForImageClassification, found {found}")
    problem = config.text("problem_type", "single_label_classification")
    if problem not in ("single_label_classification", "multi_label_classification"):
        raise HubError(f"{config.place}: must be a classifier, but its problem_type is {problem!r}")
    return problem == "multi_label_classification"


def _labels(config: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names in the order of the outputs, and what is to be said of them.

    Names that occur twice, as "crane" does in the usual list for ImageNet, get their index added.
    """
    names = config.inner("id2label")
    count = len(names.keys())
    if not 0 < count <= MAX_LABELS:
        raise HubError(f"{names.place}: must have 1 to {MAX_LABELS:,} labels, found {count:,}")
    labels = [names.text(str(index)).strip() for index in range(count)]
    counts = Counter(labels)
    repeated = sorted(label for label, times in counts.items() if times > 1)
    labels = [f"{label} ({index})" if counts[label] > 1 else label for index, label in enumerate(labels)]
    try:
        for label in labels:
            check_label(label)
    except UsageError as error:
        raise HubError(f"{names.place}: {error}") from None
    if len(set(labels)) < count:
        raise HubError(f"{names.place}: labels must differ from each other")
    note = (f"Several classes have one name; their number was added to: {', '.join(repeated)[:200]}.",)
    return tuple(labels), note if repeated else ()
