"""Does Beholder's peak memory grow with the number of images?

A fresh process goes through folders of different sizes, in turn: hard links to the same photographs. How much the peers
need is told by `folder_to_labels.py`.
"""

from __future__ import annotations

import sys
from dataclasses import asdict

from figures import Figure, Spread, arguments, at_most, parse, report
from photographs import digest, images_folder, many_set, small_set, work_folder
from race import Contestant, one_turn

GROWTH_BOUND = 1.05


def main() -> int:
    parser = arguments(__doc__, peers=False)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3, help="processes for each number; the median counts")
    parser.add_argument("--small", type=int, default=300, help="how many different photographs")
    args = parse(parser)
    images, work = images_folder(args.images), work_folder(args.work)
    small = small_set(images, work, args.small)
    peaks: dict[int, list[int]] = {args.few: [], args.many: []}
    for _ in range(args.repeats):
        for count, seen in peaks.items():
            folder = many_set(small, work, count).folder
            command = (args.beholder_python, "beholder_predict.py", str(folder))
            turn = one_turn(Contestant(f"Beholder, {count:,} images", "Beholder", command))
            if turn.count != count:
                raise SystemExit(f"{folder}: {count} answers are needed, found {turn.count}")
            seen.append(turn.peak_bytes)
    figures = [_peak(count, seen) for count, seen in peaks.items()]
    pairs = zip(peaks[args.many], peaks[args.few], strict=True)
    growth = Spread.of([many / few for many, few in pairs])
    figures.append(at_most(f"**peak memory, {args.many:,} images / {args.few:,} images**", growth, GROWTH_BOUND))
    notes = [f"{small.description}, sha256 {digest(small)}; linked to as often as needed"]
    return report(args, "Memory, whatever the number of images", notes, figures)


def _peak(count: int, seen: list[int]) -> Figure:
    spread = Spread.of([peak / 2**20 for peak in seen])
    return Figure(f"peak memory, {count:,} images", spread.median, f"{spread.text(1)} MB", details=asdict(spread))


if __name__ == "__main__":
    sys.exit(main())
