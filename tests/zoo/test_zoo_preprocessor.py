"""What image processors do, in terms of geometry and numbers."""

import pytest

from beholder.errors import HubError
from beholder.model import Geometry
from beholder.zoo.hub.preprocessor import read_preprocessing
from beholder.zoo.hub.untrusted import Document

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NUMBERS = {"image_mean": MEAN, "image_std": STD}


def read(**settings):
    return read_preprocessing(Document("birds: preprocessor_config.json", settings))


def processor(name, **settings):
    return read(image_processor_type=f"{name}ImageProcessor", **{**NUMBERS, **settings})


@pytest.mark.parametrize(
    ("settings", "geometry"),
    [
        # google/vit-base-patch16-224, and an older file of the same kind
        ({"name": "ViT", "resample": 2, "size": {"height": 224, "width": 224}}, ("squash", 224, None, "bilinear")),
        ({"name": "ViT", "size": 384, "resample": 3}, ("squash", 384, None, "bicubic")),
        ({"name": "ViT", "size": [192, 256]}, ("squash", (192, 256), None, "bilinear")),
        ({"name": "ViT", "size": 224, "do_center_crop": True, "crop_size": 112}, ("squash", 224, None, "bilinear")),
        # microsoft/resnet-50, facebook/convnext-base-384
        (
            {"name": "ConvNext", "crop_pct": 0.875, "resample": 3, "size": {"shortest_edge": 224}},
            ("resize_crop", 224, 256, "bicubic"),
        ),
        ({"name": "ConvNext", "crop_pct": 0.95, "size": 224}, ("resize_crop", 224, 235, "bicubic")),
        ({"name": "ConvNext", "crop_pct": None, "size": 224}, ("resize_crop", 224, 256, "bicubic")),
        ({"name": "ConvNext", "crop_pct": 0.95, "size": {"shortest_edge": 384}}, ("squash", 384, None, "bicubic")),
        # facebook/dinov2-base, google/mobilenet_v2_1.0_224, apple/mobilevit-small
        (
            {"name": "Bit", "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
            ("resize_crop", 224, 256, "bicubic"),
        ),
        (
            {"name": "MobileNetV2", "size": {"shortest_edge": 256}, "crop_size": 224, "resample": 2},
            ("resize_crop", 224, 256, "bilinear"),
        ),
        (
            {"name": "MobileViT", "size": {"shortest_edge": 288}, "crop_size": 256},
            ("resize_crop", 256, 288, "bilinear"),
        ),
        # microsoft/beit-base-patch16-224
        ({"name": "Beit", "size": 224, "do_center_crop": False, "crop_size": 224}, ("squash", 224, None, "bicubic")),
        ({"name": "DeiT", "size": 224, "crop_size": 224}, ("squash", 224, None, "bicubic")),
        ({"name": "Levit", "size": {"shortest_edge": 224}, "crop_size": 224}, ("resize_crop", 224, 256, "bicubic")),
        (
            {"name": "PoolFormer", "crop_pct": 0.9, "size": {"shortest_edge": 224}, "crop_size": 224},
            ("resize_crop", 224, 248, "bicubic"),
        ),
        (
            {"name": "PoolFormer", "crop_pct": 0.9, "size": {"height": 224, "width": 224}, "crop_size": 224},
            ("resize_crop", 224, 248, "bicubic"),
        ),
        (
            {"name": "EfficientNet", "size": {"height": 8, "width": 8}, "resample": 0},
            ("squash", 8, None, "nearest"),
        ),
    ],
)
def test_geometry(settings, geometry):
    method, size, resize, resample = geometry
    size_hw = size if isinstance(size, tuple) else (size, size)
    found = processor(settings.pop("name"), **settings)
    assert found.geometry == Geometry(method, size_hw, resize=resize, resample=resample)
    assert found.notes == ()


@pytest.mark.parametrize("number", range(6))
def test_filters_have_the_numbers_of_pillow(number):
    import PIL.Image

    name = PIL.Image.Resampling(number).name.lower()
    assert processor("ViT", size=8, resample=number).geometry.resample == name


def test_a_squash_before_a_crop_keeps_its_proportions_and_says_so():
    found = processor("DeiT", size={"height": 256, "width": 256}, crop_size={"height": 224, "width": 224})
    assert found.geometry == Geometry("resize_crop", (224, 224), resize=256)
    assert "squashes images to 256 x 256" in found.notes[0]


def test_numbers():
    found = processor("ViT", size=8).conventions
    assert (found.scale, found.mean, found.std) == (pytest.approx(1 / 255), tuple(MEAN), tuple(STD))
    assert (found.order, found.layout) == ("rgb", "nchw")
    found = processor("ViT", size=8, rescale_factor=0.5, image_mean=0.5, image_std=[1, 2, 3]).conventions
    assert (found.scale, found.mean, found.std) == (0.5, (0.5, 0.5, 0.5), (1.0, 2.0, 3.0))
    assert processor("ViT", size=8, do_rescale=False).conventions.scale == 1.0
    assert processor("ViT", size=8, do_normalize=False).conventions.std == (1.0, 1.0, 1.0)


def test_mobilevit_puts_blue_first_and_does_not_normalize():
    found = processor("MobileViT", size={"shortest_edge": 288}, crop_size=256).conventions
    assert (found.order, found.mean, found.std) == ("bgr", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    found = processor("MobileViT", size={"shortest_edge": 288}, crop_size=256, do_flip_channel_order=False).conventions
    assert found.order == "rgb"


def test_efficientnet_divides_by_std_twice():
    found = processor("EfficientNet", size=8, image_std=[0.5, 0.4, 0.3])
    assert found.conventions.std == pytest.approx((0.25, 0.16, 0.09))
    assert found.conventions.mean == tuple(MEAN)
    assert processor("EfficientNet", size=8, include_top=False).conventions.std == tuple(STD)
    shifted = processor("EfficientNet", size=8, rescale_offset=True, rescale_factor=1 / 127.5, include_top=False)
    assert shifted.conventions.mean == pytest.approx([value + 1 for value in MEAN])


def test_names_of_processors_have_had_many_endings():
    for name in ("ViTFeatureExtractor", "ViTImageProcessor", "ViTImageProcessorFast", "ViTImageProcessorPil"):
        assert read(image_processor_type=name, size=8, **NUMBERS).geometry.size_hw == (8, 8)
    assert read(feature_extractor_type="ViTFeatureExtractor", size=8, **NUMBERS).geometry.size_hw == (8, 8)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "feature_extractor_type must be a string of plain text, found nothing"),
        ({"image_processor_type": "Perceiver"}, "image_processor_type must be one of Beit, .* found 'Perceiver'"),
        ({"image_processor_type": ["ViT"]}, "must be a string"),
        ({"do_resize": False}, "must resize its images"),
        ({"do_pad": True}, "asks for do_pad"),
        ({"do_resize": "yes"}, 'do_resize must be true or false, found "yes"'),
        ({"size": None}, "size must be an integer from 1 to 4096, found null"),
        ({"size": 0}, "size must be an integer from 1"),
        ({"size": 10**9}, "size must be an integer from 1 to 4096"),
        ({"size": "224"}, "size must be an integer"),
        ({"size": True}, "size must be an integer"),
        ({"size": {"height": 224}}, "must have height and width, found height"),
        ({"size": {"height": 224, "width": -1}}, "width must be an integer from 1"),
        ({"size": {"height": 224, "width": [1]}}, "width must be an integer"),
        ({"size": {"shortest_edge": 224}}, "must make every image the same size"),
        ({"size": {"longest_edge": 224}}, "must have height and width"),
        ({"resample": 9}, "resample must be an integer from 0 to 5"),
        ({"image_mean": [1, 2]}, "image_mean must be a number, or three"),
        ({"image_mean": None}, "image_mean must be a number, or three"),
        ({"image_std": [1, 0, 1]}, "std: must not be 0"),
        ({"image_std": "x"}, "image_std must be a number, or three"),
        ({"image_std": [1, float("nan"), 1]}, "image_std must be a number, or three"),
        ({"rescale_factor": 1e300}, "rescale_factor must be a number"),
        ({"rescale_factor": 0}, "scale: must be a number other than 0"),
        ({"rescale_offset": True}, "rescale_offset must go with a rescale_factor of 1/127.5"),
    ],
)
def test_settings_that_are_wrong_are_refused(settings, words):
    whole = {"image_processor_type": "ViTImageProcessor", "size": 224, **NUMBERS} if settings else {}
    with pytest.raises(HubError, match=words):
        read(**{**whole, **settings})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"crop_size": 300, "size": {"shortest_edge": 224}}, "cannot be followed: resize: must lie between 300"),
        ({"size": {"shortest_edge": 224}, "do_center_crop": False}, "must make every image the same size"),
        ({"size": {"height": 256, "width": 300}, "crop_size": 224}, "must make every image the same size"),
        ({"size": 256}, "crop_size must be an integer"),
    ],
)
def test_crops_that_cannot_be_are_refused(settings, words):
    with pytest.raises(HubError, match=words):
        processor("Bit", **settings)


@pytest.mark.parametrize("share", [0, 1.5, -1, 1e-9])
def test_a_crop_share_must_be_one(share):
    with pytest.raises(HubError, match="crop_pct must be a share from"):
        processor("ConvNext", size=224, crop_pct=share)


@pytest.mark.parametrize("text", ["", "[1]", '"x"', "{", "[" * 100_000, "\xff", '{"a": 1'])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(HubError, match=r"birds: must be (JSON|a JSON object)"):
        Document.parse("birds", text.encode("latin-1"))
