"""Checks of a training before its pictures are made: one step on random pictures, and the memory of a batch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import psutil
import torch
from lightning_fabric import Fabric
from torch import Tensor

from engines.errors import OptionsError, VeneerError
from engines.style_lookup import load_style
from engines.text import first_line
from engines.training.data.paired_dataset import PairedDataset
from engines.training.method import TrainingMethod
from engines.training.parts import build_parts, train_step, weights_are_finite
from engines.training.progress import RESTART, DivergedError

_TRIED_BATCH = 2  # batch normalisation needs two examples


def check_training(method: TrainingMethod[Any], fabric: Fabric, *, start_from: str = "") -> None:
    """Take one step with two examples; the method and its networks are discarded.

    Raises:
        VeneerError: An option is refused by the method, a network or a file that it names.
        OptionsError: The batch needs more memory than is free.
    """
    config = method.config
    values = {**method.timed, "batch": min(config.batch, _TRIED_BATCH), "accumulate": 1}
    trial = method.with_config(dataclasses.replace(config, **values))
    try:
        with torch.random.fork_rng():
            batch = trial.dataset(fabric.global_rank)[0]
            build_parts(trial, fabric)
            if start_from:
                trial.start_from(load_style(start_from).load_generator())
            kept_bytes = _bytes_kept_for_backward(trial, batch)
            if not weights_are_finite(trial.parts):
                raise DivergedError("training", "a weight is not finite after one step", RESTART)
    except VeneerError:
        raise
    except (RuntimeError, ValueError) as error:
        requested = f"a training step of {config.generator} by the method {method.name}"
        raise OptionsError(requested, first_line(error), "change --arg, --crop or --batch") from error
    _check_memory(config.batch, kept_bytes / trial.config.batch, fabric.device)


def random_pairs(size_wh: tuple[int, int], stacked: int = 1) -> PairedDataset:
    """Return four pairs of random pixels that stand for the pictures of a training; see `open_pairs` for `stacked`."""
    rng = np.random.default_rng(0)
    before_rgb, *after = rng.integers(0, 256, (1 + stacked, 4, size_wh[1], size_wh[0], 3), np.uint8)
    return PairedDataset(tuple("0123"), before_rgb, np.concatenate(after, axis=-1), terms="")


def _bytes_kept_for_backward(method: TrainingMethod[Any], batch: Any) -> int:
    """Take one step and return the size of all tensors that it keeps for its gradients, without the weights."""
    weights = {tensor.data_ptr() for net in method.parts.networks.values() for tensor in net.state_dict().values()}
    sizes: dict[int, int] = {}  # by address: views share their memory

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = max(storage.nbytes(), sizes.get(storage.data_ptr(), 0))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        train_step(method, batch, 0)
    return sum(sizes.values())


def _check_memory(batch: int, each_bytes: float, device: torch.device) -> None:
    free_bytes = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    if batch * each_bytes > free_bytes:
        got = f"it needs at least {batch * each_bytes / 1e9:.1f} GB of memory, {free_bytes / 1e9:.1f} GB are free"
        fits = int(0.7 * free_bytes / each_bytes)
        do = f"use --batch {fits} or less" if fits else "use a smaller --crop, or a smaller network"
        raise OptionsError(f"--batch {batch}", got, do)
