"""Build what a method trains, run one step of it, and time the steps."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from engines.training.data.batch_stream import BatchStream
from engines.training.method import Parts, TrainingMethod

_WARM_UP_STEPS, _TIMED_STEPS = 4, 8
_TRAINING_SHARE = 0.96  # of --minutes; validation and checkpoints take the rest


def build_parts(method: TrainingMethod[Any], fabric: Fabric) -> Parts:
    """Build the method's networks, optimisers and averages on the device, and hand them to the method."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(method.config.seed)
        networks = method.networks()
    trained = {name: any(weight.requires_grad for weight in net.parameters()) for name, net in networks.items()}
    wrapped = {
        name: fabric.setup_module(net) if trained[name] else net.to(fabric.device) for name, net in networks.items()
    }
    method.parts = parts = Parts(fabric, networks, wrapped)
    parts.optimisers = {name: fabric.setup_optimizers(one) for name, one in method.optimisers().items()}
    parts.averages = {name: copy.deepcopy(networks[name]).requires_grad_(False).eval() for name in method.averaged}
    method.prepare()
    return parts


def train_step(method: TrainingMethod[Any], batch: Any, step: int, part: int = 0) -> dict[str, float]:
    """Seed PyTorch, set learning rates, train on a batch, update the averages with the last batch of the step.

    Raises DivergedError if a loss is not finite.
    """
    parts = method.parts
    parts.step, parts.part = step, part
    # A seed for each batch makes random layers and latents independent of interruptions.
    torch.manual_seed(hash((method.config.seed, parts.fabric.global_rank, step, *([part] if part else []))) % 2**63)
    for name in method.scheduled:
        for group in parts.optimisers[name].param_groups:
            group["lr"] = method.learning_rate(step)
    losses = method.step(batch)
    if part < method.config.accumulate - 1:
        return losses
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


def with_time_budget(method: TrainingMethod[Any], minutes: float, fabric: Fabric) -> TrainingMethod[Any]:
    """Return the method with as many steps as fit, timed on weights that are thrown away."""
    trial = method.with_config(dataclasses.replace(method.config, accumulate=1, **method.timed))
    batches = BatchStream(trial.dataset(0), 0, _WARM_UP_STEPS + _TIMED_STEPS, workers=method.config.workers)
    try:
        build_parts(trial, fabric)
        for step in range(_WARM_UP_STEPS + _TIMED_STEPS):
            if step == _WARM_UP_STEPS:
                start_s = time.perf_counter()
            train_step(trial, batches.get(), step)
        step_s = method.config.accumulate * (time.perf_counter() - start_s) / _TIMED_STEPS
    finally:
        batches.close()
    steps = fabric.broadcast(max(1, int(minutes * 60 * _TRAINING_SHARE / (step_s * method.cost_share))))
    check_every = max(1, min(method.config.check_every, steps // 8))
    return method.with_config(dataclasses.replace(method.config, steps=steps, check_every=check_every))
