"""A repository of a classifier of birds, as `optimum` exports one."""

from tiny_graphs import SIZE_HW, classifier

NAME = "someone/birds"
LABELS = {"0": "wren", "1": "robin", "2": "crane", "3": "crane"}
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "id2label": LABELS,
    "label2id": {label: int(index) for index, label in LABELS.items()},
    "model_type": "vit",
    "num_channels": 3,
}
PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "ViTFeatureExtractor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": SIZE_HW[0], "width": SIZE_HW[1]},
}
OPEN = {"channels": "num_channels", "size_hw": ("height", "width"), "batch": "batch_size"}


def graph(**options):
    return classifier(**{**OPEN, **options}).SerializeToString()


def files(**changes):
    found = {
        "onnx/model.onnx": graph(),
        "config.json": CONFIG,
        "preprocessor_config.json": PREPROCESSOR,
        "README.md": b"#",
    }
    return {path: data for path, data in {**found, **changes}.items() if data is not None}
