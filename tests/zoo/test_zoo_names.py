"""The built-in model in a cache that is damaged, or that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholder.errors import UsageError
from beholder.zoo import find, load
from beholder.zoo import names as zoo_names


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the model was made."""
    made: list[str] = []
    original = zoo_names.BUILTIN["efficientnet-lite0"]

    def build() -> bytes:
        made.append("made")
        return original.build()

    monkeypatch.setattr(zoo_names, "BUILTIN", {"efficientnet-lite0": zoo_names.Builtin(original.version, build)})
    return made


def test_it_is_made_once(built: list[str]) -> None:
    load()
    load()
    assert built == ["made"]


def test_a_damaged_file_is_made_anew(built: list[str]) -> None:
    path = find("efficientnet-lite0")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert load().card.name == "efficientnet-lite0"
    assert path.read_bytes() == whole
    assert len(built) == 2


def test_without_a_cache_it_is_made_once_for_each_load(
    built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "file"))
    assert load().card.name == "efficientnet-lite0"
    assert built == ["made"]


def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(UsageError, match="must be a name or a path, found int"):
        load(5)  # type: ignore[arg-type]
