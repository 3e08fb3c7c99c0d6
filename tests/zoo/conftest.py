"""What the tests of the zoo share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub, serving

from beholder.zoo.hub.hub import HuggingFaceHub
from beholder.zoo.hub.web import Web


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, and an environment that says nothing."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("BEHOLDER_CACHE", str(folder))
    for name in ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def hub_here() -> Iterator[LoopbackHub]:
    """A hub served on this machine."""
    with serving(LoopbackHub()) as hub:
        yield hub


@pytest.fixture
def client(hub_here: LoopbackHub) -> HuggingFaceHub:
    """What talks to it, without patience."""
    return HuggingFaceHub(Web(hub_here.url, timeout_seconds=5, attempts=3, pause_seconds=0.01))
