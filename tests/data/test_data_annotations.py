"""Tables, COCO files and names: what is read of them, and the line of what is wrong with them."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import by_name, coco, image, said, table, tree

from beholder.data import NONE, UNKNOWN, Dataset, Sample, read, write
from beholder.errors import AmbiguousDataset, DatasetNotFound, InvalidAnnotations, NotADataset, UsageError

TWO = "path,label\na.png,cat\nb.png,dog\n"


def test_table(tmp_path):
    dataset = read(table(tmp_path, "path,label,split,camera\na.png,cat,train,3\nb.png,dog,Test,4\nc.png,,,\n"))
    assert said(dataset) == {"a.png": (("cat",), "train"), "b.png": (("dog",), "test"), "c.png": ((), None)}
    assert by_name(dataset, "a.png").metadata == {"camera": "3"}
    assert (dataset.format, dataset.multi_label, dataset.classes) == ("csv", False, ("cat", "dog"))
    assert dataset.notes == (
        "read as a table: paths in 'path', labels in 'label', splits in 'split', metadata in 'camera'",
        "1 image without a label",
    )


def test_table_in_a_folder_is_found(tmp_path):
    table(tmp_path, TWO.replace("a.png", "images/a.png").replace("b.png", "images/b.png"))
    dataset = read(tmp_path)
    assert dataset.format == "csv"
    assert dataset.classes == ("cat", "dog")
    assert "class folders images left aside" in dataset.notes


@pytest.mark.parametrize(
    "text",
    [
        "file\tlabel\na.png\tcat\nb.png\tdog\n",
        "filename;class\na.png;cat\nb.png;dog\n",
        "\ufeffImage,Category\na.png,cat\nb.png,dog\n",
        'path,label\n"a.png","cat"\n"b.png","dog"\n',
        "path, label\na.png, cat\nb.png, dog\n",
        "path,label\r\na.png,cat\r\n\r\nb.png,dog",
        "path,label\n./a.png,cat\nsub/../b.png,dog\n",
    ],
)
def test_dialects(tmp_path, text):
    (tmp_path / "sub").mkdir()
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    assert said(read(tmp_path / "labels.csv")) == {"a.png": (("cat",), None), "b.png": (("dog",), None)}


def test_table_of_another_encoding(tmp_path):
    table(tmp_path, TWO)
    (tmp_path / "wide.csv").write_text("path\tlabel\na.png\tcat\nb.png\tdög\n", encoding="utf-16")
    assert read(tmp_path / "wide.csv").classes == ("cat", "dög")
    (tmp_path / "old.csv").write_bytes("path,label\na.png,cat\nb.png,dög\n".encode("latin-1"))
    with pytest.raises(InvalidAnnotations, match=r"old\.csv, (about )?line \d: must be UTF-8"):
        read(tmp_path / "old.csv")


@pytest.mark.parametrize("separator", ["|", ";", " | "])
def test_several_labels_in_a_cell(tmp_path, separator):
    dataset = read(table(tmp_path, f"path,labels\na.png,dog{separator}cat\nb.png,dog\nc.png,_none\nd.png,\n"))
    assert dataset.multi_label
    assert said(dataset) == {
        "a.png": (("cat", "dog"), None),
        "b.png": (("dog",), None),
        "c.png": ((NONE,), None),
        "d.png": ((), None),
    }
    assert by_name(dataset, "c.png").negative
    assert len(dataset.labelled()) == 3


def test_column_for_each_class(tmp_path):
    dataset = read(table(tmp_path, "path,cat,dog,note\na.png,1,1,x\nb.png,0,1,y\nc.png,0,0,1\nd.png,,,\n"))
    assert said(dataset) == {
        "a.png": (("cat", "dog"), None),
        "b.png": (("dog",), None),
        "c.png": ((NONE,), None),
        "d.png": ((), None),
    }
    assert by_name(dataset, "a.png").metadata == {"note": "x"}
    single = read(table(tmp_path / "single", "path,cat,dog\na.png,1,0\nb.png,0,1\n"))
    assert not single.multi_label


def test_columns_of_labels_that_are_chosen(tmp_path):
    path = table(tmp_path, "path,fine,coarse\na.png,siamese,cat\nb.png,poodle,dog\n")
    assert read(path, label="coarse").classes == ("cat", "dog")
    assert read(path, label="fine").identity != read(path, label="coarse").identity
    both = read(path, label="fine,coarse")
    assert both.multi_label
    assert by_name(both, "a.png").labels == ("cat", "siamese")
    with pytest.raises(UsageError, match="has no column 'corse'; did you mean 'coarse'"):
        read(path, label="corse")
    with pytest.raises(InvalidAnnotations, match="must hold the labels, named label or class, found fine, coarse"):
        read(path)
    with pytest.raises(AmbiguousDataset, match="choose one with --label"):
        read(tree(tmp_path, "cat/1.png"))


def test_strangers_in_a_table(tmp_path):
    dataset = read(table(tmp_path, f"path,label\na.png,cat\nb.png,dog\nc.png,{UNKNOWN}\n"))
    assert dataset.classes == ("cat", "dog")
    assert [stranger.name for stranger in dataset.strangers] == ["c.png"]
    with pytest.raises(InvalidAnnotations, match=r"_unknown must stand alone.*d\.png"):
        read(table(tmp_path, f"path,label\na.png,cat\nd.png,dog|{UNKNOWN}\n"))


def test_missing_images_are_told_and_the_others_go_on(tmp_path):
    rows = "".join(f"no{number}.png,cat\n" for number in range(5))
    dataset = read(table(tmp_path, TWO + rows))
    assert len(dataset) == 2
    assert dataset.missing == tuple(f"no{number}.png" for number in range(5))
    assert "5 of 7 images in labels.csv missing: no0.png, no1.png, no2.png and 2 more" in dataset.notes
    with pytest.raises(InvalidAnnotations, match=r"none of the 5 images.*name their folder with --images"):
        read(table(tmp_path / "none", "path,label\n" + rows))


def test_images_in_another_folder(tmp_path):
    tree(tmp_path / "photos" / "deep", "a.png", "b.png")
    path = table(tmp_path / "annotations", "", "labels.csv")
    path.write_text("path,label\na.png,cat\nb.png,dog\n")
    with pytest.raises(InvalidAnnotations, match="none of the 2 images"):
        read(path)
    assert len(read(path, images=tmp_path / "photos" / "deep")) == 2
    path.write_text("path,label\ndeep/a.png,cat\ndeep/b.png,dog\n")
    dataset = read(path)  # beside the folder of annotations, as COCO's are
    assert f"images are in {tmp_path / 'photos'}" in dataset.notes
    with pytest.raises(UsageError, match="--images must name a folder"):
        read(path, images=tmp_path / "nowhere")


def test_paths_that_are_absolute_or_of_windows(tmp_path):
    image(tmp_path / "sub" / "a.png")
    other = image(tmp_path / "other" / "b.png")
    (tmp_path / "sub" / "labels.csv").write_text(f"path,label\n{other},dog\n..\\sub\\a.png,cat\n")
    assert said(read(tmp_path / "sub" / "labels.csv")) == {
        other.as_posix(): (("dog",), None),
        "a.png": (("cat",), None),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must begin with a header"),
        ("\n\n", "must begin with a header"),
        ("path,label\n", "must have a row for each image, found none"),
        ("label,other\nx,y\n", "a column must be named path or file, found label, other"),
        ("path,label,class\na.png,x,y\n", "one column must hold the labels, found 'label' and 'class'"),
        ("path,label,Label\na.png,x,y\n", "columns must have different names, found 'label' twice"),
        ("path,label\na.png,cat\nb.png\n", "line 3: must have 2 cells as the header has, found 1"),
        ("path,label\na.png,cat\nb.png,dog,x\n", "line 3: must have 2 cells as the header has, found 3"),
        ('path,label\na.png,cat\nb.png,"dog\n', "not a table: unexpected end of data"),
        ("path,label\na.png,cat\n,dog\n", "line 3: must name an image, found an empty cell"),
        ("path,label,split\na.png,cat,holdout\n", "line 2: a split must be train, validation or test, found 'holdout'"),
        (
            "path,label\na.png,cat\nb.png,dog\na.png,dog\n",
            "line 4: a.png is 'dog' here, but 'cat' on line 2; remove one",
        ),
        ("path,label,split\na.png,cat,train\na.png,cat,test\n", "line 3: a.png must be in one split"),
        ("path,cat,dog\na.png,1,\nb.png,0,1\n", "line 2: must have 0 or 1 for every class, found an empty cell"),
    ],
)
def test_table_that_is_wrong(tmp_path, text, problem):
    path = table(tmp_path, text)
    with pytest.raises(InvalidAnnotations, match=re.escape(problem)) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_rows_that_say_the_same_twice(tmp_path):
    dataset = read(table(tmp_path, TWO + "./a.png,cat\n"))
    assert len(dataset) == 2
    assert "1 row repeated and counted once" in dataset.notes


def test_stray_space_is_not_overlooked(tmp_path):
    assert read(table(tmp_path, "path,label\na.png, cat\nb.png,cat\n")).classes == ("cat",)
    path = table(tmp_path, "path,label\na.png,cat \nb.png,cat\nc.png,dog\n")
    with pytest.raises(Exception, match="'cat' \\(1 image\\), 'cat ' \\(1 image\\)"):
        read(path)


def test_two_formats_at_once(tmp_path):
    tree(tmp_path, "cat/1.png", "dog/2.png")
    table(tmp_path, "path,label\ncat/1.png,cat\ndog/2.png,dog\n")
    with pytest.raises(AmbiguousDataset) as caught:
        read(tmp_path)
    for part in ("class folders cat, dog and labels.csv", "--format csv", "--format folder", "labels.csv"):
        assert part in str(caught.value)
    assert read(tmp_path, format="csv").format == "csv"
    assert read(tmp_path, format="folder").format == "folder"
    assert read(tmp_path / "labels.csv").format == "csv"


def test_two_tables_at_once(tmp_path):
    table(tmp_path, TWO)
    table(tmp_path, TWO, "other.csv")
    with pytest.raises(AmbiguousDataset, match=r"name .*labels\.csv, or name .*other\.csv"):
        read(tmp_path, format="csv")


def test_other_tables_in_a_folder_do_not_matter(tmp_path):
    tree(tmp_path, "cat/1.png", "dog/2.png")
    table(tmp_path, "when,what\n2020,rain\n", "weather.csv")
    table(tmp_path, "file,label\nno.png,x\n", "of other images.csv")
    assert read(tmp_path).format == "folder"


IMAGES = [{"id": 7, "file_name": "a.png", "license_name": "CC BY"}, {"id": 8, "file_name": "b.png", "split": "val"}]
CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 4, "name": "dog"}, {"id": 9, "name": "never"}]


def test_coco(tmp_path):
    boxes = [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]}, {"image_id": 7, "category_id": 1}]
    dataset = read(coco(tmp_path, IMAGES, [*boxes, {"image_id": 8, "category_id": 4}], CATEGORIES))
    assert said(dataset) == {"a.png": (("cat",), None), "b.png": (("dog",), "validation")}
    assert (dataset.format, dataset.multi_label, dataset.classes) == ("coco", False, ("cat", "dog"))
    assert by_name(dataset, "a.png").metadata == {"license_name": "CC BY"}
    assert dataset.notes == (
        "read as COCO: 3 annotations taken as labels, one label per image",
        "boxes and masks passed over: only the labels of images were read",
        "1 of 3 categories on no image left out: never",
    )


def test_coco_with_several_labels(tmp_path):
    images = [*IMAGES, {"id": 9, "file_name": "c.png"}, {"id": 10, "file_name": "no.png"}]
    annotations = [
        {"image_id": 7, "category_id": 1},
        {"image_id": 7, "category_id": 4},
        {"image_id": 8, "category_id": 4},
    ]
    dataset = read(coco(tmp_path, images, annotations, CATEGORIES))
    assert dataset.multi_label
    assert by_name(dataset, "a.png").labels == ("cat", "dog")
    assert by_name(dataset, "c.png").negative
    assert dataset.missing == ("no.png",)


def test_coco_beside_its_images(tmp_path):
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    annotations = [{"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": 4}]
    path = coco(tmp_path / "train2017", images, annotations, CATEGORIES)
    (tmp_path / "annotations").mkdir()
    path.rename(tmp_path / "annotations" / "instances.json")
    dataset = read(tmp_path)
    assert dataset.format == "coco"
    assert dataset.root == tmp_path / "train2017"
    assert set(said(dataset)) == {"a.png", "b.png"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"images": [\n1,]}', "line 2, column 3: not JSON"),
        ("[]", "must be a JSON object with images, annotations and categories"),
        ('{"images": []}', "must have a list of categories as COCO files with labels do, found none"),
        ('{"images": 3, "annotations": [], "categories": []}', "must have a list of images"),
        ('{"images": [], "annotations": [], "categories": []}', "must list images, found none"),
        (
            '{"images": [{"id": "x", "file_name": "a.png"}], "annotations": [], "categories": []}',
            "images[0].id: must be",
        ),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "images[0].file_name: must be text"),
        (
            '{"images": [], "annotations": [{"image_id": 3, "category_id": 1}], "categories": []}',
            "annotations[0].image_id",
        ),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
            "1 twice",
        ),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}',
            "'a' twice",
        ),
    ],
)
def test_coco_that_is_wrong(tmp_path, content, problem):
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(InvalidAnnotations, match=re.escape(problem)) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_annotation_file_that_is_a_folder(tmp_path):
    for format in ("csv", "coco"):
        with pytest.raises(DatasetNotFound, match="found a folder; name the file in it"):
            read(tree(tmp_path, "cat/1.png"), format=format)


def test_names_by_a_pattern(tmp_path):
    tree(tmp_path, "train/cat_1_x.png", "test/dog_2_y.png", "odd.png", "a.txt")
    dataset = read(tmp_path, pattern=r"(?P<split>train|test)/(?P<label>[a-z]+)_(?P<number>\d)")
    assert said(dataset) == {
        "test/dog_2_y.png": (("dog",), "test"),
        "train/cat_1_x.png": (("cat",), "train"),
        "odd.png": ((), None),
    }
    assert by_name(dataset, "train/cat_1_x.png").metadata == {"number": "1"}
    assert "1 image whose names do not match left unlabelled: odd.png" in dataset.notes


def test_pattern_that_is_wrong(tmp_path):
    tree(tmp_path, "cat_1.png")
    with pytest.raises(UsageError, match="must be a regular expression: missing"):
        read(tmp_path, pattern="(?P<label>")
    with pytest.raises(UsageError, match=r"must have a group \(\?P<label>…\), found cat"):
        read(tmp_path, pattern="cat")
    with pytest.raises(InvalidAnnotations, match=r"names must match .*, found cat_1\.png"):
        read(tmp_path, pattern="(?P<label>dog)")
    with pytest.raises(InvalidAnnotations, match="must find train, validation or test, found 'cat'"):
        read(tmp_path, pattern="(?P<split>cat)(?P<label>_)")
    with pytest.raises(NotADataset, match="holds no images"):
        read(tree(tmp_path / "texts", "a.txt"), pattern="(?P<label>dog)")
    with pytest.raises(UsageError, match="needs --pattern"):
        read(tmp_path, format="pattern")


CLASS_NAMES = st.sampled_from(["cat", "dog", "T-shirt/top", "naïve fox", 'he said "no"', "comma, comma", "1"])
SPLITS = st.sampled_from(["train", "validation", "test", None])
METADATA = st.dictionaries(st.sampled_from(["camera", "label", "split", "Ünit"]), st.text("ab,\"\n|;'ü", max_size=5))


@st.composite
def datasets(draw: st.DrawFn, folder: Path, several: bool) -> Dataset:
    """Datasets of images in a folder, unlabelled ones, strangers and those of no class among them."""
    samples = []
    for number in range(draw(st.integers(1, 6))):
        path = folder / "images" / f"{number}.png"
        labels = draw(st.lists(CLASS_NAMES, max_size=3 if several else 1, unique=True))
        labels = labels or draw(st.sampled_from([[], [UNKNOWN], [NONE] if several else []]))
        metadata = draw(METADATA)
        samples.append(Sample(path, f"images/{path.name}", tuple(sorted(labels)), draw(SPLITS), metadata))
    return Dataset.of(samples, root=folder, source=folder, format="folder", multi_label=None)


def comparable(dataset: Dataset) -> dict[str, tuple]:
    metadata = {
        sample.name: {key: value for key, value in sample.metadata.items() if value} for sample in dataset.everything()
    }
    return {name: (*found, metadata[name]) for name, found in said(dataset).items()}


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("format", ["csv", "coco"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data())
def test_written_annotations_read_the_same(tmp_path, format, several, data):
    for number in range(6):
        if not (tmp_path / "images" / f"{number}.png").exists():
            image(tmp_path / "images" / f"{number}.png")
    dataset = data.draw(datasets(tmp_path, several))
    out = tmp_path / f"out.{'json' if format == 'coco' else 'csv'}"
    out.unlink(missing_ok=True)
    unlabelled = any(not sample.labelled for sample in dataset.samples)
    if format == "coco" and dataset.multi_label and unlabelled:
        with pytest.raises(UsageError, match="COCO means by an image without annotations"):
            write(dataset, out, format=format)
        return
    write(dataset, out, format=format)
    again = read(out, similar_labels="keep")
    renamed = {"label": "label_", "split": "split_"} if format == "csv" else {"split": "split_"}
    dataset = dataset.regathered(  # metadata that would be taken for something else gets another name
        Sample(s.path, s.name, s.said, s.split, {renamed.get(key, key): value for key, value in s.metadata.items()})
        for s in dataset.everything()
    )
    assert comparable(again) == comparable(dataset)
    assert again.classes == dataset.classes


def test_written_tables(tmp_path):
    dataset = read(table(tmp_path, "path,labels\na.png,cat|dog\nb.png,dog\n"))
    write(dataset, tmp_path / "out.tsv", format="csv")
    assert (tmp_path / "out.tsv").read_text() == "path\tlabels\na.png\tcat|dog\nb.png\tdog\n"
    bad = dataset.regathered([Sample(tmp_path / "a.png", "a.png", ("a|b",))])
    with pytest.raises(UsageError, match=r"'a\|b': would be read from a table as something else"):
        write(bad, tmp_path / "bad.csv", format="csv")
    with pytest.raises(Exception, match="exists already"):
        write(dataset, tmp_path / "out.tsv", format="csv")
    (tmp_path / "far").mkdir()
    write(dataset, tmp_path / "far" / "out.csv", format="csv")
    assert str(tmp_path / "a.png") in (tmp_path / "far" / "out.csv").read_text()
    assert said(read(tmp_path / "far" / "out.csv")).keys() == {str(tmp_path / "a.png"), str(tmp_path / "b.png")}


def test_coco_is_what_its_tools_read(tmp_path):
    tools = pytest.importorskip("pycocotools.coco")
    dataset = read(table(tmp_path, "path,labels\na.png,cat|dog\nb.png,dog\n"))
    write(dataset, tmp_path / "out.json", format="coco")
    content = json.loads((tmp_path / "out.json").read_text())
    api = tools.COCO()
    api.dataset = content
    api.createIndex()
    (dog,) = api.getCatIds(catNms=["dog"])
    assert sorted(entry["file_name"] for entry in api.loadImgs(api.getImgIds(catIds=[dog]))) == ["a.png", "b.png"]


REAL = {
    "coco_small/instances.json": ("coco", True, 129, 80, {}),
    "coco_small/multi_label.csv": ("csv", True, 129, 80, {}),
    "playing_cards": ("coco", True, 197, 6, {}),
    "grocery_packages/iconic.csv": ("csv", False, 31, 31, {"label": "fine"}),
    "car_logos/logos.csv": ("csv", False, 264, 264, {"label": "brand"}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sets(test_images, name):
    format, several, samples, classes, options = REAL[name]
    dataset = read(test_images / name, **options)
    assert (dataset.format, dataset.multi_label, len(dataset), len(dataset.classes)) == (
        format,
        several,
        samples,
        classes,
    )


def test_real_set_says_the_same_in_two_formats(test_images):
    folder = test_images / "coco_small"
    boxes, cells = read(folder / "instances.json"), read(folder / "multi_label.csv")
    assert {s.name: s.labels for s in boxes.samples} == {s.name: s.labels for s in cells.samples}
    with pytest.raises(AmbiguousDataset, match=r"multi_label\.csv and instances\.json"):
        read(folder)
