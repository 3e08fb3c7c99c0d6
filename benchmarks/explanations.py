"""Does an explanation point at the object, and does the label live off what it points at?

Photographs with known boxes (COCO) are explained for the built-in model's label that names the same thing, where the
model gives it some probability. Then three things are measured:

- *points at it*: whether the hottest place lies in a box of the object (the pointing game: Zhang et al., "Top-down
  Neural Attention by Excitation Backprop", ECCV 2016);
- *heat on it*: how much of the heat lies in the boxes;
- *left*: how much of the label's probability is left while the hottest 5, 10, 20, 30 and 50% of the view are hidden, by
  blurring and by the mean color in turn; the mean of the ten (deletion: Petsiuk, Das and Saenko, BMVC 2018).

Compared are what `beholder explain` does, randomized masks (RISE, as there) with as many forward passes, class
activation maps (Zhou et al., CVPR 2016), which need the inside of the network, and the center of the picture, whatever
it shows.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
from numpy.typing import NDArray

import beholder
from beholder.evaluation.explaining import explain
from beholder.evaluation.explaining_windows import SCALES, Mask, View, Windows, answers
from beholder.image import Limits
from beholder.image.sources import single
from beholder.model import FileModel
from beholder.zoo import find
from figures import machine
from photographs import images_folder

Heat = NDArray[np.float32]

LABELS = {
    **{
        name: name for name in ("bottle", "bowl", "backpack", "banana", "umbrella", "vase", "refrigerator", "microwave")
    },
    **{name: name for name in ("broccoli", "zebra", "pizza", "toaster", "toilet", "clock", "hot dog", "wine glass")},
    **{name: name for name in ("dining table", "traffic light", "parking meter", "fire hydrant")},
    "airplane": "airliner|warplane",
    "apple": "granny smith",
    "bear": "bear",
    "bed": "four-poster|day bed",
    "bench": "park bench",
    "bicycle": "bicycle|mountain bike|tandem",
    "bird": "=animal/bird",
    "boat": "boat|ship|canoe|schooner|yawl",
    "bus": "bus|minibus|trolleybus",
    "car": "car|cab|minivan|limousine|convertible|jeep|station wagon|racer",
    "cat": "=animal/cat",
    "cell phone": "cellular telephone",
    "chair": "chair",
    "couch": "studio couch",
    "cow": "ox",
    "cup": "cup|mug|espresso",
    "dog": "=animal/dog",
    "elephant": "elephant|tusker",
    "horse": "sorrel",
    "keyboard": "keyboard",
    "laptop": "laptop|notebook",
    "motorcycle": "motor scooter|moped",
    "mouse": "computer mouse",
    "orange": "orange",
    "oven": "stove|rotisserie",
    "potted plant": "flowerpot|pot",
    "remote": "remote control",
    "sandwich": "cheeseburger",
    "sheep": "ram|bighorn",
    "sink": "washbasin",
    "skis": "ski",
    "sports ball": "soccer ball|basketball|tennis ball",
    "stop sign": "street sign",
    "suitcase": "suitcase",
    "teddy bear": "teddy",
    "tennis racket": "racket",
    "tie": "windsor tie",
    "train": "locomotive|bullet train|passenger car",
    "truck": "truck|trailer|pickup",
    "tv": "television|screen|monitor",
}
"""Categories of COCO, and words in the names of labels, or a group of them, that mean the same."""

_LEAST_PROBABILITY = 0.03
_SHARES_OF_VIEW = 0.01, 0.6
_HIDDEN_SHARES = 0.05, 0.1, 0.2, 0.3, 0.5
_RISE_CELLS = 7


@dataclass(frozen=True, slots=True)
class Case:
    """One image and one thing in it.

    Attributes:
        path: of the image.
        index: of the label that names the thing.
        view: what the model sees.
        inside: bool, of the view's size: the boxes.
        probability: of the label.
    """

    path: Path
    index: int
    view: View
    inside: NDArray[np.bool_]
    probability: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", help="folder of data sets; $BEHOLDER_TEST_IMAGES when left out")
    parser.add_argument("--count", type=int, default=10_000, help="how many cases at most")
    args = parser.parse_args()
    model = beholder.load(device="cpu", exact=True)
    cases = list(_cases(model, images_folder(args.images) / "coco_small"))[: args.count]
    passes = 1 + sum(_passes(case.view) for case in cases[:1])
    print(f"\n{len(cases)} objects on {len({case.path for case in cases})} photographs; {machine()}\n")
    print("| heat | points at it | heat on it | left | seconds an image |\n| --- | --- | --- | --- | --- |")
    for name, method in {
        f"windows, {passes} passes": _by_windows,
        f"randomized masks (RISE), {passes} passes": partial(_by_rise, count=passes),
        "class activation map, from inside": _by_activation(),
        "the center": _center,
    }.items():
        _measure(name, method, model, cases)
    return 0


def _measure(name: str, method: Callable[[FileModel, Case], Heat], model: FileModel, cases: list[Case]) -> None:
    points, shares, left, seconds = [], [], [], []
    for case in cases:
        started = time.perf_counter()
        heat = method(model, case)
        seconds.append(time.perf_counter() - started)
        large = _enlarged(heat, case.view)
        points.append(case.inside.flat[int(large.argmax())])
        warm = np.maximum(large, 0)
        shares.append(float(warm[case.inside].sum() / max(warm.sum(), 1e-9)))
        left.append(_left(model, case, large))
    figures = f"{np.mean(points):.1%} | {np.mean(shares):.1%} | {np.mean(left):.1%} | {np.median(seconds):.1f}"
    print(f"| {name} | {figures} |", flush=True)


def _by_windows(model: FileModel, case: Case) -> Heat:
    return explain(model, case.path, label=model.card.labels[case.index]).heat


def _by_rise(model: FileModel, case: Case, count: int) -> Heat:
    """Random halves hidden together, the log-odds as weights; hidden in the same way as by windows."""
    random = np.random.default_rng(0)
    height, width = case.view.size_hw
    cell = -(-max(height, width) // _RISE_CELLS)
    masks = []
    for _ in range(count):
        grid = PIL.Image.fromarray(random.integers(0, 2, (_RISE_CELLS + 1,) * 2).astype(np.float32))
        top, left = random.integers(0, cell, 2)
        large = np.asarray(grid.resize((cell * (_RISE_CELLS + 1),) * 2, PIL.Image.Resampling.BILINEAR))
        masks.append(large[top : top + height, left : left + width])
    said = answers(model, case.index, case.view, [partial(np.asarray, mask) for mask in masks]).log_odds
    hidden = np.stack(masks)
    return -np.tensordot(said - said.mean(), hidden - hidden.mean(axis=0), 1).astype(np.float32)


def _by_activation() -> Callable[[FileModel, Case], Heat]:
    """The last feature maps, weighted as the label's logit weights their means."""
    from beholder.model.runtime import OnnxRuntime

    graph = onnx.load(find("efficientnet-lite0"))
    pool = next(node for node in graph.graph.node if node.op_type in ("GlobalAveragePool", "ReduceMean"))
    dense = next(node for node in graph.graph.node if node.op_type in ("Gemm", "MatMul"))
    weights = next(onnx.numpy_helper.to_array(one) for one in graph.graph.initializer if one.name == dense.input[1])
    weights = weights if weights.shape[0] == 1000 else weights.T
    graph.graph.output.append(onnx.helper.make_tensor_value_info(pool.input[0], onnx.TensorProto.FLOAT, None))
    runtime = OnnxRuntime(graph.SerializeToString(), "cpu")

    def heat(_: FileModel, case: Case) -> Heat:
        maps = runtime.run(case.view.pixels[None], (pool.input[0],))[pool.input[0]][0]
        return np.tensordot(weights[case.index], maps, 1).astype(np.float32)

    return heat


def _center(_: FileModel, case: Case) -> Heat:
    y, x = (np.linspace(-1, 1, count) for count in case.view.cells_hw)
    return (2 - np.hypot(y[:, None], x[None])).astype(np.float32)


def _left(model: FileModel, case: Case, large: Heat) -> float:
    """The mean share of the probability that is left; see the module."""
    order = np.argsort(-large, axis=None, kind="stable")
    masks: list[Mask] = []
    for share in _HIDDEN_SHARES:
        mask = np.zeros(large.size, np.float32)
        mask[order[: round(share * large.size)]] = 1
        masks.append(partial(np.reshape, mask, large.shape))
    mean = np.rint(case.view.pixels.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    plain = replace(case.view, fill=np.broadcast_to(mean, case.view.pixels.shape))
    said = [answers(model, case.index, view, masks).probability for view in (case.view, plain)]
    return float(np.mean(said)) / case.probability


def _enlarged(heat: Heat, view: View) -> Heat:
    height, width = view.size_hw
    return np.asarray(PIL.Image.fromarray(heat).resize((width, height), PIL.Image.Resampling.BICUBIC))


def _passes(view: View) -> int:
    return sum(len(Windows.over(view.size_hw, scale).masks(view.size_hw)) for scale in SCALES)


def _cases(model: FileModel, folder: Path) -> Iterator[Case]:
    content = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    boxes: dict[tuple[int, str], list[list[float]]] = {}
    for found in content["annotations"]:
        boxes.setdefault((found["image_id"], names[found["category_id"]]), []).append(found["bbox"])
    for image in content["images"]:
        path = folder / image["file_name"]
        prepared = model.prepare(single(path, Limits()))
        view = View.of(prepared)
        said = model.runtime.run(prepared.pixels[None], ("probabilities",))["probabilities"][0]
        for name, meant in LABELS.items():
            labels = _labels(model, meant)
            if (image["id"], name) not in boxes or not labels:
                continue
            index = max(labels, key=lambda label: said[label])
            xywh = np.array(boxes[image["id"], name], np.float32)
            inside = _inside(prepared.placement.to_input(np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])), view)
            if said[index] >= _LEAST_PROBABILITY and _SHARES_OF_VIEW[0] < inside.mean() < _SHARES_OF_VIEW[1]:
                yield Case(path, index, view, inside, float(said[index]))


def _inside(boxes_xyxy: NDArray[np.float32], view: View) -> NDArray[np.bool_]:
    height, width = view.size_hw
    inside = np.zeros((height, width), bool)
    moved = boxes_xyxy - np.tile(view.box[:2], 2)
    for left, top, right, bottom in np.clip(np.rint(moved), 0, [width, height] * 2).astype(int):
        inside[top:bottom, left:right] = True
    return inside


def _labels(model: FileModel, meant: str) -> list[int]:
    card = model.card
    if meant.startswith("="):
        return [index for index, group in enumerate(card.label_groups or ()) if f"{group}/".startswith(f"{meant[1:]}/")]
    return [index for index, name in enumerate(card.labels) if re.search(rf"\b({meant})\b", name, re.IGNORECASE)]


if __name__ == "__main__":
    sys.exit(main())
