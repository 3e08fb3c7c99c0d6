"""A cache and a data folder of the tests' own, and a dataset with a fault of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty_set import make_clean, make_faulty

from beholder.auditing import Audit, audit


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache and a data folder of the tests' own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("BEHOLDER_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("BEHOLDER_DATA", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 12 different pictures."""
    return make_clean(tmp_path_factory.mktemp("sets") / "clean")


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with something wrong of every kind; read-only."""
    return make_faulty(tmp_path_factory.mktemp("sets") / "faulty")


@pytest.fixture(scope="session")
def found(faulty: Path) -> Audit:
    """What an audit says of it."""
    return audit(faulty)
