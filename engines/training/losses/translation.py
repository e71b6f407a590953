"""Losses between photos and drawings that have no pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def difference(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean absolute difference on the scale of -1..1, that of the papers' weights."""
    return 2 * (one - other).abs().mean()


def classified(changed: Tensor | None, unchanged: Tensor | None) -> Tensor:
    """Return the classifiers' loss: a picture of the other kind is 1, one of the generator's own kind is 0."""
    assert changed is not None and unchanged is not None
    ones = F.binary_cross_entropy_with_logits(changed, torch.ones_like(changed))
    return ones + F.binary_cross_entropy_with_logits(unchanged, torch.zeros_like(unchanged))
