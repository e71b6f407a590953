"""An engine that goes on: where its fast way fails or gives NaN while frames come in, the next one takes over."""

from __future__ import annotations

import dataclasses
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
    """One way to run, and what it stands for.

    Attributes:
        way: takes regions, and returns the answer and whether all of it is finite; raises RuntimeError where it fails.
        runtime: see `EngineInfo`, as `precision` and `device`.
        for_numbers: it helps only where the one before gave NaN or infinity; after another failure it is left out.
    """

    way: InferFunction
    runtime: str
    precision: str
    device: str
    for_numbers: bool = False


class FallbackEngine:
    """See `Engine`. Where no way is left it raises, and `safer_engine` finds what goes on for it elsewhere.

    Args:
        info: of the first way.
        steps: the fastest first.
        size_wh: of a region; None where any will do.
        say: told once of each change.
    """

    def __init__(
        self,
        info: EngineInfo,
        steps: Sequence[FallbackStep],
        *,
        size_wh: tuple[int, int] | None = None,
        say: Callable[[str], None] = print_line,
    ) -> None:
        self.info, self._steps, self._size_wh, self._say = info, list(steps), size_wh, say

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        check_regions(regions_bgr, self.info.style, self._size_wh)
        while self._steps:
            failed: RuntimeError | None = None
            try:
                out_bgr, finite = self._steps[0].way(regions_bgr)
                if finite:
                    return out_bgr
            except RuntimeError as error:  # GPU memory full, GPU gone
                failed = error
            why = "gave NaN or infinity" if failed is None else f"failed: {first_line(failed)}"
            below = [step for step in self._steps[1:] if failed is None or not step.for_numbers]
            if not below:
                kind = NonFiniteError if failed is None else EngineError
                raise kind(f"style {self.info.style}", f"{self.info.runtime} {self.info.precision} {why}") from failed
            self._go_on(below, why)
        raise EngineError(f"style {self.info.style}", "its engine is closed")

    def _go_on(self, below: list[FallbackStep], because: str) -> None:
        old = f"{self.info.runtime} {self.info.precision}"
        self._steps = below
        _, runtime, precision, device, _ = below[0]
        line = f"{old} {because}: {runtime} {precision} on {device} goes on"
        why = f"{self.info.why}; {line}"
        self.info = dataclasses.replace(
            self.info, runtime=runtime, precision=precision, device=device, why=why, key="", verdict=""
        )
        self._say(f"style {self.info.style}: {line}")

    def close(self) -> None:
        """Let go of all ways; idempotent."""
        self._steps.clear()
