"""Write Ultralytics' network as an ONNX file, as Ultralytics does for its users. Arguments: FILE to write."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from ultralytics_network import SIZE, untrained


def main() -> None:
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        os.chdir(folder)  # it writes where it stands
        os.replace(untrained().export(format="onnx", imgsz=SIZE, dynamic=True, device="cpu"), target)


if __name__ == "__main__":
    main()
