"""The other verbs, and the command itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from running import Command

import beholder as package
from beholder.cli import VERBS
from beholder.model import ModelCard, write_card

DOCS = Path(__file__).parents[2] / "docs"


def test_help_names_every_verb(beholder: Command) -> None:
    done = beholder("--help")
    assert done.status == 0
    for name, verb in VERBS.items():
        assert name in done.out
        assert verb.summary in " ".join(done.out.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_documented(beholder: Command, verb: str) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    section = page.split(f"## {verb}\n")[1].split("\n## ")[0]
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", beholder(verb, "--help").out)) - {"--help"}
    assert options
    assert not {option for option in options if f"`{option}" not in section}


def test_a_wrong_verb_suggests_the_nearest(beholder: Command) -> None:
    done = beholder("predcit", "photos")
    assert done.status == 2
    assert "did you mean 'predict'?" in done.err


def test_no_verb_prints_the_help(beholder: Command) -> None:
    done = beholder()
    assert (done.status, done.err) == (0, "")
    assert done.out == beholder("--help").out


def test_version(beholder: Command) -> None:
    assert beholder("--version").out == f"beholder {package.__version__}\n"


def test_info_prints_path_digests_and_card(beholder: Command) -> None:
    (info,) = beholder("info", "efficientnet-lite0", "--json").lines
    assert set(info) == {"path", "file_digest", "graph_digest", "card"}
    card = ModelCard.from_json(json.dumps(info["card"]))
    assert len(card.labels) == len(set(card.labels)) == 1000
    assert card.calibration is None
    assert [measure.origin for measure in card.evaluation] == ["stated"]
    assert card.provenance.weights_license == "Apache-2.0"
    assert "research" in (card.provenance.data_license or "")


def test_info_for_a_person(beholder: Command) -> None:
    shown = beholder("info", "efficientnet-lite0").out
    for words in ("1,000", "Apache-2.0", "not calibrated", "75.1%", "stated by"):
        assert words in " ".join(shown.split())


def test_python_snippet_gives_the_same_answer(beholder: Command, tmp_path: Path) -> None:
    program = beholder("info", "efficientnet-lite0", "--snippet", "python").out
    (tmp_path / "standalone.py").write_text(program)
    random = np.random.default_rng(1)
    small = PIL.Image.fromarray(random.integers(0, 255, (40, 30, 3), np.uint8))
    exif = PIL.Image.Exif()
    exif[274] = 6
    for size in ((300, 200), (2001, 1501)):
        small.resize(size, PIL.Image.Resampling.BICUBIC).save(tmp_path / "photo.jpg", quality=92, exif=exif)
        done = subprocess.run(
            [sys.executable, "standalone.py", "photo.jpg"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        (answer,) = beholder("predict", "photo.jpg", "--json").lines
        expected = [f"{label['confidence']:.6f}  {label['name']}" for label in answer["labels"]]
        assert done.stdout.splitlines() == expected


def test_js_snippet_is_printed(beholder: Command) -> None:
    program = beholder("info", "efficientnet-lite0", "--snippet", "js").out
    assert "onnxruntime-web" in program
    assert "$" not in re.sub(r"\$\{[^}]*\}", "", program)


def test_info_of_what_is_no_model(beholder: Command, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    done = beholder("info", "text.onnx")
    assert done.status == 2
    assert len(done.err.splitlines()) == 1


BUILT_IN = ["efficientnet-lite0", "hog", "edges", "corners"]


def test_zoo_lists_the_built_in_models(beholder: Command) -> None:
    assert [model["name"] for model in beholder("zoo", "--json").lines] == BUILT_IN
    assert "Apache-2.0" in beholder("zoo").out


@pytest.fixture
def no_cache(tmp_path: Path) -> str:
    """A cache folder that cannot be made."""
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file" / "cache")


def test_zoo_without_a_cache_still_names_the_built_in_models(beholder: Command, no_cache: str) -> None:
    done = beholder("zoo", "--json", BEHOLDER_CACHE=no_cache)
    assert [model["name"] for model in done.lines] == BUILT_IN
    assert done.status in (0, 1)


def test_info_without_a_cache_still_tells(beholder: Command, no_cache: str) -> None:
    done = beholder("info", "efficientnet-lite0", BEHOLDER_CACHE=no_cache)
    assert done.status == 0
    assert "1,000" in done.out
    assert len(done.err.splitlines()) <= 1


def test_zoo_says_how_a_damaged_model_is_fetched_again(beholder: Command, tmp_path: Path) -> None:
    pulled = tmp_path / "cache" / "models" / "pulled"
    pulled.mkdir(parents=True)
    (pulled / "org~name.onnx").write_bytes(b"junk")
    done = beholder("zoo", BEHOLDER_CACHE=str(tmp_path / "cache"))
    assert done.status == 1
    assert "beholder pull org/name --force" in done.err


@pytest.fixture
def tuned(beholder: Command, tmp_path: Path) -> Callable[..., str]:
    """Copies the built-in model with another card."""
    (info,) = beholder("info", "efficientnet-lite0", "--json").lines

    def copy(**changes: Any) -> str:
        card = {**info["card"], **changes}
        write_card(info["path"], ModelCard.from_json(json.dumps(card)), tmp_path / "tuned.onnx")
        return "tuned.onnx"

    return copy


def test_info_of_a_model_with_sigmoid_calibration(beholder: Command, tuned: Callable[..., str]) -> None:
    calibration = {"method": "sigmoid", "temperature": None, "count": 1200}
    done = beholder("info", tuned(calibration=calibration))
    assert done.status == 0
    assert "yes, on 1,200 images (a slope and a shift for each label)" in done.out
    assert {"file", "file digest", "graph digest"} <= {line[2:16].strip() for line in done.out.splitlines()}


def test_a_model_cannot_steer_the_terminal(beholder: Command, tuned: Callable[..., str], tmp_path: Path) -> None:
    PIL.Image.new("RGB", (30, 20)).save(tmp_path / "black.png")
    (card,) = (line["card"] for line in beholder("info", "efficientnet-lite0", "--json").lines)
    labels = [f"{label}\u202e" for label in card["labels"]]
    name = tuned(labels=labels, description="\x1b]0;mine\x07")
    for words in (["info", name], ["info", name, "--json"], ["info", name, "--snippet", "python"]):
        assert not re.search("[\x1b\x9b\x07\u202e]", beholder(*words).out)
    for form in ([], ["--json"], ["--csv"]):
        done = beholder("predict", "black.png", "--model", name, *form)
        assert done.status == 0
        assert not re.search("[\x1b\x9b\x07\u202e]", done.out + done.err)
    (answer,) = beholder("predict", "black.png", "--model", name, "--json").lines
    assert answer["labels"][0]["name"] in labels


def test_doctor_finds_nothing_broken(beholder: Command) -> None:
    done = beholder("doctor", "--json")
    assert done.status == 0
    assert {finding["state"] for finding in done.lines} <= {"good", "missing"}
    assert {"onnxruntime", "devices", "cache", "model", "isolation", "network"} <= {f["name"] for f in done.lines}


def test_doctor_says_what_a_missing_cache_means(beholder: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = beholder("doctor", BEHOLDER_CACHE=str(tmp_path / "file"))
    assert done.status == 0
    assert "models are made anew each time" in done.out
