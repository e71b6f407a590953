"""Learning-rate schedules."""

from __future__ import annotations

import math


def one_cycle(step: int, *, steps: int, peak_lr: float, warm_up_steps: int) -> float:
    """Return the learning rate of a step: linear warm-up to `peak_lr`, then a half cosine down to zero."""
    warm_up = min(1.0, (step + 1) / warm_up_steps)
    return peak_lr * warm_up * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
