"""Engines are swapped between two calls; a failing engine is reported once and may be replaced."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import EngineInfo
from engines.runtime.fallback_policy import fallback_engine
from engines.runtime.hot_swap import HotSwapEngine
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style

Pictures = NDArray[np.uint8]
ONE = np.zeros((1, 4, 6, 3), np.uint8)


class StandIn:
    """An engine that returns one level; it can wait, raise, or record calls after it was closed."""

    def __init__(self, level: float, during: Callable[[], None] = lambda: None) -> None:
        self.info = EngineInfo("lips", "stand-in", f"level {level}", "here", "a test")
        self.level, self.during, self.calls, self.closed = level, during, 0, 0

    def infer(self, regions_bgr: Pictures) -> NDArray[np.float32]:
        assert not self.closed
        self.calls += 1
        self.during()
        assert not self.closed, "closed in the middle of a call"
        return np.full(regions_bgr.shape, self.level, np.float32)

    def close(self) -> None:
        self.closed += 1


def test_the_new_engine_answers_from_the_next_call_on() -> None:
    old, new = StandIn(1.0), StandIn(2.0)
    engine = HotSwapEngine(old)
    assert (engine.infer(ONE) == 1.0).all() and engine.info.precision == "level 1.0"
    engine.swap(new)
    assert (engine.infer(ONE) == 2.0).all() and engine.info.precision == "level 2.0"
    assert (old.closed, new.closed) == (1, 0)


def test_an_engine_is_not_closed_in_the_middle_of_a_call() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def during() -> None:
        inside.set()
        assert go_on.wait(20)

    old, new = StandIn(1.0, during), StandIn(2.0)
    engine = HotSwapEngine(old)
    given: list[NDArray[np.float32]] = []
    caller = threading.Thread(target=lambda: given.append(engine.infer(ONE)))
    caller.start()
    assert inside.wait(20)
    changer = threading.Thread(target=engine.swap, args=(new,))
    changer.start()
    changer.join(0.2)
    assert changer.is_alive() and not old.closed
    go_on.set()
    caller.join(20)
    changer.join(20)
    assert old.closed == 1 and (given[0] == 1.0).all()
    assert (engine.infer(ONE) == 2.0).all()


def test_no_call_meets_a_closed_engine_in_1000_swaps() -> None:
    engine = HotSwapEngine(StandIn(0.0))
    over, errors = threading.Event(), []

    def call() -> None:
        try:
            while not over.is_set():
                level = float(engine.infer(ONE)[0, 0, 0, 0])
                assert level == int(level)
        except BaseException as error:
            errors.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    for level in range(1000):
        engine.swap(StandIn(float(level)))
    over.set()
    caller.join(20)
    assert errors == []


def test_an_output_stays_valid_after_close() -> None:
    style = load_style("lips-glaze")
    regions_bgr = np.random.default_rng(0).integers(0, 256, (1, 30, 90, 3), dtype=np.uint8)
    engine = HotSwapEngine(OpenVinoEngine(style))
    given = engine.infer(regions_bgr)
    kept = given.copy()
    engine.swap(TorchEngine(style, why=""))
    gc.collect()
    for _ in range(3):
        engine.infer(255 - regions_bgr)
    assert np.array_equal(given, kept)


def test_an_engine_swapped_in_after_close_is_closed() -> None:
    old, new = StandIn(1.0), StandIn(2.0)
    engine = HotSwapEngine(old)
    engine.close()
    engine.swap(new)
    assert old.closed and new.closed


def fails() -> None:
    raise RuntimeError("the device is gone\nlong")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (StandIn(float("nan")), "style lips: stand-in level nan gave NaN or infinity"),
        (StandIn(float("inf")), "style lips: stand-in level inf gave NaN or infinity"),
        (StandIn(1.0, fails), "style lips: stand-in failed: RuntimeError: the device is gone"),
    ],
)
def test_a_failing_engine_is_reported_once_and_replaced(bad: StandIn, says: str) -> None:
    reported: list[str] = []

    def failed(info: EngineInfo, error: EngineError) -> bool:
        reported.append(str(error))
        return False

    engine = HotSwapEngine(bad, on_failure=failed)
    for _ in range(3):
        with pytest.raises(EngineError):
            engine.infer(ONE)
    assert reported == [says]
    engine.swap(StandIn(5.0))
    assert (engine.infer(ONE) == 5.0).all()


def test_a_call_succeeds_if_the_handler_swaps_at_once() -> None:
    def failed(info: EngineInfo, error: EngineError) -> bool:
        engine.swap(StandIn(5.0))
        return True

    engine = HotSwapEngine(StandIn(float("nan")), on_failure=failed)
    assert (engine.infer(ONE) == 5.0).all()


def test_an_openvino_failure_falls_back_step_by_step() -> None:
    style = load_style("lips-glaze")
    full = fallback_engine(style, EngineInfo(style.name, "openvino", "bf16", "CPU", ""))
    assert (full.info.runtime, full.info.precision) == ("openvino", "fp32")
    assert "openvino bf16 failed while frames came in" in full.info.why
    slow = fallback_engine(style, full.info)
    assert (slow.info.runtime, slow.info.device) == ("torch", "CPU")
    with pytest.raises(EngineError, match="the last fallback"):
        fallback_engine(style, slow.info)
