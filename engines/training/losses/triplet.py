"""Triplet loss with semi-hard negatives (arXiv:1503.03832, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor


def semi_hard_triplets(embeddings: Tensor, persons: Tensor, margin: float = 0.2) -> Tensor:
    """Return the mean loss of all pairs of one person in a batch, each with its hardest semi-hard negative.

    A negative is semi-hard if it is further from the anchor than the positive, by less than the margin. Pairs without
    such a negative have no loss. The distance is the squared Euclidean one.

    Args:
        embeddings: (N, features), of length 1.
        persons: (N,) integers.
    """
    distances = (2 - 2 * embeddings @ embeddings.T).clamp_min(0)
    same = persons[:, None] == persons[None]
    anchors, positives = (same & ~torch.eye(len(persons), dtype=torch.bool, device=persons.device)).nonzero().T
    near = distances[anchors, positives][:, None]
    negatives = distances[anchors]  # pairs, N
    semi_hard = ~same[anchors] & (negatives > near) & (negatives < near + margin)
    hardest = torch.where(semi_hard, negatives, torch.inf).min(1).values
    found = hardest.isfinite()
    losses = near[found, 0] - hardest[found] + margin
    return losses.sum() / max(1, len(anchors))
