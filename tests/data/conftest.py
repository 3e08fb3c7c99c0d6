"""Folders of the tests' own, so that nothing depends on what a person has kept or corrected."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from beholder.data import ContentCache


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a data directory for one test."""
    folder = tmp_path_factory.mktemp("own")
    monkeypatch.setenv("BEHOLDER_CACHE", str(folder / "cache"))
    monkeypatch.setenv("BEHOLDER_DATA", str(folder / "data"))
    return folder


@pytest.fixture
def contents() -> Iterator[ContentCache]:
    with ContentCache() as cache:
        yield cache
