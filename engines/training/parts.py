"""Build what a method trains, and run one step of it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from engines.training.method import Parts, TrainingMethod


def build_parts(method: TrainingMethod[Any], fabric: Fabric) -> Parts:
    """Build the method's networks, optimisers and averages on the device, and hand them to the method."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(method.config.seed)
        networks = method.networks()
    wrapped = {name: fabric.setup_module(net) for name, net in networks.items()}
    method.parts = parts = Parts(fabric, networks, wrapped)
    parts.optimisers = {name: fabric.setup_optimizers(one) for name, one in method.optimisers().items()}
    parts.averages = {name: copy.deepcopy(networks[name]).requires_grad_(False).eval() for name in method.averaged}
    method.prepare(parts)
    return parts


def train_step(method: TrainingMethod[Any], batch: Any, step: int) -> dict[str, float]:
    """Seed PyTorch for the step, set the learning rates, train on the batch, update the averages.

    Raises:
        DivergedError: A loss is not finite.
    """
    parts = method.parts
    parts.step = step
    # A seed for each step makes random layers and latents independent of interruptions.
    torch.manual_seed(hash((method.config.seed, parts.fabric.global_rank, step)) % 2**63)
    for name in method.scheduled:
        for group in parts.optimisers[name].param_groups:
            group["lr"] = method.learning_rate(step)
    losses = method.step(batch)
    for name, average in parts.averages.items():
        _update_average(average, parts.networks[name], method.ema_decay(step))
    return losses


@torch.no_grad()
def _update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - decay)
    for mean, new in zip(average.buffers(), net.buffers(), strict=True):
        mean.copy_(new.lerp(mean, decay) if new.is_floating_point() else new)


def weights_are_finite(parts: Parts) -> bool:
    """Whether all weights of the averages are finite; of the networks if there are no averages."""
    nets = parts.averages or parts.networks
    tensors = [tensor for net in nets.values() for tensor in net.state_dict().values() if tensor.is_floating_point()]
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
