"""What moves the weights: the optimizer with a learning rate for each stage, frozen stages, and the moving average."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import nn

from beholder.errors import UsageError
from beholder.training.networks.network import Network
from beholder.training.networks.plan import Plan

_MOMENTUM: Final = 0.9
_WARMING: Final = 10
"""The average keeps `(1 + t) / (10 + t)` after t steps, as long as that is less: it does not stay at its start."""


def make_optimizer(network: Network, plan: Plan) -> torch.optim.Optimizer:
    """The optimizer of a plan: a group for each stage with its share of the learning rate, and one for the head.

    Weights are decayed; biases, norms and what else has one dimension are not.
    """
    groups = []
    stages = [*network.parameters_by_stage(), list(network.head.parameters())]
    for back, stage in enumerate(reversed(stages)):
        for decayed in (True, False):
            chosen = [weight for weight in stage if weight.requires_grad and (weight.ndim > 1) == decayed]
            if chosen:
                decay = plan.weight_decay if decayed else 0.0
                groups.append({"params": chosen, "weight_decay": decay, "share": plan.stage_decay**back})
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.learning_rate, momentum=_MOMENTUM, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=plan.learning_rate, fused=True)


def freeze(network: Network, stages: int) -> None:
    """Keep the weights of the first stages as they are, and the statistics of their norms, which are used as they are.

    Args:
        network: in training mode.
        stages: how many, from the input on.

    Raises:
        UsageError: there are not so many stages.
    """
    if stages > len(network.stages):
        raise UsageError(f"frozen: the network has {len(network.stages)} stages, found {stages}")
    for stage, parameters in enumerate(network.parameters_by_stage()[:stages]):
        for parameter in parameters:
            parameter.requires_grad_(False)
        for module in network.modules_of_stage(stage):
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


class Average:
    """An exponential moving average of weights and statistics (Polyak and Juditsky, 1992), in a network of its own.

    Args:
        network: that is averaged; the average starts as it is.
    """

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._updates = 0
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    def update(self, keep: float) -> None:
        """Take in the weights of the network as they are now.

        Args:
            keep: the share of the average that stays; 0 for the network itself.
        """
        keep = min(keep, (1 + self._updates) / (_WARMING + self._updates)) if keep else 0.0
        self._updates += 1
        with torch.no_grad():
            torch._foreach_lerp_([own for own, _ in self._floats], [other for _, other in self._floats], 1 - keep)
            for own, other in self._counts:
                own.copy_(other)

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs."""
        return {"network": self.network.state_dict(), "updates": self._updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        self.network.load_state_dict(state["network"])
        self._updates = state["updates"]
