"""An engine whose place another one can take while frames come in."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import Engine, EngineInfo, NonFiniteError, Regions, RegionsError
from engines.text import first_line

FailureHandler = Callable[[EngineInfo, EngineError], bool]


class HotSwapEngine:
    """See `Engine`. The exchange happens between two calls: between two frames, as a layer calls once a frame.

    Args:
        engine: the first one.
        on_failure: called once for each engine that fails or gives something that is not finite, in the thread of that
            call, with what failed and why. Returns whether another engine is in its place already; it may also come
            later, and the calls until then fail.
    """

    def __init__(self, engine: Engine, *, on_failure: FailureHandler = lambda info, error: False) -> None:
        self._engine, self._on_failure = engine, on_failure
        self._calling = threading.Lock()  # held while the engine runs: who exchanges waits for it, frames never wait
        self._given_up: Engine | None = None
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """Of the engine that runs now."""
        return self._engine.info

    @info.setter
    def info(self, info: EngineInfo) -> None:
        self._engine.info = info

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        with self._calling:
            engine = self._engine
            try:
                return _finite(engine, regions_bgr)
            except RegionsError:  # the engine is as good as before
                raise
            except EngineError as error:
                failure = error
        first = engine is not self._given_up
        self._given_up = engine
        if not (first and self._on_failure(engine.info, failure)):
            raise failure
        return self.infer(regions_bgr)

    def swap(self, better: Engine) -> None:
        """Put another engine in; the one before it is closed when the call that it is in has ended.

        What that call returned stays what it is: the arrays hold their memory.
        """
        with self._calling:
            before, self._engine = self._engine, better
        before.close()
        if self._closed:
            better.close()

    def close(self) -> None:
        """Let go; idempotent. Does not wait for a call that hangs."""
        self._closed = True
        self._engine.close()


def _finite(engine: Engine, regions_bgr: Regions) -> NDArray[np.float32]:
    asked = f"style {engine.info.style}"
    try:
        out = engine.infer(regions_bgr)
        with np.errstate(over="ignore", invalid="ignore"):
            finite = math.isfinite(float(out.sum()))  # three times as fast as asking each of them
    except EngineError:
        raise
    except Exception as error:  # libraries raise what they please
        got = f"{engine.info.runtime} failed: {type(error).__name__}: {first_line(error)}"
        raise EngineError(asked, got) from error
    if not finite:
        raise NonFiniteError(asked, f"{engine.info.runtime} {engine.info.precision} gave NaN or infinity")
    return out
