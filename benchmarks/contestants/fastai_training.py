"""fastai's Learner on the same folder and the same network, in its usual way; see lesson.py."""

from __future__ import annotations

import warnings

import peer_network
import torch
from lesson import Clock, lesson

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastai.callback.channelslast import ChannelsLast
    from fastai.vision.all import (
        Callback,
        CategoryBlock,
        DataBlock,
        FlipItem,
        ImageBlock,
        IndexSplitter,
        LabelSmoothingCrossEntropy,
        Learner,
        Normalize,
        PILImage,
        PILImageBW,
        RandomResizedCrop,
        get_image_files,
        imagenet_stats,
        parent_label,
    )


class Steps(Callback):
    """Tells a clock of each step."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def after_batch(self) -> None:
        """A step of training, or a batch that was only looked at."""
        if self.training:
            self._clock.step()


def main() -> None:
    told = lesson()
    clock = Clock(told)
    torch.manual_seed(0)
    grey = told["channels"] == 1
    statistics = ([0.449], [0.226]) if grey else imagenet_stats
    block = DataBlock(
        blocks=(ImageBlock(PILImageBW if grey else PILImage), CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=IndexSplitter([0]),
        item_tfms=[RandomResizedCrop(told["size"], min_scale=told["crop"]), FlipItem()],
        batch_tfms=[Normalize.from_stats(*statistics)],
    )
    loaders = block.dataloaders(
        told["folder"], bs=told["batch"], num_workers=told["workers"], device=torch.device(told["device"])
    )
    network = peer_network.network(*(told[key] for key in ("architecture", "width", "size", "channels", "classes")))
    clock.check(network)
    learner = Learner(loaders, network, loss_func=LabelSmoothingCrossEntropy(), cbs=[ChannelsLast(), Steps(clock)])
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(100, 1e-3, wd=0.05)


if __name__ == "__main__":
    main()
