"""Frames of videos and cameras, with their numbers and times."""

import subprocess
import sys

import numpy as np
import pytest

from beholder.errors import ImageTooLarge, SourceNotFound, UnreadableImage, UnsupportedImage
from beholder.image import Limits, Reader, expand

FRAMES, RATE, SIZE_WH = 12, 4.0, (64, 48)


@pytest.fixture
def cv2():
    return pytest.importorskip("cv2", reason="needs OpenCV: pip install 'beholder[video]'")


@pytest.fixture
def clip(cv2, tmp_path):
    """Twelve frames of 250 ms, each a little redder than the one before."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, SIZE_WH)
    if not writer.isOpened():
        pytest.skip("this build of OpenCV writes no Motion JPEG")
    for index in range(FRAMES):
        bgr = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
        bgr[:, :, 2] = index * 20
        writer.write(bgr)
    writer.release()
    return path


def test_every_frame_has_its_number_time_and_colors(clip):
    found = list(expand(clip, Limits()))
    assert [each.frame for each in found] == list(range(FRAMES))
    assert [each.time_seconds for each in found] == pytest.approx([index / RATE for index in range(FRAMES)], abs=0.01)
    assert {each.name for each in found} == {str(clip)}
    assert not any(each.live for each in found)
    with Reader() as reader:
        for index, each in enumerate(found):
            image = reader.read(each.load(), each.name)
            assert image.size_hw == (SIZE_WH[1], SIZE_WH[0])
            assert np.abs(image.pixels[24, 32].astype(int) - (index * 20, 0, 0)).max() < 8
            assert (image.metadata.format, image.metadata.digest) == (None, None)


def test_one_frame_in_so_many(clip):
    found = list(expand([clip], Limits(), every=5))
    assert [each.frame for each in found] == [0, 5, 10]
    assert [each.time_seconds for each in found] == pytest.approx([0, 1.25, 2.5], abs=0.01)


def test_frames_are_limited_and_it_is_told(clip):
    *good, last = expand(clip, Limits(max_frames=4))
    assert [each.frame for each in good] == [0, 1, 2, 3]
    with pytest.raises(ImageTooLarge, match="more than the 4 frames allowed"):
        last.load()
    assert len(list(expand(clip, Limits(max_frames=FRAMES)))) == FRAMES


def test_size_of_frames_is_limited(clip):
    (bad,) = expand(clip, Limits(max_pixels=100))
    with pytest.raises(ImageTooLarge, match="64 x 48 pixels; at most 100"):
        bad.load()


def test_video_is_a_stream(clip):
    stream = expand(clip, Limits())
    assert next(stream).frame == 0
    stream.close()


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video(content, cv2, tmp_path):
    (tmp_path / "a.mp4").write_bytes(content)
    (bad,) = expand(tmp_path / "a.mp4", Limits())
    with pytest.raises(UnreadableImage, match="not a readable video"):
        bad.load()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_damaged_video_gives_frames_or_says_why_not(share, clip):
    data = clip.read_bytes()
    clip.write_bytes(data[: int(len(data) * share)])
    for each in expand(clip, Limits()):
        try:
            assert each.load().shape == (48, 64, 3)
        except UnreadableImage as error:
            assert "\n" not in str(error)


def test_camera_that_is_not_there(cv2):
    (bad,) = expand("camera:99", Limits())
    with pytest.raises(SourceNotFound, match="camera:99: no such camera"):
        bad.load()


def test_opencv_says_nothing_on_standard_error(cv2, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    program = "from beholder.image import Limits, expand; print(len(list(expand(['camera:99', 'a.mp4'], Limits()))))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize("source", ["camera:0", "clip.mp4"])
def test_missing_package_is_named_and_the_others_are_answered(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "cv2", None)
    first, bad, last = expand([b"1", source, b"2"], Limits())
    assert (first.load(), last.load()) == (b"1", b"2")
    with pytest.raises(UnsupportedImage, match=rf"{source}: videos and cameras need OpenCV; .*'beholder\[video\]'"):
        bad.load()


def test_camera_is_live(cv2, monkeypatch):
    class Camera:
        def __init__(self, number):
            self.left = 3

        def isOpened(self):
            return True

        def get(self, _):
            return 2

        def grab(self):
            self.left -= 1
            return self.left >= 0

        def retrieve(self):
            return self.left != 1, np.array([[[0, 0, 255]] * 2] * 2, np.uint8)

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    for each in expand("camera:0", Limits(), every=2):  # a frame can be drawn after it was answered, before the next
        assert each.load() is each.load()
    with pytest.raises(SourceNotFound, match="camera:0: the frame of a camera is not kept"):
        each.load()
    first, second, third = expand("camera:0", Limits())
    assert (first.live, first.frame, third.frame) == (True, 0, 2)
    assert 0 <= first.time_seconds <= third.time_seconds
    assert first.load()[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(UnreadableImage, match="frame 1 cannot be decoded"):
        second.load()


def test_frame_is_read_again_from_its_file(clip):
    found = list(expand(clip, Limits(), every=3))
    before = [each.load() for each in found]
    after = [each.load() for each in found]
    assert all(one is other for one, other in zip(before, after, strict=True))  # somebody holds them
    before = [pixels.copy() for pixels in before]
    del after
    assert all(np.array_equal(each.load(), pixels) for each, pixels in zip(found, before, strict=True))
    clip.unlink()
    with pytest.raises(SourceNotFound, match="no such file"):
        found[0].load()
    clip.write_bytes(b"no video at all" * 100)
    with pytest.raises(UnreadableImage, match="frame 3 cannot be read again"):
        found[1].load()


def test_frame_is_found_where_seeking_leads_to_another(clip, cv2, monkeypatch):
    found = list(expand(clip, Limits()))
    before = [each.load().copy() for each in found]

    class Lost:
        def __init__(self, path):
            self.capture = capture(path)

        def __getattr__(self, name):
            return getattr(self.capture, name)

        def set(self, *_):
            return self.capture.set(cv2.CAP_PROP_POS_FRAMES, 2)

    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Lost)
    assert all(np.array_equal(each.load(), pixels) for each, pixels in zip(found, before, strict=True))


@pytest.mark.parametrize("name", ["bottle-detection.mp4", "again.mkv"])
def test_real_video(name, cv2, test_images):
    known = {"bottle-detection.mp4": (1189, 29.8333, (360, 640)), "again.mkv": (77, 30.0, (480, 640))}
    frames, rate, size_hw = known[name]
    count = 0
    for each in expand(test_images / "videos" / name, Limits(), every=10):
        assert each.frame == 10 * count
        assert each.time_seconds == pytest.approx(each.frame / rate, abs=0.1)
        assert each.load().shape == (*size_hw, 3)
        count += 1
    assert count == -(-frames // 10)
