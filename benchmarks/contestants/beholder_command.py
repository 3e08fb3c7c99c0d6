"""Beholder's command, from the start of its process to its end: `beholder predict FOLDER --json`. Arguments: FOLDER."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator

from turns import Answer, take_turns


def load(folder: str) -> Callable[[], Iterable[Answer]]:
    command = [sys.executable, "-m", "beholder", "predict", folder, "--json"]

    def work() -> Iterator[Answer]:
        with tempfile.TemporaryFile() as output:
            subprocess.run(command, stdout=output, check=True)
            output.seek(0)
            for line in output:
                result = json.loads(line)
                yield os.path.basename(result["source"]), [label["index"] for label in result["labels"]]

    return work


if __name__ == "__main__":
    take_turns(load)
