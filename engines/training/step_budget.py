"""How many steps fit into a time, by trying."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from lightning_fabric import Fabric

from engines.training.data.augmentation import Batches
from engines.training.data.paired_dataset import Pairs
from engines.training.methods.paired import Learner
from engines.training.recipe import Recipe

_TRIED, _TIMED = 4, 8  # steps to warm up and to time


def within(minutes: float, pairs: Pairs, recipe: Recipe, fabric: Fabric, vgg: Path | None) -> Recipe:
    """The recipe with as many steps as fit, by timing some on a learner that is thrown away."""
    learner, batches = Learner(recipe, fabric, vgg), Batches(pairs, recipe)
    try:
        for step in range(_TRIED + _TIMED):
            if step == _TRIED:
                start_s = time.perf_counter()
            learner.step(batches.get(step), step)
        step_s = (time.perf_counter() - start_s) / _TIMED
    finally:
        batches.close()
    steps = max(1, int(minutes * 60 * 0.96 / step_s))  # scores and checkpoints take the rest
    steps = fabric.broadcast(steps)
    return dataclasses.replace(recipe, steps=steps, check_every=max(1, min(recipe.check_every, steps // 8)))
