"""A folder of photographs to five labels each: Beholder, its peers and its bound, interleaved.

Beholder is compared with what runs the same network on the same files: Hugging Face's pipeline and timm with its
DataLoader run EfficientNet-Lite0, Ultralytics a network of its own that Beholder imports. The bound is ONNX Runtime
alone, on tensors that lie ready.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from figures import Figure, Spread, arguments, at_least, at_most, parse, report
from photographs import WorkingSet, digest, images_folder, large_set, small_set, work_folder
from race import Contestant, Race, disturbance, race, run_script

BEHOLDER = "Beholder"
BEHOLDER_YOLO = "Beholder, Ultralytics' network"
COMMAND = "`beholder predict --json`, start included"


class Bound(NamedTuple):
    """What is asked of Beholder beside a peer.

    Attributes:
        name: of Beholder's contestant.
        group: of the peer's contestants, the first of which is the peer as it comes.
        ratio: how many times as fast Beholder must be.
        memory: the share of the peer's peak memory that Beholder may need; None where it is not compared.
    """

    name: str
    group: str
    ratio: float
    memory: float | None


_SMALL_BOUNDS = (
    Bound(BEHOLDER, "Hugging Face pipeline", 5.0, 0.2),
    Bound(BEHOLDER, "timm with its DataLoader", 6.0, 0.2),
    Bound(BEHOLDER_YOLO, "Ultralytics predict", 3.8, 0.2),
    Bound(BEHOLDER, "ONNX Runtime alone", 0.75, None),
)
_LARGE_BOUNDS = (Bound(BEHOLDER, "Hugging Face pipeline", 8.0, 0.2),)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--set", choices=("small", "large", "both"), default="both", dest="sets")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--attempts", type=int, default=4, help="how often a disturbed turn is taken, at most")
    parser.add_argument("--small", type=int, default=300, help="how many photographs of 500 x 375")
    parser.add_argument("--large", type=int, default=40, help="how many photographs of 12 megapixels")
    args = parse(parser)
    images, work = images_folder(args.images), work_folder(args.work)
    figures, notes = [], []
    if args.sets != "large":
        small = small_set(images, work, args.small)
        notes.append(f"small: {small.description}, sha256 {digest(small)}")
        raced = race(_small_contestants(args, small, work), args.rounds, args.attempts)
        notes.append(f"small: {disturbance(raced.others)}")
        figures += _figures(raced, "500 x 375", _SMALL_BOUNDS)
    if args.sets != "small":
        large = large_set(images, work, args.large)
        notes.append(f"large: {large.description}, sha256 {digest(large)}")
        raced = race(_large_contestants(args, large), args.rounds, args.attempts)
        notes.append(f"large: {disturbance(raced.others)}")
        figures += _figures(raced, "12 megapixels", _LARGE_BOUNDS)
    notes.append(f"medians of {args.rounds} rounds (least–greatest); a ratio is taken within each round")
    notes.append(
        "a peer is compared as it comes (the first setting listed) and at its fastest; MB: without its workers"
    )
    return report(args, "Folder of photographs to five labels each", notes, figures)


def _small_contestants(args: argparse.Namespace, small: WorkingSet, work: Path) -> list[Contestant]:
    beholder, peers, folder = args.beholder_python, args.peers_python, str(small.folder)
    yolo = str(_ultralytics_network(args, work))
    contestants = [
        Contestant(BEHOLDER, "Beholder", (beholder, "beholder_predict.py", folder)),
        Contestant(COMMAND, "command", (beholder, "beholder_command.py", folder)),
        Contestant(BEHOLDER_YOLO, "Beholder", (beholder, "beholder_predict.py", folder, yolo)),
    ]
    for calls, threads, batch in ((1, 2, 1), (1, 2, 8), (2, 1, 1), (2, 1, 4)):
        name = f"ONNX Runtime alone, {calls} at a time, {threads} threads each, batch {batch}"
        command = (beholder, "bare_engine.py", folder, str(calls), str(threads), str(batch))
        contestants.append(Contestant(name, "ONNX Runtime alone", command))
    contestants += _huggingface(peers, folder)
    for batch, layout in ((256, "rows"), (8, "rows"), (8, "channels")):
        name = f"timm, batch {batch}, 2 workers{', channels last' if layout == 'channels' else ''}"
        command = (peers, "timm_loader.py", folder, str(batch), "2", layout)
        contestants.append(Contestant(name, "timm with its DataLoader", command))
    for batch in (1, 8, 32):
        command = (peers, "ultralytics_predict.py", folder, str(batch))
        contestants.append(Contestant(f"Ultralytics predict, batch {batch}", "Ultralytics predict", command))
    return contestants


def _large_contestants(args: argparse.Namespace, large: WorkingSet) -> list[Contestant]:
    command = (args.beholder_python, "beholder_predict.py", str(large.folder))
    return [Contestant(BEHOLDER, "Beholder", command), *_huggingface(args.peers_python, str(large.folder))]


def _huggingface(peers: str, folder: str) -> list[Contestant]:
    """The pipeline as it comes, with batches, and with batches and workers."""
    contestants = []
    for batch, workers in ((1, 0), (8, 0), (8, 2)):
        name = f"Hugging Face pipeline, batch {batch}{f', {workers} workers' if workers else ''}"
        command = (peers, "huggingface_pipeline.py", folder, str(batch), str(workers))
        contestants.append(Contestant(name, "Hugging Face pipeline", command))
    return contestants


def _ultralytics_network(args: argparse.Namespace, work: Path) -> Path:
    """Ultralytics' network as a model file: exported by Ultralytics, imported by Beholder."""
    exported, imported = work / "ultralytics.onnx", work / "ultralytics-beholder.onnx"
    if not imported.exists():
        run_script(args.peers_python, "ultralytics_export.py", exported)
        run_script(args.beholder_python, "beholder_import.py", exported, imported)
    return imported


def _figures(raced: Race, images: str, bounds: tuple[Bound, ...]) -> list[Figure]:
    figures = [_rate(raced, name, images) for name in raced.turns]
    for bound in bounds:
        names = raced.group(bound.group)
        settings = [(names[0], "as it comes")] if bound.memory is not None else []
        for name, how in (*settings, (raced.fastest(bound.group), "at its fastest")):
            title = f"**{images}: {bound.name} / {bound.group}, {how}**"
            figures.append(at_least(title, raced.ratio(bound.name, name), bound.ratio, {"peer": name}))
        if bound.memory is not None:
            title = f"**{images}: peak memory, {bound.name} / {bound.group}, at its smallest**"
            smallest = min(map(raced.peak_bytes, names))
            share = Spread.of([raced.peak_bytes(bound.name) / smallest])
            figures.append(at_most(title, share, bound.memory, {"peer_bytes": smallest}))
    return figures


def _rate(raced: Race, name: str, images: str) -> Figure:
    """How fast a contestant is, what it needs, and whether it says the same as Beholder."""
    rate, cpu = raced.rate(name), raced.cpu_seconds(name)
    shown = f"{rate.text(1)} images/s, {cpu.median * 1000:.1f} ms of CPU each"
    details = {"images_per_second": asdict(rate), "cpu_seconds": asdict(cpu)}
    if name != COMMAND:  # what is measured there is the process that starts the command
        details["peak_bytes"] = raced.peak_bytes(name)
        shown += f", {raced.peak_bytes(name) / 2**20:,.0f} MB"
    same = None if name.startswith(BEHOLDER) else raced.same_best(name, _reference(name))
    if same is not None:
        details["same_top1"] = same
        shown += f", same top-1 on {same:.1%}"
    return Figure(f"{images}: {name}", rate.median, shown, details=details)


def _reference(name: str) -> str:
    """Beholder's contestant with the same network."""
    return BEHOLDER_YOLO if name.startswith("Ultralytics") else BEHOLDER


if __name__ == "__main__":
    sys.exit(main())
