"""Temporal smoothing of values measured on one face, so that what is painted on it does not flicker."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float32])


class TemporalFilter:
    """Smoothed values of one face by name, each with the time of its last update."""

    _MAX_GAP_S = 0.5  # after a longer gap, or if time runs backwards, filtering starts anew

    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, float]] = {}  # name: (value, time of the update in seconds)

    def recent(self, name: str, within_s: float, at_s: float) -> Any:
        """Return the value if it was updated less than `within_s` ago and need not be measured again; else None."""
        value, updated_s = self._values.get(name, (None, at_s))
        return value if value is not None and 0.0 <= at_s - updated_s < within_s else None

    def smoothed(self, name: str, new: Value, tau_s: float, at_s: float) -> Value:
        """Update a value by exponential smoothing with the time constant `tau_s`, and return it.

        A value that is not finite is replaced by the next measurement at once.
        """
        value, updated_s = self._values.get(name, (new, at_s))
        elapsed_s = at_s - updated_s
        if not 0.0 <= elapsed_s <= self._MAX_GAP_S or not np.isfinite(value).all():
            value = new
        else:
            value = value + (1.0 - math.exp(-elapsed_s / tau_s)) * (new - value)
        self._values[name] = (value, at_s)
        return value  # type: ignore[no-any-return]

    def with_dead_band(self, name: str, new: float, band: float, at_s: float) -> float:
        """Update a value only as far as needed to be within `band` of the measurement, and return it."""
        value, updated_s = self._values.get(name, (new, at_s))
        if not 0.0 <= at_s - updated_s <= self._MAX_GAP_S or not math.isfinite(value):
            value = new
        value = min(max(value, new - band), new + band)
        self._values[name] = (value, at_s)
        return float(value)
