"""The number of steps that fit into a time, by measurement."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from lightning_fabric import Fabric

from engines.training.data.batch_stream import BatchStream
from engines.training.method import TrainingMethod
from engines.training.parts import build_parts, train_step

_WARM_UP_STEPS, _TIMED_STEPS = 4, 8
_TRAINING_SHARE = 0.96  # validation and checkpoints take the rest


def with_time_budget(method: TrainingMethod[Any], minutes: float, fabric: Fabric) -> TrainingMethod[Any]:
    """Return the method with as many steps as fit, timed on weights that are thrown away."""
    trial = method.with_config(method.config)
    batches = BatchStream(trial.dataset(0), 0, _WARM_UP_STEPS + _TIMED_STEPS, workers=method.config.workers)
    try:
        build_parts(trial, fabric)
        for step in range(_WARM_UP_STEPS + _TIMED_STEPS):
            if step == _WARM_UP_STEPS:
                start_s = time.perf_counter()
            train_step(trial, batches.get(), step)
        step_s = (time.perf_counter() - start_s) / _TIMED_STEPS
    finally:
        batches.close()
    steps = fabric.broadcast(max(1, int(minutes * 60 * _TRAINING_SHARE / step_s)))
    check_every = max(1, min(method.config.check_every, steps // 8))
    return method.with_config(dataclasses.replace(method.config, steps=steps, check_every=check_every))
