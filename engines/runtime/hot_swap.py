"""An engine that can be replaced by another one while frames are being processed."""

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
    """See `Engine`. Its answers are always finite. A swap happens between two calls, that is, between two frames.

    Args:
        on_failure: Called once for each engine that fails or gives NaN, in the thread of that call, with the engine's
            info and the error. Returns whether it has swapped in another engine, which then repeats the call. It may
            also swap later; calls until then raise the error.
    """

    def __init__(self, engine: Engine, *, on_failure: FailureHandler = lambda info, error: False) -> None:
        self._engine, self._on_failure = engine, on_failure
        self._call_lock = threading.Lock()  # held while the engine runs; only `swap` waits for it
        self._failed_engine: Engine | None = None
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """Of the current engine."""
        return self._engine.info

    @info.setter
    def info(self, info: EngineInfo) -> None:
        self._engine.info = info

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`. Raises NonFiniteError for every output with NaN or infinity."""
        with self._call_lock:
            engine = self._engine
            try:
                return _infer_finite(engine, regions_bgr)
            except RegionsError:  # invalid input: the engine is still usable
                raise
            except EngineError as error:
                failure = error
        first_failure = engine is not self._failed_engine
        self._failed_engine = engine
        if not (first_failure and self._on_failure(engine.info, failure)):
            raise failure
        return self.infer(regions_bgr)

    def swap(self, engine: Engine) -> None:
        """Replace the engine; the old one is closed when its current call has ended. Its outputs stay valid."""
        with self._call_lock:
            old, self._engine = self._engine, engine
        old.close()
        if self._closed:
            engine.close()

    def close(self) -> None:
        """See `Engine.close`. Does not wait for a call that hangs."""
        self._closed = True
        self._engine.close()


def _infer_finite(engine: Engine, regions_bgr: Regions) -> NDArray[np.float32]:
    style = f"style {engine.info.style}"
    try:
        out = engine.infer(regions_bgr)
        with np.errstate(over="ignore", invalid="ignore"):
            finite = math.isfinite(float(out.sum()))  # three times as fast as np.isfinite(out).all()
    except EngineError:
        raise
    except Exception as error:  # libraries raise exceptions of any type
        got = f"{engine.info.runtime} failed: {type(error).__name__}: {first_line(error)}"
        raise EngineError(style, got) from error
    if not finite:
        raise NonFiniteError(style, f"{engine.info.name} gave NaN or infinity")
    return out
