"""The same network with the same weights, trained end to end in torch for so many seconds.

Arguments: LISTS.json SECONDS SEED THREADS. The lists: `train` and `test`, each of pairs of a path and a class number.
Prints one JSON object: how many test images are answered rightly, steps, epochs and seconds.

The recipe: batches of 32, random resized crops and flips, label smoothing 0.1; the last layer alone for the first tenth
of the time, then everything by AdamW, whose rate rises for another tenth and falls by a cosine to the end.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from reference_network import TIMM_NAME, timm_state
from timm.data import create_transform, resolve_model_data_config
from torch import nn
from torch.utils.data import DataLoader, Dataset

BATCH = 32
RATE, LAST_RATE = 1e-3, 1e-2
WEIGHT_DECAY = 0.02
ALONE, RISING = 0.1, 0.1
WORKERS = 1


class Images(Dataset[tuple[torch.Tensor, int]]):
    """Images by their paths."""

    def __init__(self, pairs: list[tuple[str, int]], transform: Any) -> None:
        self.pairs, self.transform = pairs, transform

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.pairs[index]
        with Image.open(path) as image:
            return self.transform(image.convert("RGB")), label


def main() -> None:
    lists = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    seconds, seed, threads = float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    classes = 1 + max(label for _, label in lists["train"])
    network = timm.create_model(TIMM_NAME)
    network.load_state_dict(timm_state())
    config = resolve_model_data_config(network)
    network.reset_classifier(classes)
    network.to(memory_format=torch.channels_last)
    crops = create_transform(
        **{key: config[key] for key in ("input_size", "interpolation", "mean", "std")},
        is_training=True,
        scale=(0.4, 1.0),
        color_jitter=0.2,
    )
    train = DataLoader(
        Images(lists["train"], crops),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    steps, taken = _train(network, train, seconds)
    whole = create_transform(**{key: config[key] for key in ("input_size", "interpolation", "mean", "std", "crop_pct")})
    right = _right(network, DataLoader(Images(lists["test"], whole), BATCH, num_workers=WORKERS))
    epochs = steps * BATCH / len(lists["train"])
    print(json.dumps({"right": right, "steps": steps, "epochs": round(epochs, 2), "seconds": round(taken, 1)}))


def _train(network: nn.Module, train: DataLoader[Any], seconds: float) -> tuple[int, float]:
    last = list(network.get_classifier().parameters())
    others = [parameter for parameter in network.parameters() if not any(parameter is one for one in last)]
    optimizer = torch.optim.AdamW(
        [{"params": last, "lr": LAST_RATE}, {"params": others, "lr": 0.0}], weight_decay=WEIGHT_DECAY
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    started, steps = time.perf_counter(), 0
    for images, labels in _forever(train):
        part = (time.perf_counter() - started) / seconds
        if part >= 1:
            break
        alone = part < ALONE
        network.train(not alone)  # the statistics of its normalization stay while only the last layer learns
        for parameter in others:
            parameter.requires_grad_(not alone)
        optimizer.param_groups[0]["lr"] = LAST_RATE if alone else RATE * _rate(part)
        optimizer.param_groups[1]["lr"] = 0.0 if alone else RATE * _rate(part)
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(network(images.to(memory_format=torch.channels_last)), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        steps += 1
    return steps, time.perf_counter() - started


def _rate(part: float) -> float:
    """The share of the greatest rate, after the last layer has learned alone."""
    if part < ALONE + RISING:
        return max(0.01, (part - ALONE) / RISING)
    return 0.5 * (1 + math.cos(math.pi * (part - ALONE - RISING) / (1 - ALONE - RISING)))


def _forever(train: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from train


def _right(network: nn.Module, test: DataLoader[Any]) -> int:
    network.eval()
    right = 0
    with torch.inference_mode():
        for images, labels in test:
            said = network(images.to(memory_format=torch.channels_last)).argmax(dim=1)
            right += int((said == labels).sum())
    return right


if __name__ == "__main__":
    main()
