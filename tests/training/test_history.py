"""Run folders: read, listed, found, set side by side, drawn and removed."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from beholder.errors import OutputExists, UsageError
from beholder.training import Run, run_training
from beholder.training.history import (
    RunRecord,
    differences,
    find_folder,
    find_run,
    footing,
    list_runs,
    list_unfinished,
    other_differences,
    read_run,
    record,
    remove_folder,
    runs_html,
    write_runs_page,
)
from beholder.training.history.curves import held_out_chart, loss_chart, rate_chart
from beholder.training.history.differing import paired_test
from pictures import SHAPES, make_folder
from run_folders import curve, make_run

LENET = ("architecture=lenet5", "epochs=3")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory."""
    monkeypatch.setenv("BEHOLDER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def trained(textures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that was done."""
    return run_training(textures, tmp_path_factory.mktemp("models") / "textures.onnx")


@pytest.fixture
def pair(trained: Run, data: Path) -> tuple[Path, Path]:
    """The folder of that training, twice."""
    folders = tuple(data / "runs" / f"2026010{day}-101112-textures-000{day}" for day in (1, 2))
    for folder in folders:
        shutil.copytree(trained.folder, folder)
    return folders[0], folders[1]


def edit(path: Path, **values: object) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_run_is_read_as_it_was_done(trained: Run) -> None:
    found = read_run(trained.folder)
    assert found.metrics == trained.evaluation.metrics
    assert (found.name, found.method, found.made) == ("textures", "head", "head on efficientnet-lite0")
    assert (found.images, found.classes, found.dataset) == (36, 3, trained.evaluation.dataset)
    assert found.unusual() == {}
    assert found.recipe["test_share"] == 0.2
    assert abs((datetime.now(UTC) - found.when).total_seconds()) < 600
    assert found.took is not None and found.took > 0
    assert found.versions["beholder"]
    assert found.curve == ()
    assert found.evaluation() == trained.evaluation
    assert found.fitted_on() is not None and len(found.fitted_on() or ()) == 36
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_first_runs_had_fewer_files_and_facts(data: Path) -> None:
    folder = make_run(data, "20260101-101112-old-0001")
    facts = json.loads((folder / "run.json").read_text())
    for key in ("method", "versions", "images", "classes", "source"):
        del facts[key]
    (folder / "run.json").write_text(json.dumps({**facts, "penalty": 0.1}))
    (folder / "metrics.json").unlink()
    (folder / "log.txt").unlink()
    found = read_run(folder)
    assert (found.method, found.images, found.versions) == ("head", None, {})
    assert found.metrics["top1"].value == 0.8
    assert found.facts == {"penalty": 0.1}


def test_numbers_that_are_none_are_read_as_nothing(data: Path) -> None:
    rows = curve(3)
    rows[1]["loss"], rows[2]["loss"] = float("nan"), 1e300
    found = read_run(make_run(data, "20260101-101112-wild-0001", settings=LENET, rows=rows, waited_share=float("inf")))
    assert [row["loss"] for row in found.curve] == [1.0, None, None]
    assert found.facts["waited_share"] is None
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("run.json", None, "has no run.json"),
        ("run.json", b"{", "run.json: is damaged: it is not JSON"),
        ("run.json", b"[" * 100_000, "run.json: is damaged"),
        ("run.json", b'{"name": "a", "deep": ' + b"[" * 700 + b"]" * 700 + b"}", "it is nested more than 50 deep"),
        ("run.json", b'{"name": "a", "width": 1' + b"0" * 400 + b"}", "a number in it is not below 1e+30"),
        ("run.json", b'{"name": "a", "width": 1' + b"0" * 5000 + b"}", "a number in it is not below 1e+30"),
        ("run.json", b" " * 20_000_001, "run.json: is too large to be of a run"),
        ("run.json", b"\xff\xfe", "run.json: cannot be read: it is not text"),
        ("run.json", b"[]", "run.json: must be a JSON object"),
        ("run.json", b"{}", "must say a name"),
        ("run.json", b'{"name": 3}', "name must be a text"),
        ("run.json", b'{"name": "a", "images": "many"}', "images must be a whole number"),
        ("run.json", b'{"name": "a", "seconds": [1]}', "seconds must be an object"),
        ("recipe.toml", None, "has no recipe.toml"),
        ("recipe.toml", b"a = ", "recipe.toml: is damaged"),
        ("recipe.toml", b"x = 0x" + b"f" * 5000, "a number in it is not below 1e+30"),
        ("recipe.toml", b"x = 1" + b"0" * 5000, "a number in it is not below 1e+30"),
        ("recipe.toml", b"x = " + b"[" * 400 + b"]" * 400, "recipe.toml: is damaged: it is nested more than 50 deep"),
        ("metrics.json", b"[]", "must hold a JSON object of metrics"),
        ("metrics.json", b'{"top1": {"value": 2}}', "metrics.json: is damaged: top1"),
        ("curve.json", b"{}", "curve.json: must be a list of JSON objects"),
        ("curve.json", b"[1]", "curve.json: must be a list of JSON objects"),
    ],
)
def test_a_damaged_run_is_told_of_and_stops_no_other(data: Path, file: str, content: bytes | None, said: str) -> None:
    make_run(data, "20260101-101112-good-0001")
    folder = make_run(data, "20260102-101112-bad-0002")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        read_run(folder)
    history = list_runs()
    assert [run.name for run in history.runs] == ["good"]
    assert history.refused == (str(caught.value),)
    assert "\n" not in history.refused[0]


@pytest.mark.parametrize("file", ["run.json", "recipe.toml", "metrics.json", "curve.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_waited_for(data: Path, file: str, kind: str) -> None:
    make_run(data, "20260101-101112-good-0001")
    path = make_run(data, "20260102-101112-bad-0002") / file
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    history = list_runs()
    assert [run.name for run in history.runs] == ["good"]
    assert history.refused == (f"{path}: cannot be read: it is not a regular file",)


def test_a_picture_that_is_a_device_is_none(data: Path) -> None:
    folder = make_run(data, "20260101-101112-a-0001", settings=LENET, rows=curve(3))
    assert "What networks saw" in runs_html([read_run(folder)])
    (folder / "augmentations.jpg").unlink()
    (folder / "augmentations.jpg").symlink_to("/dev/zero")
    assert "What networks saw" not in runs_html([read_run(folder)])


@pytest.mark.parametrize("damage", [{"extra": 10**400}, {"count": 10**400}, {"notes": [[[]]]}])
def test_a_report_that_is_damaged_is_none(data: Path, damage: dict[str, object]) -> None:
    folder = make_run(data, "20260101-101112-a-0001")
    assert read_run(folder).evaluation() is not None
    edit(folder / "report.json", **damage)
    assert read_run(folder).evaluation() is None


def test_a_run_that_goes_while_it_is_read_stops_no_other(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(data, "20260101-101112-good-0001")
    make_run(data, "no-date-0002")
    monkeypatch.setattr(record, "_recipe", lambda path: [path.with_name("run.json").unlink(), {}][1])
    history = list_runs()
    assert [run.name for run in history.runs] == ["good"]
    assert history.refused == (f"{data / 'runs' / 'no-date-0002'}: cannot be read: No such file or directory",)


def test_an_entry_that_leads_nowhere_stops_nothing(data: Path) -> None:
    make_run(data, "20260101-101112-good-0001")
    (data / "unfinished").mkdir()
    for home in ("runs", "unfinished"):
        (data / home / "loop").symlink_to("loop")
    history = list_runs()
    assert [run.name for run in history.runs] == ["good"] and history.refused == ()
    assert list_unfinished() == ()


def test_a_linked_run_is_called_as_its_link(data: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "elsewhere", "20260101-101112-birds-0001")
    (data / "runs").mkdir(parents=True)
    (data / "runs" / "z").symlink_to(folder)
    (run,) = list_runs().runs
    assert (run.id, run.when) == ("z", datetime(2026, 1, 1, 10, 11, 12, tzinfo=UTC))
    assert find_run("z").id == find_run("birds").id == find_run(f"{data}/runs/z").id == "z"


def test_a_link_to_a_run_beside_it_is_not_another(data: Path) -> None:
    folder = make_run(data, "20260101-101112-birds-0001")
    (data / "runs" / "z").symlink_to(folder)
    assert [run.id for run in list_runs().runs] == [folder.name]
    assert find_folder("birds", sure=True) == folder


def test_newer_runs_that_are_damaged_are_not_passed_over_in_silence(data: Path) -> None:
    good = make_run(data, "20260102-101112-my-birds-0002", name="my birds")
    told: list[str] = []
    for id in ("20260101-101112-my-birds-0001", "20260103-101112-other-my-birds-0004"):
        (make_run(data, id, name="my birds") / "run.json").write_text("{")
    assert find_run("my birds", told.append).id == good.name
    assert told == []
    newest = make_run(data, "20260103-101112-my-birds-0003", name="my birds")
    (newest / "recipe.toml").unlink()
    assert find_run("my birds", told.append).id == good.name
    assert told == [
        f"my birds: its newest run, {newest.name}, is damaged, so that this is {good.name}; see: beholder runs"
    ]
    with pytest.raises(UsageError, match="3 runs are named so"):
        find_folder("my birds", sure=True)
    shutil.rmtree(good)
    with pytest.raises(UsageError, match=f"its run {newest.name} is damaged"):
        find_folder("my birds")


def test_the_newest_run_is_first_and_those_being_written_are_not_seen(data: Path) -> None:
    assert list_runs().runs == ()
    make_run(data, "20260102-101112-b-000b")
    make_run(data, "20260103-101112-a-000a")
    make_run(data, "20260101-101112-c-000c")
    (data / "runs" / ".half.part").mkdir()
    (data / "runs" / "note.txt").write_text("not a run")
    history = list_runs()
    assert [run.name for run in history.runs] == ["a", "b", "c"]
    assert history.refused == ()
    assert [history.short_id(run) for run in history.runs] == ["000a", "000b", "000c"]


def test_a_short_id_is_of_one_run_only(data: Path) -> None:
    for id in ("20260101-101112-a-00ff", "20260102-101112-b-00ff"):
        make_run(data, id)
    history = list_runs()
    assert [history.short_id(run) for run in history.runs] == ["20260102-101112-b-00ff", "20260101-101112-a-00ff"]
    with pytest.raises(UsageError, match="no run"):
        find_run("00ff")


def test_a_run_is_found_by_what_a_person_calls_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_run(data, "20260101-101112-birds-0001")
    new = make_run(data, "20260202-101112-birds-0002")
    other = make_run(data, "20260203-101112-cats-0003", name="cats & dogs")
    assert find_folder("birds") == new
    assert find_folder("0001") == find_folder("20260101") == find_folder(old.name) == old
    assert find_run("cats & dogs").id == other.name
    assert find_folder(f"{old}/report.json") == old
    monkeypatch.chdir(data.parent)
    Path("birds").mkdir()  # the images, more likely than not
    assert find_folder("birds") == new
    shutil.copytree(old, "kept")
    assert find_run("kept").id == "kept"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brids", "did you mean 'birds'"),
        ("2026", "2 runs may be meant"),
        ("", "list them with: beholder runs"),
        ("0002", "2 runs may be meant"),
    ],
)
def test_what_is_no_run_or_several(data: Path, text: str, said: str) -> None:
    make_run(data, "20260101-101112-birds-0001", name="0002")
    make_run(data, "20260202-101112-birds-0002")
    with pytest.raises(UsageError, match=said):
        find_folder(text)


def test_without_runs_it_is_said_how_to_make_one(data: Path) -> None:
    with pytest.raises(UsageError, match="make one with: beholder train DATA"):
        find_run("birds")


def test_a_name_of_several_runs_can_be_refused(data: Path) -> None:
    for day in (1, 2):
        make_run(data, f"2026010{day}-101112-birds-000{day}")
    with pytest.raises(UsageError, match="2 runs are named so"):
        find_folder("birds", sure=True)


def test_only_keys_that_differ_are_differences(data: Path) -> None:
    plain = read_run(make_run(data, "20260101-101112-a-0001", settings=LENET))
    other = read_run(make_run(data, "20260102-101112-b-0002", settings=(*LENET, "optimizer=sgd", "seed=3")))
    assert {one.key: one.values for one in differences([plain, other])} == {
        "optimizer": ("auto", "sgd"),
        "seed": (0, 3),
    }
    assert differences([plain, plain]) == ()


def test_a_key_that_a_recipe_lacks_counts_as_usual(data: Path) -> None:
    head = read_run(make_run(data, "20260101-101112-a-0001"))
    network = read_run(make_run(data, "20260102-101112-b-0002", settings=LENET))
    keys = {one.key: one.values for one in differences([head, network])}
    assert keys == {"method": ("head", "network"), "architecture": (None, "lenet5"), "epochs": (None, 3)}
    folder = make_run(data, "20260103-101112-c-0003")
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(re.sub("(?m)^seed.*$", "", text) + "from_another_version = 1\n")
    assert [one.key for one in differences([head, read_run(folder)])] == ["from_another_version"]


def test_what_differs_beside_the_recipe(data: Path) -> None:
    settings = (*LENET, "optimizer=sgd")
    first = make_run(data, "20260101-101112-a-0001", settings=LENET, optimizer="adamw", batch=8, images_per_second=3)
    second = make_run(data, "20260102-101112-b-0002", settings=settings, optimizer="sgd", batch=8, images=120)
    found = other_differences([read_run(first), read_run(second)])
    assert {one.key: one.values for one in found} == {"images": (100, 120), "optimizer (in effect)": ("adamw", "sgd")}


def test_runs_on_the_same_images_can_be_compared(pair: tuple[Path, Path], textures: Path) -> None:
    runs = [read_run(folder) for folder in pair]
    ground = footing(runs)
    assert (ground.kind, ground.comparable) == ("same images", True)
    assert ground.unseen == 0, "each image was fitted on, in turn"
    command = paired_test(*runs)
    assert command == f"beholder compare {runs[0].model} {runs[1].model} DATA"


def test_runs_on_other_data_cannot(pair: tuple[Path, Path]) -> None:
    edit(pair[1] / "run.json", dataset="sha256:" + "1" * 64)
    ground = footing([read_run(folder) for folder in pair])
    assert (ground.kind, ground.comparable) == ("other data", False)
    assert "different versions" in ground.reason


@pytest.mark.parametrize("change", [{"count": 30}, {"kind": "test"}])
def test_runs_on_other_images_of_the_same_data_cannot(pair: tuple[Path, Path], change: dict[str, object]) -> None:
    edit(pair[1] / "report.json", **change)
    assert footing([read_run(folder) for folder in pair]).kind == "other images"


def test_runs_that_held_out_parts_by_other_seeds_cannot(pair: tuple[Path, Path]) -> None:
    for folder in pair:
        edit(folder / "report.json", count=9, kind="held-out")
    assert footing([read_run(folder) for folder in pair]).comparable
    recipe = (pair[1] / "recipe.toml").read_text()
    (pair[1] / "recipe.toml").write_text(re.sub("(?m)^seed.*$", "seed = 5", recipe))
    assert footing([read_run(folder) for folder in pair]).kind == "other images"


def test_what_is_unseen_is_counted_by_images_not_by_files(tmp_path: Path, data: Path) -> None:
    folder = make_folder(tmp_path / "set", dict.fromkeys(SHAPES, 8), seed=6)
    shutil.copy(folder / "bars" / "0.png", folder / "bars" / "twin.png")
    run = read_run(run_training(folder, tmp_path / "one.onnx").folder)
    assert (run.images, len(run.fitted_on() or ())) == (25, 24)
    assert footing([run, run]).unseen == 0, "each was fitted on, the twins too"
    assert paired_test(run, run) == f"beholder compare {run.model} {run.model} DATA"


def test_what_is_unseen_is_what_compare_would_ask(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "set" / "train", dict.fromkeys(SHAPES, 8), seed=6)
    test = make_folder(tmp_path / "set" / "test", dict.fromkeys(SHAPES, 4), seed=7)
    shutil.copy(tmp_path / "set" / "train" / "bars" / "0.png", test / "bars" / "seen.png")
    run = read_run(run_training(tmp_path / "set", tmp_path / "one.onnx").folder)
    assert footing([run, run]).unseen == 12, "one of 13 was fitted on"
    marks = run.fitted_on()
    assert marks is not None
    monkeypatch.setattr(RunRecord, "fitted_on", lambda _: marks | {f"{number:016x}" for number in range(99)})
    assert footing([run, run]).unseen == 12, "what its weights saw before is not of these data"
    shutil.rmtree(data / "versions")
    assert footing([run, run]).unseen is None


def test_where_a_model_is_gone_nothing_is_claimed(pair: tuple[Path, Path]) -> None:
    (pair[1] / "textures.onnx").unlink()
    runs = [read_run(folder) for folder in pair]
    assert footing(runs).kind == "unknown"
    assert paired_test(*runs) is None


@pytest.mark.parametrize("name", ["../../elsewhere", "/elsewhere", "a" * 5000, "a\0b", "\ud800", "\u202e\n"])
def test_a_name_leads_nowhere_else(data: Path, tmp_path: Path, name: str) -> None:
    (data / "elsewhere.onnx").parent.mkdir()
    (data / "elsewhere.onnx").write_bytes(b"")
    run = read_run(make_run(data, "20260101-101112-a-0001", name=name))
    assert run.model is None
    assert footing([run, run]).kind == "unknown"
    write_runs_page([run, run], tmp_path / "runs.html")


def test_a_path_that_no_file_can_have(data: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        find_run("/" + "a" * 5000)


def test_a_folder_is_removed_and_nothing_beside_it(data: Path) -> None:
    first, second = (make_run(data, f"2026010{day}-101112-a-000{day}") for day in (1, 2))
    remove_folder(first)
    assert sorted((data / "runs").iterdir()) == [second]


def test_what_lies_elsewhere_is_not_removed(data: Path, tmp_path: Path) -> None:
    run = make_run(data, "20260101-101112-a-0001")
    kept = shutil.copytree(run, tmp_path / "kept")
    for folder in (kept, data, data / "runs", run / "..", data / "runs" / "none"):
        with pytest.raises(UsageError, match="remove it yourself"):
            remove_folder(folder)
    link = data / "runs" / "20260102-101112-link-0002"
    link.symlink_to(kept)
    remove_folder(link)
    assert kept.is_dir() and run.is_dir() and not link.exists()


@pytest.mark.parametrize("name", [".20260101-101112-a-0001.part", "none"])
def test_what_is_being_written_is_not_removed(data: Path, name: str) -> None:
    make_run(data, ".20260101-101112-a-0001.part", name="a")
    with pytest.raises(UsageError, match="remove it yourself"):
        remove_folder(data / "runs" / name)
    assert len(list((data / "runs").iterdir())) == 1


def test_an_unfinished_training_is_removed_when_it_rests(data: Path) -> None:
    folder = data / "unfinished" / "abc"
    folder.mkdir(parents=True)
    with pytest.raises(UsageError, match="may be running"):
        remove_folder(folder)
    os.utime(folder, (time.time() - 7200,) * 2)
    assert not list_unfinished()[0].may_be_running
    remove_folder(folder)
    assert not folder.exists()


def test_a_time_that_no_calendar_has_stops_nothing(data: Path) -> None:
    (data / "unfinished" / "abc").mkdir(parents=True)
    os.utime(data / "unfinished" / "abc", (1e12, 1e12))  # some file systems hold it, others their last day
    assert [one.may_be_running for one in list_unfinished()] == [True]


def test_an_unfinished_training_may_be_running(data: Path) -> None:
    assert list_unfinished() == ()
    for name in ("now", "before"):
        (data / "unfinished" / name / "final").mkdir(parents=True)
        (data / "unfinished" / name / "final" / "checkpoint.pt").write_bytes(b"123")
    old = time.time() - 7200
    for path in sorted((data / "unfinished" / "before").rglob("*"), reverse=True):
        os.utime(path, (old, old))
    os.utime(data / "unfinished" / "before", (old, old))
    found = list_unfinished()
    assert [(one.folder.name, one.byte_size, one.may_be_running) for one in found] == [
        ("now", 3, True),
        ("before", 3, False),
    ]


def drawings(page: str) -> list[ElementTree.Element]:
    """The plots of a page, which are whole XML."""
    return [ElementTree.fromstring(one) for one in re.findall(r'<svg class="plot".*?</svg>', page)]


def test_the_page_needs_nothing_else_and_runs_nothing(data: Path, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    facts = {"machine": hostile, "augment": [hostile], "source": hostile}
    runs = [
        read_run(make_run(data, "20260101-101112-a-0001", name=hostile, settings=LENET, rows=curve(5), **facts)),
        read_run(make_run(data, "20260102-101112-b-0002", settings=LENET, rows=curve(9))),
        read_run(make_run(data, "20260103-101112-b-0003")),
    ]
    page = write_runs_page(runs, tmp_path / "runs.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert page.count('<img src="data:image/jpeg;base64,') == 2
    assert "b (0002)" in page and "b (0003)" in page
    assert "fitted at once" in page
    assert len(drawings(page)) == 6, "loss, held out and rate, over steps and over time"
    with pytest.raises(OutputExists):
        write_runs_page(runs, tmp_path / "runs.html")


def test_the_page_says_whether_the_numbers_can_be_compared(pair: tuple[Path, Path]) -> None:
    runs = [read_run(folder) for folder in pair]
    assert "The numbers can be compared" in runs_html(runs)
    edit(pair[1] / "run.json", dataset="sha256:" + "1" * 64)
    page = runs_html([read_run(folder) for folder in pair])
    assert "The numbers cannot be compared as they stand" in page
    assert "The numbers can" not in runs_html(runs[:1])


def test_a_page_of_one_run_shows_what_was_chosen(data: Path) -> None:
    page = runs_html([read_run(make_run(data, "20260101-101112-a-0001", settings=LENET, rows=curve(2)))])
    assert "How it was trained" in page and "lenet5" in page and "What differs" not in page
    head = runs_html([read_run(make_run(data, "20260102-101112-b-0002"))])
    assert "there is no curve to show" in head and not drawings(head)


def test_curves_stay_in_their_frame(data: Path) -> None:
    rows = curve(1000)
    rows[3]["loss"] = float("nan")
    run = read_run(make_run(data, "20260101-101112-a-0001", settings=LENET, rows=rows))
    for chart in (loss_chart, held_out_chart, rate_chart):
        (plot,) = drawings(chart([run], "step"))
        for line in plot.iter("polyline"):
            points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
            assert 100 < len(points) <= 301
            assert all(40 <= x <= 360 and 0 <= y <= 230 for x, y in points)
            assert points[-1][0] == 352, "the last one is never left out"


def test_a_curve_that_goes_up_is_drawn_upwards(data: Path) -> None:
    run = read_run(make_run(data, "20260101-101112-a-0001", settings=LENET, rows=curve(4)))
    (plot,) = drawings(held_out_chart([run], "seconds"))
    (line,) = plot.iter("polyline")
    heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert heights == sorted(heights, reverse=True)
    titles = [title.text for title in plot.iter("title")]
    assert titles[0] == "a: held out, right 50.0% at 0.5 s"


def test_what_is_no_share_is_not_drawn_as_one(data: Path) -> None:
    several = read_run(make_run(data, "20260101-101112-a-0001", settings=LENET, rows=curve(3, held_out=-0.4)))
    assert held_out_chart([several], "step") == ""
    assert loss_chart([several], "step") != ""
    flat = read_run(make_run(data, "20260102-101112-b-0002", settings=LENET, rows=curve(1, loss=0.0, step=0)))
    assert drawings(loss_chart([flat], "step") + rate_chart([flat], "step"))
