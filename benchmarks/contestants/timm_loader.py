"""The same network in timm, fed by timm's DataLoader. Arguments: FOLDER BATCH WORKERS LAYOUT (rows or channels)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator

import timm
import torch
from reference_network import TIMM_NAME, timm_state
from timm.data import create_dataset, create_loader, resolve_model_data_config
from turns import Answer, take_turns


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    batch, workers = map(int, sys.argv[2:4])
    channels_last = sys.argv[4] == "channels"
    network = timm.create_model(TIMM_NAME)
    network.load_state_dict(timm_state())
    network.eval()
    if channels_last:
        network.to(memory_format=torch.channels_last)
    config = resolve_model_data_config(network)
    dataset = create_dataset("", root=folder, class_map={"": 0})
    loader = create_loader(
        dataset,
        input_size=config["input_size"],
        batch_size=batch,
        use_prefetcher=False,
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        crop_pct=config["crop_pct"],
        num_workers=workers,
        pin_memory=False,
        device=torch.device("cpu"),
    )

    def work() -> Iterator[Answer]:
        index = 0
        with torch.inference_mode():
            for images, _ in loader:
                if channels_last:
                    images = images.contiguous(memory_format=torch.channels_last)
                best = network(images).softmax(dim=1).topk(5)
                for classes in best.indices.tolist():
                    yield dataset.filename(index, basename=True), classes
                    index += 1

    return work


if __name__ == "__main__":
    take_turns(load)
