"""Files of other kinds that are given as model files."""

import os
import zipfile

import onnx
import PIL.Image
import pytest

import graphs
from beholder.errors import InvalidModel
from beholder.model import load_file, read_card


def jpeg(path):
    PIL.Image.new("RGB", (9, 9)).save(path, "JPEG")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"weights")


def bare(path):
    onnx.save(graphs.build_graph("classify", (32, 48)), path)


def huge(path):
    path.touch()
    os.truncate(path, 2**31)  # of nothing; it takes no room


OTHERS = {
    "cat.jpg": (jpeg, r"cat\.jpg: is an image \(JPEG\), not a model file; pass it as a source"),
    "cat.png": (lambda path: PIL.Image.new("L", (5, 5)).save(path), r"is an image \(PNG\), not a model file"),
    "cat.tif": (lambda path: PIL.Image.new("L", (5, 5)).save(path), r"is an image, not a model file"),
    "model.pt": (zipped, r"is a zip archive, perhaps a PyTorch checkpoint, not a model file"),
    "old.pth": (lambda path: path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9c"), "is a Python pickle, perhaps a PyTorch"),
    "m.tflite": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(30)), "is a TensorFlow Lite model"),
    "m.ort": (lambda path: path.write_bytes(b"\x1c\0\0\0ORTM" + bytes(30)), "in ONNX Runtime's own format"),
    "labels.txt": (lambda path: path.write_text("cat\ndog\n"), r"labels\.txt: is text, not a model file"),
    "lfs.onnx": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "empty.onnx": (lambda path: path.touch(), r"empty\.onnx: is empty$"),
    "folder.onnx": (lambda path: path.mkdir(), "is a folder where a model file is expected"),
    "pipe.onnx": (os.mkfifo, "is not a regular file"),
    "bare.onnx": (bare, r"has no model card; .* beholder import FILE"),
    "zeros.onnx": (lambda path: path.write_bytes(bytes(1000)), "damaged"),
    "huge.onnx": (huge, "must be under 2 GiB"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_model_file_is_called_by_its_name(name, tmp_path):
    make, reason = OTHERS[name]
    make(tmp_path / name)
    for look in (read_card, load_file):
        with pytest.raises(InvalidModel, match=reason) as caught:
            look(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path):
    for path in (tmp_path / "missing.onnx", "/dev/null", "a\0b"):
        for look in (read_card, load_file):
            with pytest.raises(InvalidModel):
                look(path)
