"""Precision and recall of samples (Kynkäänniemi et al., NeurIPS 2019, arXiv:1904.06991)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def precision_recall(real: Floats, made: Floats, neighbours: int = 3) -> tuple[float, float]:
    """Return the share of made pictures near a real one, and of real pictures near a made one: section 2, equation 2.

    A picture is near another if its distance is at most that of the other's k-th nearest neighbour in its own set.

    Args:
        real: Features of real pictures, (N, F).
        made: Features of made pictures, (M, F).
        neighbours: k (3 in the paper).
    """
    between = _distances(made, real)  # M, N
    precision = (between <= _radius(real, neighbours)[None, :]).any(1).mean()
    recall = (_radius(made, neighbours)[None, :] >= between.T).any(1).mean()
    return float(precision), float(recall)


def _radius(features: Floats, neighbours: int) -> Floats:
    """Return the distance of each picture to its k-th nearest other one, (N,)."""
    own = _distances(features, features)
    np.fill_diagonal(own, np.inf)
    return np.asarray(np.partition(own, neighbours - 1, axis=1)[:, neighbours - 1], np.float32)


def _distances(ones: Floats, others: Floats) -> Floats:
    squares = (ones**2).sum(1)[:, None] + (others**2).sum(1)[None, :] - 2 * ones @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)
