"""Hugging Face's `image-classification` pipeline with the same network. Arguments: FOLDER BATCH WORKERS.

The network is timm's EfficientNet-Lite0 in the wrapper that transformers has for it, with the reference weights and the
image processor that belongs to it: shorter side to 256, bicubic, and the middle 224.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator

import timm
from reference_network import TIMM_NAME, timm_state
from transformers import (
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    TimmWrapperImageProcessor,
    pipeline,
)
from turns import Answer, take_turns


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    batch, workers = map(int, sys.argv[2:4])
    described = timm.create_model(TIMM_NAME).pretrained_cfg
    names = {index: str(index) for index in range(described["num_classes"])}
    config = TimmWrapperConfig(architecture=TIMM_NAME, id2label=names)
    model = TimmWrapperForImageClassification(config).eval()
    model.load_state_dict(timm_state())
    processor = TimmWrapperImageProcessor(described)
    classify = pipeline("image-classification", model=model, image_processor=processor, device="cpu")
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    options = {"num_workers": workers} if workers else {}

    def work() -> Iterator[Answer]:
        for path, labels in zip(paths, classify(paths, batch_size=batch, **options), strict=True):
            yield os.path.basename(path), [int(label["label"]) for label in labels]

    return work


if __name__ == "__main__":
    take_turns(load)
