"""Does the embedded model say what the reference implementation says, and what does reading at a reduced scale change?

First on the same pixels: Beholder reads photographs whole, the reference implementation (`efficientnet-lite-pytorch`)
is given the tensors that come of that, and the logits are compared. Then the same file answers from JPEGs read whole
and read as the model card allows, at a reduced scale where they are large.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import beholder
from beholder.image import Limits, expand
from beholder.model import FileModel
from figures import Figure, arguments, parse, report
from photographs import find_photographs, images_folder, large_jpegs, large_photographs
from race import run_script

LOGIT_BOUND = 1e-3

_BATCH = 4
_LEAST_PIXELS = 1_000_000


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=200, help="photographs compared with the reference")
    parser.add_argument("--draft-count", type=int, default=200, help="12-megapixel photographs read both ways")
    args = parse(parser)
    if Path(args.beholder_python).resolve() != Path(sys.executable).resolve():
        parser.error("--beholder-python: this script uses Beholder itself; run it with that interpreter")
    images = images_folder(args.images)
    whole, reduced = beholder.load(exact=True), beholder.load()
    figures = _reference_figures(whole, find_photographs(images, args.count), args.peers_python)
    figures += _draft_figures(whole, reduced, "12 megapixels, enlarged", large_jpegs(images, args.draft_count))
    camera = [path.read_bytes() for path in large_photographs(images, _LEAST_PIXELS)]
    if camera:
        figures += _draft_figures(whole, reduced, "1 megapixel and more, from cameras", camera)
    notes = [f"model: {whole.card.name}, draft {whole.card.geometry.draft}"]
    return report(args, "Agreement with the reference, and what reading at a reduced scale changes", notes, figures)


def _reference_figures(model: FileModel, photographs: list[Path], peers_python: str) -> list[Figure]:
    pixels = np.stack([model.prepare(found).pixels for found in expand(photographs, Limits())])
    logits = _run(model, pixels, "logits")
    with tempfile.TemporaryDirectory() as folder:
        given, answered = Path(folder, "pixels.npy"), Path(folder, "logits.npy")
        np.save(given, pixels)
        run_script(peers_python, "reference_logits.py", given, answered)
        expected = np.load(answered)
    difference = float(np.abs(logits - expected).max())
    same = int((logits.argmax(axis=1) == expected.argmax(axis=1)).sum())
    of = f"{len(photographs)} photographs, the same pixels"
    spread = f"logits from {expected.min():.1f} to {expected.max():.1f}"
    return [
        Figure(
            f"largest difference of a logit, {of}",
            difference,
            f"{difference:.2g} ({spread})",
            f"under {LOGIT_BOUND:g}",
            difference < LOGIT_BOUND,
        ),
        Figure(f"same top-1, {of}", same, f"{same} of {len(photographs)}", "every one", same == len(photographs)),
    ]


def _draft_figures(whole: FileModel, reduced: FileModel, name: str, jpegs: Iterable[bytes]) -> list[Figure]:
    """How the answers from JPEGs read at a reduced scale differ from those of the same read whole."""
    sure, differences, best, scaled = [], [], [], 0
    for batch in _batches(_both_ways(whole, reduced, jpegs)):
        exact = _run(whole, np.stack([pair[0] for pair in batch]), "probabilities")
        quick = _run(reduced, np.stack([pair[1] for pair in batch]), "probabilities")
        scaled += sum(not np.array_equal(*pair) for pair in batch)
        best += (exact.argmax(axis=1) == quick.argmax(axis=1)).tolist()
        differences += np.abs(exact - quick).max(axis=1).tolist()
        sure += exact.max(axis=1).tolist()
    same, count = sum(best), len(best)
    changed = [confidence for confidence, kept in zip(sure, best, strict=True) if not kept]
    shown = f"{same} of {count} ({same / count:.1%})"
    if changed:
        shown += f"; where it changed, the confidence was {max(changed):.2f} at most"
    largest, mean = max(differences), float(np.mean(differences))
    return [
        Figure(f"reduced scale, {name}: other pixels", scaled, f"{scaled} of {count}"),
        Figure(f"reduced scale, {name}: same top-1", same / count, shown),
        Figure(
            f"reduced scale, {name}: largest change of a probability in an image",
            mean,
            f"mean {mean:.4f}, greatest {largest:.3f}",
            details={"mean": mean, "greatest": largest},
        ),
    ]


def _both_ways(
    whole: FileModel, reduced: FileModel, jpegs: Iterable[bytes]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The tensors of each JPEG read whole and as the card allows."""
    with ThreadPoolExecutor(2) as executor:
        for data in jpegs:
            (found,) = expand(data, Limits())
            one, other = executor.map(lambda model, found=found: model.prepare(found).pixels, (whole, reduced))
            yield one, other


def _run(model: FileModel, pixels: NDArray[np.uint8], output: str) -> NDArray[np.float32]:
    batches = [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]
    return np.concatenate([model.runtime.run(batch, (output,))[output] for batch in batches])


def _batches(pairs: Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> Iterator[list]:
    batch = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


if __name__ == "__main__":
    sys.exit(main())
