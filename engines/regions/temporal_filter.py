"""What is remembered of one face from frame to frame, so that what is painted on it does not flicker."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float32])


class TemporalFilter:
    """Values by name, each with the time it was measured at."""

    _FORGET_S = 0.5

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, float]] = {}  # name: (value, at_s)

    def recent(self, name: str, within_s: float, at_s: float) -> Any:
        """The value, if it was renewed so lately that it need not be measured again."""
        value, seen_s = self._kept.get(name, (None, at_s))
        return value if value is not None and 0.0 <= at_s - seen_s < within_s else None

    def smoothed(self, name: str, new: Value, tau_s: float, at_s: float) -> Value:
        """The value on its way to the new one: two thirds of the way after `tau_s`; at once after a pause.

        One measurement that is no number is not carried on: the next one counts at once.
        """
        value, seen_s = self._kept.get(name, (new, at_s))
        passed_s = at_s - seen_s
        if not 0.0 <= passed_s <= self._FORGET_S or not np.isfinite(value).all():
            value = new
        else:
            value = value + (1.0 - math.exp(-passed_s / tau_s)) * (new - value)
        self._kept[name] = (value, at_s)
        return value  # type: ignore[no-any-return]

    def with_dead_band(self, name: str, new: float, band: float, at_s: float) -> float:
        """The value kept as it was while the new one is within `band` of it, and dragged along beyond."""
        value, seen_s = self._kept.get(name, (new, at_s))
        if not 0.0 <= at_s - seen_s <= self._FORGET_S or not math.isfinite(value):
            value = new
        value = min(max(value, new - band), new + band)
        self._kept[name] = (value, at_s)
        return float(value)
