"""Make a model file of Ultralytics' network, with the geometry that Ultralytics predicts with. Arguments: FILE OUT."""

from __future__ import annotations

import sys

from beholder.model import Geometry
from beholder.zoo.importing import import_model

GEOMETRY = Geometry("resize_crop", (224, 224), resize=224, resample="bilinear", draft=2.0)


def main() -> None:
    source, out = sys.argv[1:3]
    labels = [f"class {index}" for index in range(1000)]
    import_model(source, out, name="ultralytics", geometry=GEOMETRY, labels=labels, overwrite=True)


if __name__ == "__main__":
    main()
