"""Corrections: logged for good, applied when read, undone one by one, whatever is killed or renamed meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import by_name, image, said, table, tree

from beholder.data import NONE, UNKNOWN, CorrectionLog, Dataset, apply, read
from beholder.data.corrections import by_audit, exclude, include, merge, move, relabel, rename
from beholder.errors import DataError, OutputFailed, RefusedCorrection


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tree(tmp_path / "photos", "cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png", "bird/5.png")


def raw(folder: Path) -> Dataset:
    return read(folder, corrections=False)


def test_nothing_is_kept_for_a_dataset_without_corrections(photos, own_folders):
    read(photos)
    assert list(own_folders.iterdir()) == []


def test_corrections_are_applied_when_read(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    log.add([relabel(by_name(dataset, "cat/1.png"), "dog"), exclude(by_name(dataset, "dog/3.png"))], by="ann")
    log.add([move(by_name(dataset, "dog/4.png"), "test"), rename("bird", "robin")])
    corrected = read(photos)
    assert said(corrected) == {
        "bird/5.png": (("robin",), None),
        "cat/1.png": (("dog",), None),
        "cat/2.png": (("cat",), None),
        "dog/4.png": (("dog",), "test"),
    }
    assert corrected.classes == ("cat", "dog", "robin")
    applied = "4 corrections applied: 1 relabelled, 1 excluded, 1 moved to another split, 1 renamed"
    assert corrected.notes[-1] == applied
    assert said(raw(photos)) == said(dataset)


def test_labels_that_an_audit_proposed_are_told(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    first, second, third = (by_name(dataset, name) for name in ("cat/1.png", "cat/2.png", "dog/3.png"))
    log.add([relabel(first, "dog"), relabel(second, "dog"), relabel(third, "cat"), exclude(third)], by=by_audit())
    assert read(photos).notes[-1] == (
        "2 labels are what an audit proposed, not what a person said: numbers measured on them count them as right"
    )
    log.add([relabel(by_name(read(photos), "cat/1.png"), "bird")], by="ann")  # a person has looked
    assert read(photos).notes[-1].startswith("1 label is what an audit proposed")
    log.undo(2)
    assert not any("audit" in note for note in read(photos).notes)


def test_entries_say_what_by_whom_and_when(photos):
    dataset = raw(photos)
    sample = by_name(dataset, "cat/1.png")
    log = CorrectionLog.of(dataset)
    (entry,) = log.add([relabel(sample, "dog")], by="ann")
    assert log.read().entries == (entry,)
    assert (entry.id, entry.by, entry.undoes) == (1, "ann", None)
    assert entry.when.endswith("Z") and len(entry.when) == 20
    assert (entry.change.before, entry.change.after, entry.change.name) == (("cat",), ("dog",), "cat/1.png")
    assert entry.inverse == entry.change.inverse
    assert (entry.inverse.before, entry.inverse.after) == (("dog",), ("cat",))
    assert entry.change.digest is not None and entry.change.digest.startswith("sha256:")
    head, line = log.path.read_text().splitlines()
    assert json.loads(head) == {"schema": 1, "corrections_of": str(photos)}
    assert json.loads(line)["inverse"]["after"] == ["cat"]
    (second,) = log.add([exclude(sample)])
    assert second.id == 2 and second.by


def test_strangers_and_images_of_no_class(tmp_path):
    path = table(tmp_path, "path,labels\na.png,cat|dog\nb.png,dog\nc.png,\nd.png,_unknown\n")
    dataset = raw(path)
    changes = [
        relabel(by_name(dataset, "a.png"), "dog"),
        relabel(by_name(dataset, "b.png"), NONE),
        relabel(by_name(dataset, "c.png"), UNKNOWN),
        relabel(by_name(dataset, "d.png"), "cat", "dog"),
    ]
    CorrectionLog.of(dataset).add(changes)
    assert said(read(path)) == {
        "a.png": (("dog",), None),
        "b.png": ((NONE,), None),
        "d.png": (("cat", "dog"), None),
        "c.png": ((UNKNOWN,), None),
    }


def test_merged_classes(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    log.add([merge(["cat", "dog"], "pet")])
    assert read(photos).counts() == {"bird": 1, "pet": 4}
    log.add([relabel(by_name(read(photos), "bird/5.png"), "pet")])
    assert read(photos).counts() == {"pet": 5}
    with pytest.raises(RefusedCorrection, match=r"correction 1: 2 builds on it \(relabel bird/5\.png: bird to pet\)"):
        log.undo(1)
    log.undo(2)
    log.undo(1)
    assert read(photos).counts() == dataset.counts()


def test_undo_one_by_one(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    sample = by_name(dataset, "cat/1.png")
    log.add([relabel(sample, "dog"), exclude(by_name(dataset, "dog/3.png")), move(sample, "test")])
    undone = log.undo(1, by="ann")
    assert (undone.id, undone.undoes, undone.change.after, undone.inverse.after) == (4, 1, ("cat",), ("dog",))
    assert said(read(photos))["cat/1.png"] == (("cat",), "test")
    assert "dog/3.png" not in said(read(photos))
    with pytest.raises(RefusedCorrection, match="correction 1: was undone already, by 4"):
        log.undo(1)
    log.undo(4)  # undoing it makes the first hold again
    assert said(read(photos))["cat/1.png"] == (("dog",), "test")
    log.undo(1)
    assert said(read(photos))["cat/1.png"] == (("cat",), "test")
    with pytest.raises(RefusedCorrection, match="correction 9: there is none of this number; the last is 6"):
        log.undo(9)
    assert len(log.read().entries) == 6


def test_undo_refuses_what_a_later_one_builds_on(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    sample = by_name(dataset, "cat/1.png")
    log.add([relabel(sample, "dog")])
    log.add([relabel(by_name(read(photos), "cat/1.png"), "bird")])
    with pytest.raises(RefusedCorrection, match=r"2 builds on it .*; undo 2 first"):
        log.undo(1)
    log.undo(2)
    log.undo(1)
    log.add([rename("cat", "Cat")])
    log.add([merge(["dog"], "Cat")])
    with pytest.raises(RefusedCorrection, match=r"correction 5: 6 builds on it \(merge class: dog to Cat\)"):
        log.undo(5)


def test_excluded_image_can_be_included_again(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    log.add([exclude(by_name(dataset, "cat/1.png"))])
    log.add([include(by_name(dataset, "cat/1.png"))])
    assert said(read(photos)) == said(dataset)


@pytest.mark.parametrize(
    "make",
    [
        lambda s: relabel(s, "cat"),
        lambda s: relabel(s, "dog", UNKNOWN),
        lambda s: relabel(s, " "),
        lambda s: move(s, None),
        lambda s: merge(["cat"], "cat"),
        lambda s: merge([], "cat"),
        lambda s: merge([UNKNOWN], "cat"),
        lambda s: rename("cat", "cat"),
        lambda s: rename("cat", NONE),
    ],
)
def test_correction_that_changes_nothing_or_cannot_be(photos, make):
    with pytest.raises(RefusedCorrection):
        make(by_name(raw(photos), "cat/1.png"))


def test_image_that_was_moved_is_found_by_its_content(photos):
    dataset = raw(photos)
    CorrectionLog.of(dataset).add([relabel(by_name(dataset, "cat/1.png"), "dog")])
    (photos / "cat" / "1.png").rename(photos / "cat" / "renamed.png")
    assert said(read(photos))["cat/renamed.png"] == (("dog",), None)


def test_image_that_was_replaced_is_another(photos):
    dataset = raw(photos)
    CorrectionLog.of(dataset).add([exclude(by_name(dataset, "cat/1.png"))])
    image(photos / "other.png").replace(photos / "cat" / "1.png")
    corrected = read(photos)
    assert "cat/1.png" in said(corrected)
    assert "1 correction no longer fit and were left out: 1 (cat/1.png is gone or has changed)" in corrected.notes


def test_correction_of_one_of_two_equal_images(photos):
    (photos / "dog" / "copy.png").write_bytes((photos / "cat" / "1.png").read_bytes())
    dataset = raw(photos)
    CorrectionLog.of(dataset).add([exclude(by_name(dataset, "dog/copy.png"))])
    assert "dog/copy.png" not in said(read(photos))
    assert "cat/1.png" in said(read(photos))


def test_correction_that_was_made_in_the_folder_too(photos):
    dataset = raw(photos)
    CorrectionLog.of(dataset).add([relabel(by_name(dataset, "cat/1.png"), "dog")])
    (photos / "cat" / "1.png").rename(photos / "dog" / "1.png")
    assert said(read(photos))["dog/1.png"] == (("dog",), None)
    (photos / "dog" / "1.png").rename(photos / "bird" / "1.png")
    assert "1 (bird/1.png is labelled bird now)" in read(photos).notes[-1]


def test_line_that_a_crash_cut_off(photos):
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    log.add([exclude(by_name(dataset, "cat/1.png"))])
    with open(log.path, "ab") as stream:
        stream.write(b'{"id":2,"change":{"what":"excl')
    assert [entry.id for entry in log.read().entries] == [1]
    assert "line 3: cut off or damaged, and passed over" in log.read().notes[0]
    assert log.read().notes[0] in read(photos).notes
    (entry,) = log.add([exclude(by_name(dataset, "cat/2.png"))])
    assert entry.id == 2
    assert [entry.id for entry in log.read().entries] == [1, 2]


def test_log_of_a_newer_version(photos):
    log = CorrectionLog.of(raw(photos))
    log.path.parent.mkdir(parents=True)
    log.path.write_text('{"schema":2}\n')
    with pytest.raises(DataError, match=r"newer version of Beholder \(schema 2\); upgrade"):
        read(photos)
    log.path.write_text('{"schema":1}\n{"id":1,"what":"paint"}\n')
    with pytest.raises(DataError, match="line 2: not a correction that this version knows"):
        read(photos)


def test_log_that_cannot_be_written(photos, own_folders):
    (own_folders / "data").write_text("a file where the folder should be")
    with pytest.raises(OutputFailed, match="cannot be written"):
        CorrectionLog.of(raw(photos)).add([rename("cat", "Cat")])


ADDS = """
import sys
from pathlib import Path
from beholder.data import CorrectionLog
from beholder.data.corrections import rename
log = CorrectionLog(Path(sys.argv[1]), "test")
for number in range(int(sys.argv[3])):
    (entry,) = log.add([rename(f"{sys.argv[2]}{number}", "x" * 200)])
    print(entry.id, flush=True)
"""


def adding(path: Path, name: str, count: int) -> subprocess.Popen:
    words = [sys.executable, "-c", ADDS, str(path), name, str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes_add_at_once(tmp_path):
    path = tmp_path / "log.jsonl"
    processes = [adding(path, name, 60) for name in "ab"]
    printed = [process.communicate(timeout=60)[0].split() for process in processes]
    content = CorrectionLog(path, "test").read()
    assert content.notes == ()
    assert [entry.id for entry in content.entries] == list(range(1, 121))
    assert sorted(int(number) for numbers in printed for number in numbers) == list(range(1, 121))
    for name in "ab":
        names = [entry.change.before[0] for entry in content.entries if entry.change.before[0][0] == name]
        assert names == [f"{name}{number}" for number in range(60)]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_killed_process_loses_nothing_that_it_was_told_is_kept(tmp_path):
    path = tmp_path / "log.jsonl"
    told = 0
    for _ in range(4):
        process = adding(path, "a", 100_000)
        lines = [process.stdout.readline() for _ in range(20)]
        time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.wait(timeout=30)
        process.stdout.close()
        told = int([line for line in lines if line.strip()][-1])
        kept = [entry.id for entry in CorrectionLog(path, "test").read().entries]
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) >= told


class Model:
    """The same rules, as simply as they can be said."""

    def __init__(self, dataset: Dataset) -> None:
        self.before = {sample.name: sample for sample in dataset.samples}

    def after(self, changes) -> dict[str, str | None]:
        labels = {name: sample.labels[0] for name, sample in self.before.items()}
        gone = set()
        for change in changes:
            if change.what == "relabel" and labels[change.name] in (change.before[0], change.after[0]):
                labels[change.name] = change.after[0]
            elif change.what == "exclude":
                gone.add(change.name)
            elif change.what in ("rename", "merge"):
                labels = {name: change.after[0] if label in change.before else label for name, label in labels.items()}
        return {name: label for name, label in labels.items() if name not in gone}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_any_order_of_corrections_and_undoing(photos, contents, own_folders, data):
    for log_file in (own_folders / "data").rglob("*.jsonl"):
        log_file.unlink()
    dataset = raw(photos)
    log = CorrectionLog.of(dataset)
    names = st.sampled_from(["cat", "dog", "bird", "x"])
    for _ in range(data.draw(st.integers(1, 8))):
        now = apply(dataset, log.read().effective(), contents)
        action = data.draw(st.sampled_from(["relabel", "exclude", "rename", "merge", "undo"]))
        try:
            if action == "undo":
                number = data.draw(st.integers(1, 8))
                log.undo(number)
            elif action in ("relabel", "exclude") and now.samples:
                sample = data.draw(st.sampled_from(now.samples))
                log.add([relabel(sample, data.draw(names)) if action == "relabel" else exclude(sample)])
            elif action == "rename":
                log.add([rename(data.draw(names), data.draw(names))])
            else:
                log.add([merge([data.draw(names), data.draw(names)], data.draw(names))])
        except RefusedCorrection:
            continue
        held = [entry.change for entry in log.read().effective()]
        then = apply(dataset, log.read().effective(), contents)
        assert {sample.name: sample.labels[0] for sample in then.samples} == Model(dataset).after(held)
        assert not any("is gone" in note for note in then.notes)
        if action != "undo":  # the inverse of the last one leads back, and its own inverse forth again
            last = log.read().entries[-1].id
            log.undo(last)
            assert said(apply(dataset, log.read().effective(), contents)) == said(now)
            log.undo(last + 1)
            assert said(apply(dataset, log.read().effective(), contents)) == said(then)
