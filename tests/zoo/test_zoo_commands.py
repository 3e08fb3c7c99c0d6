"""`beholder pull` and `beholder import`, as a person calls them."""

import json
import sys

import numpy as np
import PIL.Image
import pytest
from bird_repository import NAME, files
from tiny_graphs import SIZE_HW, classifier, ready_made, saved

from beholder.cli import main
from beholder.files import file_digest
from beholder.model import Geometry, graph_digest, read_card
from beholder.zoo.names import pulled_path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with labels and a photo."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "labels.txt").write_text("ant\nbee\ncat\ndog\n")
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).save(work / "photo.png")
    return work


@pytest.fixture
def birds(hub_here, monkeypatch):
    hub_here.add(NAME, files())
    monkeypatch.setenv("HF_ENDPOINT", hub_here.url)
    return hub_here


@pytest.fixture
def run(capsys):
    """Run the command; returns its status and what it wrote."""

    def run_(*words):
        status = main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_


def test_import_makes_a_file_that_predicts(run, folder):
    saved(classifier(), folder / "ants.onnx")
    words = ("--labels", "labels.txt", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
    status, out, err = run("import", "ants.onnx", *words)
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("ants: imported, classify, 4 labels, 2.6 kB, ants.beholder.onnx")
    assert second == "next: beholder predict photo.jpg --model ants.beholder.onnx"
    card = read_card("ants.beholder.onnx")
    assert (card.name, card.geometry) == ("ants", Geometry("resize_crop", SIZE_HW, resize=18))
    status, out, _ = run("predict", "photo.png", "--model", "ants.beholder.onnx", "--json")
    assert status == 0
    assert json.loads(out)["model"] == "ants"


def test_import_says_what_it_assumed(run, folder):
    saved(classifier(), folder / "ants.onnx")
    saved(ready_made(), folder / "ready.onnx")
    _, _, err = run("import", "ants.onnx", "--labels", "labels.txt")
    assert err == "its pixels are multiplied by 1/255 only; pass --mean and --std if it was trained with others\n"
    assert run("import", "ants.onnx", "--labels", "labels.txt", "--mean=0", "--std=1", "--force")[2] == ""
    assert run("import", "ready.onnx", "--labels", "labels.txt")[2] == ""


def test_import_follows_every_option(run, folder):
    saved(classifier(size_hw=("h", "w"), batch=1), folder / "ants.onnx")
    words = "--out out/m.onnx --name my-ants --labels labels.txt --size 16x20 --method letterbox --resample bilinear"
    words += " --scale 1/127.5 --mean 1 --std 1,2,4 --bgr --layout nchw --multi-label --activation sigmoid"
    words += " --output logits --embedding none"
    assert run("import", "ants.onnx", *words.split())[0] == 0
    card = read_card(folder / "out" / "m.onnx")
    assert card.geometry == Geometry("letterbox", (16, 20), resample="bilinear", fill=(114, 114, 114))
    assert (card.name, card.multi_label, card.embedding) == ("my-ants", True, None)


def test_import_prints_one_object(run, folder):
    saved(classifier(), folder / "ants.onnx")
    status, out, _ = run("import", "ants.onnx", "--labels", "labels.txt", "--out", "m.onnx", "--json")
    (line,) = out.splitlines()
    assert status == 0
    assert json.loads(line) == {
        "path": "m.onnx",
        "file_digest": file_digest("m.onnx"),
        "graph_digest": graph_digest("m.onnx"),
        "card": read_card("m.onnx").to_dict(),
    }


def test_import_embeds(run, folder):
    saved(classifier(), folder / "ants.onnx")
    status, out, _ = run("import", "ants.onnx", "--task", "embed", "--method", "squash")
    assert status == 0
    assert out.startswith("ants: imported, embed, 4 values")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ants.onnx", "--labels: must name a text file"),
        ("none.onnx --labels labels.txt", "none.onnx: cannot be read: No such file or directory"),
        ("ants.onnx --labels none.txt", "none.txt: cannot be read"),
        ("ants.onnx --labels labels.txt --size 224", "the graph takes 12 x 16"),
        ("open.onnx --labels labels.txt", "--size: must be given, as open.onnx takes images of any size"),
        ("ants.onnx --labels labels.txt --size big", "--size: must be a number, or height x width"),
        ("ants.onnx --labels labels.txt --size 9999", "--size: must lie between 1 and 4096"),
        ("ants.onnx --labels labels.txt --resize 5", "--resize: must lie between 16 and 4096, found 5"),
        ("ants.onnx --labels labels.txt --method squash --resize 20", "--resize: is for --method resize_crop"),
        ("ants.onnx --labels labels.txt --mean 1,2", "--mean: must be a number, or three"),
        ("ants.onnx --labels labels.txt --std a,b,c", "--std: must be a number, or three"),
        ("ants.onnx --labels labels.txt --std 0", "std: must not be 0"),
        ("ants.onnx --labels labels.txt --scale 1/0", "--scale: must be a number or a fraction"),
        (
            "ants.onnx --labels labels.txt --out labels.txt",
            "labels.txt: exists already; choose another name or pass --force",
        ),
        ("ants.onnx --labels labels.txt --out ants.onnx --force", "is the file to import, which stays as it is"),
        ("ants.onnx --labels photo.png", "photo.png: must be UTF-8 text"),
        ("photo.png --labels labels.txt", "photo.png: is an image"),
    ],
)
def test_import_says_what_is_wrong(run, folder, words, message):
    saved(classifier(), folder / "ants.onnx")
    saved(classifier(size_hw=("h", "w")), folder / "open.onnx")
    before = sorted(path.name for path in folder.iterdir())
    status, out, err = run("import", *words.split())
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == before


def test_pull_says_what_it_made_and_what_to_do_next(run, birds):
    birds.card_data = {"license": "apache-2.0"}
    status, out, err = run("pull", NAME)
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first == f"{NAME}: pulled, classify, 4 labels, 2.9 kB, {pulled_path(NAME)}; license: apache-2.0"
    assert second == f"next: beholder predict photo.jpg --model {NAME}"
    assert run("predict", "photo.png", "--model", NAME)[0] == 0
    status, out, _ = run("pull", NAME)
    assert status == 0
    assert out.startswith(f"{NAME}: is here already, classify, 4 labels")
    birds.card_data = None
    assert "license: not stated" in run("pull", NAME, "--force")[1]


def test_pull_prints_one_object(run, birds):
    fetched = json.loads(run("pull", NAME, "--json")[1])
    again = json.loads(run("pull", NAME, "--json")[1])
    assert (fetched.pop("fetched"), again.pop("fetched")) == (True, False)
    assert fetched == again
    assert fetched["path"] == str(pulled_path(NAME))
    assert fetched["card"]["name"] == NAME


def test_pull_draws_on_a_terminal_only(run, birds, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, out, err = run("pull", NAME)
    assert f"{NAME}: 100% of 1.2 kB" in err
    assert err.endswith("\r\x1b[K")
    assert "\x1b" not in out


def test_pull_offline_is_one_line(run, birds, monkeypatch):
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    status, out, err = run("pull", NAME)
    assert (status, out) == (2, "")
    assert err == (
        f"beholder: {NAME} is not here, and may not be fetched as BEHOLDER_OFFLINE is set; "
        "unset it, or pull it elsewhere\n"
    )


def test_pull_of_what_is_not_there(run, birds):
    status, _, err = run("pull", "someone/nothing")
    assert status == 2
    assert "someone/nothing: not found on 127.0.0.1" in err
    assert run("pull", NAME, "--file", "x.onnx")[2].startswith(f"beholder: {NAME}: has no ONNX file 'x.onnx'")
    assert "has no revision 'v9'" in run("pull", NAME, "--revision", "v9")[2]
