"""Logits of the reference implementation. Arguments: IMAGES.npy, uint8 (N, 224, 224, 3), and LOGITS.npy to write."""

from __future__ import annotations

import sys

import numpy as np
import torch
from reference_network import reference


def main() -> None:
    images = torch.from_numpy(np.load(sys.argv[1])).permute(0, 3, 1, 2)
    network = reference()
    with torch.inference_mode():
        logits = [network((batch.float() - 127) / 128) for batch in images.split(8)]
    np.save(sys.argv[2], torch.cat(logits).numpy())


if __name__ == "__main__":
    main()
