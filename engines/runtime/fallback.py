"""An engine that goes on: where its fast way fails or gives NaN while frames come in, the next one takes over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.cache import say_line
from engines.errors import EngineError
from engines.runtime.base import EngineInfo, first_line

Way = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], bool]]


class FallbackEngine:
    """See `Engine`.

    Args:
        info: of the first way.
        ways: the fastest first, each with the runtime, precision and device it stands for. A way takes regions, and
            returns the answer and whether all of it is finite; it raises RuntimeError where it fails.
        say: told once of each change.
    """

    def __init__(
        self, info: EngineInfo, ways: Sequence[tuple[Way, str, str, str]], *, say: Callable[[str], None] = say_line
    ) -> None:
        self.info, self._ways, self._say = info, list(ways), say

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        while self._ways:
            try:
                out_bgr, finite = self._ways[0][0](regions_bgr)
                why = "gave NaN or infinity"
            except RuntimeError as error:  # GPU memory full, GPU gone
                finite, why = False, f"failed: {first_line(error)}"
            if finite:
                return out_bgr
            if len(self._ways) == 1:
                raise EngineError(f"style {self.info.style}", f"{self.info.runtime} {why}")
            self._next(why)
        raise EngineError(f"style {self.info.style}", "its engine is closed")

    def _next(self, because: str) -> None:
        old = f"{self.info.runtime} {self.info.precision}"
        _, runtime, precision, device = self._ways[1]
        del self._ways[0]
        line = f"{old} {because}: {runtime} {precision} on {device} goes on"
        why = f"{self.info.why}; {line}"
        self.info = dataclasses.replace(
            self.info, runtime=runtime, precision=precision, device=device, why=why, key="", verdict=""
        )
        self._say(f"style {self.info.style}: {line}")

    def close(self) -> None:
        """Let go of all ways; idempotent."""
        self._ways.clear()
