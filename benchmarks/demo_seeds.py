"""The demo over many seeds: how many planted faults it finds, what it takes for unknown, how long it takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from typing import Any

from figures import Figure, Spread, arguments, parse, report
from photographs import work_folder


def main() -> int:
    parser = arguments(__doc__, peers=False)
    parser.add_argument("--seeds", type=int, default=20)
    args = parse(parser)
    work = work_folder(args.work)
    told, seconds = [], []
    for seed in range(args.seeds):
        shutil.rmtree(work / "demo", ignore_errors=True)
        shutil.rmtree(work / "demo-data", ignore_errors=True)
        own = {
            "BEHOLDER_CACHE": str(work / "demo-cache"),
            "BEHOLDER_DATA": str(work / "demo-data"),
        }
        command = [args.beholder_python, "-m", "beholder", "demo", "--json"]
        command += ["--seed", str(seed), "--out", str(work / "demo")]
        started = time.perf_counter()
        done = subprocess.run(command, env={**os.environ, **own}, check=True, capture_output=True, text=True)
        seconds.append(time.perf_counter() - started)
        told.append(json.loads(done.stdout))
        print(f"seed {seed}: {done.stdout.strip()}", file=sys.stderr)
    return report(
        args, "The demo", [f"seeds 0 to {args.seeds - 1}; each in a process of its own"], _figures(told, seconds)
    )


def _figures(told: list[dict[str, Any]], seconds: list[float]) -> list[Figure]:
    planted, found = sum(one["planted"] for one in told), sum(one["found"] for one in told)
    also = Counter(finding["kind"] for one in told for finding in one["also_found"])
    strangers = [answer == "unknown" for one in told for answer in one["strangers"].values()]
    tiles = sum(one["top1_after"]["count"] for one in told)
    figures = [
        Figure("planted faults found, with the right fix", found / planted, f"{found} of {planted}"),
        Figure("other findings", sum(also.values()), ", ".join(f"{n} {kind}" for kind, n in also.items()) or "none"),
    ]
    for key, name in (("top1_before", "before"), ("top1_after", "after")):
        right = sum(round(one[key]["value"] * one[key]["count"]) for one in told)
        figures.append(
            Figure(f"held-out tiles answered rightly, {name} the fixes", right / tiles, f"{right} of {tiles}")
        )
    figures.append(
        Figure(
            "cats and cups answered unknown", sum(strangers) / len(strangers), f"{sum(strangers)} of {len(strangers)}"
        )
    )
    spread = Spread.of(seconds)
    figures.append(Figure("start to page", spread.median, f"{spread.text(1)} s"))
    return figures


if __name__ == "__main__":
    sys.exit(main())
