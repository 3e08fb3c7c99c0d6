"""The one flat public namespace."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import beholder
from beholder import errors

TREE = ast.parse(Path(beholder.__file__).read_text(encoding="utf-8"))


def test_the_public_names_are_exactly_what_is_exported():
    assert beholder.__all__ == sorted(beholder.__all__)
    assert len(set(beholder.__all__)) == len(beholder.__all__)
    assert set(beholder.__all__) == {*beholder._HOMES, *beholder._ROOMS, "__version__"}
    assert dir(beholder) == sorted(beholder.__all__)


@pytest.mark.parametrize("name", sorted(beholder._HOMES))
def test_every_name_can_be_had_from_where_it_lives(name):
    found = getattr(beholder, name)
    home = importlib.import_module(beholder._HOMES[name])
    assert found is getattr(home, name)
    assert name in getattr(home, "__all__", dir(home))
    assert found.__doc__, f"{name} says nothing about itself"


@pytest.mark.parametrize("room", beholder._ROOMS)
def test_a_public_room_is_there_when_it_is_asked_for(room):
    program = f"import sys, beholder; assert 'beholder.{room}' not in sys.modules; print(beholder.{room}.__all__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(importlib.import_module(f"beholder.{room}").__all__)


def test_type_checkers_see_the_same_names():
    (block,) = (node for node in TREE.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == {**beholder._HOMES, **dict.fromkeys(beholder._ROOMS, "beholder")}


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'beholder' has no attribute 'laod'"):
        _ = beholder.laod
    with pytest.raises(ImportError):
        from beholder import nothing  # noqa: F401


def test_the_version():
    pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{beholder.__version__}"' in pyproject


def every_error(kind=errors.BeholderError):
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    drawn = [line.strip("│├└─ ").split()[0] for line in errors.__doc__.splitlines() if line.startswith("    ")]
    assert drawn == [error.__name__ for error in every_error() if error.__module__ == "beholder.errors"]


def test_every_error_has_a_kind_of_its_own():
    kinds = [error.kind for error in every_error() if error.__module__ == "beholder.errors"]
    assert len(set(kinds)) == len(kinds)
    assert all(kind.isidentifier() and kind.islower() for kind in kinds)


@pytest.mark.parametrize("room", ["auditing", "image", "model", "result", "zoo"])
def test_rooms_export_what_they_say(room):
    module = importlib.import_module(f"beholder.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
