"""The programs that `info --snippet` prints, run as they stand."""

import json
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from golden_geometry import PATH

import graphs
from beholder.errors import WrongTask
from beholder.model import Geometry, load_file
from beholder.model.snippet import snippet
from beholder.records import from_json

NODE = shutil.which("node")
GEOMETRIES = {
    "squash": Geometry("squash", (20, 30), resample="bilinear"),
    "drafted squash": Geometry("squash", (20, 60), draft=1.5),
    "crop": Geometry("resize_crop", (24, 32), resize=40, resample="lanczos"),
    "no margin": Geometry("resize_crop", (30, 30), resize=30),
    "drafted crop": Geometry("resize_crop", (24, 24), resize=25, draft=1.0),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """JPEGs, one of them turned; a gray PNG, one with transparency, one with a palette."""
    folder = tmp_path_factory.mktemp("photos")
    y, x = np.mgrid[:403, :517]
    colors = np.stack([x * 255 // 517, y * 255 // 403, (x * y) % 256], axis=2).astype(np.uint8)
    picture = PIL.Image.fromarray(colors)
    picture.save(folder / "plain.jpg")
    turned = PIL.Image.Exif()
    turned[274] = 6
    picture.save(folder / "turned.jpg", exif=turned)
    picture.convert("L").save(folder / "gray.png")
    picture.convert("P").save(folder / "palette.png")
    clear = picture.copy()
    clear.putalpha(PIL.Image.fromarray((x * 255 // 517).astype(np.uint8)))
    clear.save(folder / "clear.png")
    return sorted(folder.iterdir())


def model_file(folder, task="classify", geometry=graphs.SQUASH, name="colors.onnx"):
    path = folder / name
    path.write_bytes(graphs.model_bytes(task, geometry))
    return path


def run_python(program, photo, folder):
    script = folder / "program.py"
    script.write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "-W", "error", script, photo], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "beholder" not in program.replace('custom_metadata_map["beholder"]', "")
    return done.stdout


RUN_MANY = """
import sys, runpy
program, *photos = sys.argv[1:]
for photo in photos:
    sys.argv = [program, photo]
    print("photo", photo)
    runpy.run_path(program)
"""


@pytest.mark.parametrize("name", GEOMETRIES)
def test_python_gives_the_same_answer(name, photos, tmp_path):
    path = model_file(tmp_path, geometry=GEOMETRIES[name])
    model = load_file(path)
    (tmp_path / "program.py").write_text(snippet(path, model.card, "python"), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", RUN_MANY, tmp_path / "program.py", *photos]
    done = subprocess.run(command, capture_output=True, text=True)  # one start of the interpreter for all
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("photo ")[1:]
    for photo, answer in zip(photos, answers, strict=True):
        rows = [line.split("  ") for line in answer.splitlines()[1:]]
        expected = [(f"{label.confidence:.6f}", label.name) for label in model.predict(photo).labels]
        assert [tuple(row) for row in rows] == expected, photo


def test_python_gives_the_same_embedding(photos, tmp_path):
    path = model_file(tmp_path, "embed")
    printed = run_python(snippet(path, graphs.make_card("embed"), "python"), photos[0], tmp_path)
    assert np.array_equal(np.array(json.loads(printed), np.float32), load_file(path).embed(photos[0]).vector)


def test_names_of_files_stay_names(photos, tmp_path):
    """A file's name stands in the program, as text and in a comment."""
    path = model_file(tmp_path, name="b\"ird's\nimport nothing \u2028 \U0001f426.onnx")
    run_python(snippet(path, graphs.make_card("classify"), "python"), photos[0], tmp_path)
    for line in snippet(path, graphs.make_card("classify"), "js").splitlines():  # also at U+2028
        assert "import nothing" not in line or line.startswith("//")


def test_what_has_no_program():
    for task in ("detect", "segment", "caption"):
        with pytest.raises(WrongTask, match="not for"):
            snippet(PATH, graphs.make_card(task), "python")
    letterbox = graphs.make_card("classify", Geometry("letterbox", (8, 8), fill=(0, 0, 0)))
    with pytest.raises(WrongTask, match="letterbox"):
        snippet(PATH, letterbox, "js")
    with pytest.raises(WrongTask, match="nearest"):
        snippet(PATH, graphs.make_card("classify", Geometry("squash", (8, 8), resample="nearest")), "python")


RUN_JS = """
import { readFileSync } from "node:fs";
const jobs = JSON.parse(readFileSync(process.argv[2]));
const answers = [];
for (const { program, model, image, width, height } of jobs) {
  const { toInput, readCard } = await import(program);
  const card = readCard(new Uint8Array(readFileSync(model)));
  const rgb = Buffer.from(image, "hex"), rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  answers.push({ card, input: Buffer.from(toInput(card, rgba, width, height)).toString("hex") });
}
console.log(JSON.stringify(answers));
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_javascript_meets_the_golden_vectors(tmp_path):
    golden = json.loads(PATH.read_text(encoding="utf-8"))
    vectors = [
        vector
        for vector in golden["vectors"]
        if vector["geometry"]["method"] != "letterbox" and vector["geometry"]["resample"] != "nearest"
    ]
    jobs = []
    for index, vector in enumerate(vectors):
        geometry = from_json(Geometry, vector["geometry"])
        path = model_file(tmp_path, geometry=geometry, name=f"{index}.onnx")
        program = tmp_path / f"{index}.mjs"
        program.write_text(snippet(path, graphs.make_card("classify", geometry), "js"), encoding="utf-8")
        height, width = map(int, vector["image"].split("x"))
        image = golden["images"][vector["image"]]
        jobs.append({"program": str(program), "model": str(path), "image": image, "width": width, "height": height})
    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    (tmp_path / "run.mjs").write_text(RUN_JS, encoding="utf-8")
    done = subprocess.run([NODE, tmp_path / "run.mjs", tmp_path / "jobs.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for vector, answer in zip(vectors, json.loads(done.stdout), strict=True):
        assert answer["card"] == graphs.make_card("classify", from_json(Geometry, vector["geometry"])).to_dict()
        seen, wanted = (np.frombuffer(bytes.fromhex(text), np.uint8) for text in (answer["input"], vector["input"]))
        assert seen.shape == wanted.shape
        assert np.abs(seen.astype(int) - wanted).max() <= 1, vector["geometry"]
