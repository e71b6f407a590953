"""Distances between faces and enrolled people, thresholds, and the scores of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def distance_to(person: Vectors, face: Vectors) -> float:
    """Return the squared distance of a face (features,) to the mean direction of a person's embeddings, 0..4."""
    mean = person.mean(0)
    return float(2 - 2 * face @ mean / max(float(np.linalg.norm(mean)), 1e-9))


def nearest(people: Mapping[str, Vectors], face: Vectors) -> list[tuple[str, float]]:
    """Return all people with their distances to a face, the nearest first."""
    return sorted(((name, distance_to(rows, face)) for name, rows in people.items()), key=lambda one: one[1])


@dataclass(frozen=True, slots=True)
class Scores:
    """How well distances separate pairs of one person from pairs of two.

    Attributes:
        equal_error: The error at the threshold at which as many of the former are refused as of the latter accepted.
        equal_threshold: That threshold.
        balanced: Mean of both rates of right answers at the threshold in use.
        false_refusals: Share of pairs of one person that are refused at the threshold in use.
        false_matches: Share of pairs of two persons that are accepted.
    """

    equal_error: float
    equal_threshold: float
    balanced: float
    false_refusals: float
    false_matches: float


def scores(same: NDArray[np.float64], other: NDArray[np.float64], threshold: float) -> Scores:
    """Score distances of pairs of one person, and of pairs of two persons."""
    limits, refused, accepted = roc(same, other)
    at = int(np.argmin(np.abs(refused - accepted)))
    refusals, matches = float((same >= threshold).mean()), float((other < threshold).mean())
    equal = float(refused[at] + accepted[at]) / 2
    return Scores(equal, float(limits[at]), 1 - (refusals + matches) / 2, refusals, matches)


def roc(
    same: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return thresholds between all distances, and for each the share refused of one person and accepted of two."""
    values = np.unique(np.concatenate([same, other]))
    limits = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, values[-1:] + 1e-6])
    refused = 1 - np.searchsorted(np.sort(same), limits) / len(same)
    return limits, refused, np.searchsorted(np.sort(other), limits) / len(other)


def calibrated_threshold(people: Mapping[str, Vectors], usual: float) -> float | None:
    """Return a threshold for these people: between their own distances and those to each other, near the usual one.

    Each face is compared with the mean of the person's other faces. None for fewer than two people, or fewer than three
    faces of each, or people who are not separable.
    """
    if len(people) < 2 or min(map(len, people.values())) < 3:
        return None
    same, other = [], []
    for name, rows in people.items():
        for index, face in enumerate(rows):
            same.append(distance_to(np.delete(rows, index, 0), face))
            other += [distance_to(others, face) for one, others in people.items() if one != name]
    low, high = max(same), min(other)
    return None if low >= high else float(np.clip(usual, low + 0.25 * (high - low), high - 0.4 * (high - low)))
