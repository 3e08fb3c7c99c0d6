"""`beholder zoo --architectures`: what can be trained, and what it costs."""

from __future__ import annotations

import json

import pytest
from in_process import command
from running import Command

from beholder.training.networks import architectures


@pytest.fixture
def zoo(capsys: pytest.CaptureFixture[str]) -> Command:
    return command(capsys, "zoo")


def test_the_table_has_a_row_for_each_name(zoo: Command) -> None:
    pytest.importorskip("timm")
    done = zoo("--architectures", "lenet5", "resnet18", "timm/resnet10t")
    heading, *rows = done.out.splitlines()
    assert done.status == 0
    assert heading.split()[:2] == ["architecture", "year"]
    assert [row.split()[0] for row in rows] == ["lenet5", "resnet18", "timm/resnet10t"]
    assert "11.69 M" in rows[1] and "1,814.1 M" in rows[1] and "46.8" in rows[1] and "1512.03385" in rows[1]
    assert "with 1,000 classes; lenet5: with 10" in done.err


def test_json_has_the_numbers(zoo: Command) -> None:
    pytest.importorskip("timm")
    done = zoo("--json", "--architectures", "mobilenet-v1")
    (found,) = map(json.loads, done.out.splitlines())
    assert (done.status, done.err) == (0, "")
    assert found["name"] == "mobilenet-v1" and found["size"] == 224 and found["classes"] == 1000
    assert found["byte_size"] == 4 * found["parameters"] and found["multiply_adds"] == pytest.approx(569e6, rel=0.01)


def test_an_unknown_name_suggests_the_nearest(zoo: Command) -> None:
    done = zoo("--architectures", "mobilenet-v9")
    assert done.status == 2 and not done.out
    assert "did you mean 'mobilenet-v" in done.err


def test_without_torch_it_says_what_to_install(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "find_spec", lambda name: None)
    done = zoo("--architectures")
    assert done.status == 2 and not done.out
    assert done.err.strip().endswith("networks need torch; install it with: pip install 'beholder[train]'")
