"""An engine with a chain of fallbacks: if a call fails or gives NaN, the next step repeats it and takes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.cache.engine_cache import print_line
from engines.errors import EngineError
from engines.runtime.base import EngineInfo, NonFiniteError, Regions, check_regions
from engines.text import first_line

InferFunction = Callable[[Regions], tuple[NDArray[np.float32], bool]]


class FallbackStep(NamedTuple):
    """One way to run the network.

    Attributes:
        infer: Takes regions; returns the output and whether all of it is finite. Raises RuntimeError on failure.
        runtime: See `EngineInfo`, also for `precision` and `device`.
        only_after_nan: Skip this step unless the one before it gave NaN or infinity.
    """

    infer: InferFunction
    runtime: str
    precision: str
    device: str
    only_after_nan: bool = False


class FallbackEngine:
    """See `Engine`. Its steps are the fastest first; if none is left, `fallback_engine` opens another engine."""

    def __init__(
        self, info: EngineInfo, steps: Sequence[FallbackStep], *, size_wh: tuple[int, int] | None = None
    ) -> None:
        self.info, self._steps, self._size_wh = info, list(steps), size_wh

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        check_regions(regions_bgr, self.info.style, self._size_wh)
        while self._steps:
            error: RuntimeError | None = None
            try:
                out_bgr, finite = self._steps[0].infer(regions_bgr)
                if finite:
                    return out_bgr
            except RuntimeError as failure:  # GPU memory full, GPU lost
                error = failure
            reason = "gave NaN or infinity" if error is None else f"failed: {first_line(error)}"
            remaining = [step for step in self._steps[1:] if error is None or not step.only_after_nan]
            if not remaining:
                kind = NonFiniteError if error is None else EngineError
                raise kind(f"style {self.info.style}", f"{self.info.name} {reason}") from error
            self._take(remaining, reason)
        raise EngineError(f"style {self.info.style}", "its engine is closed")

    def _take(self, steps: list[FallbackStep], reason: str) -> None:
        """Make the first of the steps the current one."""
        self._steps = steps
        step = steps[0]
        line = f"{self.info.name} {reason}: falling back to {step.runtime} {step.precision} on {step.device}"
        why = f"{self.info.why}; {line}"  # the key is empty: the verdict was on another engine
        self.info = EngineInfo(self.info.style, step.runtime, step.precision, step.device, why)
        print_line(f"style {self.info.style}: {line}")

    def close(self) -> None:
        """See `Engine.close`."""
        self._steps.clear()
