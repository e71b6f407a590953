"""The nearest usable engine replaces a failed one; engines that failed calibration are skipped."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.said import Said

from engines.cache import engine_cache
from engines.cache.cache_entry import record_verdict
from engines.errors import EngineError
from engines.runtime import openers
from engines.runtime.base import EngineInfo, NonFiniteError, NotUsableError
from engines.runtime.fallback import FallbackEngine, FallbackStep
from engines.runtime.fallback_policy import fallback_engine
from engines.runtime.hot_swap import HotSwapEngine
from engines.runtime.openvino import cpu_engine
from engines.runtime.openvino.cpu_engine import OpenVinoEngine, engine_key
from engines.runtime.openvino.int8_graph import int8_key
from engines.runtime.torch import cuda_engine
from engines.runtime.torch.cuda_device import CudaDevice
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style

GPU = "RTX 4090"
STYLE = load_style("lips-glaze")
NAN, LOST = NonFiniteError("style lips-glaze", "gave NaN"), EngineError("style lips-glaze", "device lost")


def info(runtime: str, precision: str, device: str) -> EngineInfo:
    return EngineInfo(STYLE.name, runtime, precision, device, "")


class StandIn:
    """PyTorch on a GPU: answers with one level."""

    def __init__(self, precision: str, level: float, key: str) -> None:
        self.info = EngineInfo(STYLE.name, "torch", precision, GPU, "fast", key)
        self.level, self.closed = level, False

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full(regions_bgr.shape, self.level, np.float32)

    def close(self) -> None:
        self.closed = True


def with_gpu(monkeypatch: pytest.MonkeyPatch, refused: tuple[str, ...] = (), level: float = 1.0) -> list[StandIn]:
    made: list[StandIn] = []

    def opened(style: object, *, precision: str, autotune: bool) -> StandIn:
        assert not autotune, "a minute is too long where the picture waits"
        if precision in refused:
            raise NotUsableError("the GPU's memory is full")
        made.append(StandIn(precision, level, key(precision)))
        return made[-1]

    monkeypatch.setattr(openers, "driver_device", lambda: CudaDevice(GPU, (8, 9), (13, 0)))
    monkeypatch.setattr(cuda_engine, "TorchCudaEngine", opened)
    return made


def key(precision: str) -> str:
    return engine_cache.cache_key(runtime="torch", precision=precision)


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise NotUsableError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(openers, "driver_device", none)


def kinds(found: EngineInfo) -> tuple[str, str, bool]:
    return found.runtime, found.precision, found.device == GPU


def best() -> str:
    return OpenVinoEngine(STYLE).info.precision


@pytest.mark.parametrize(
    ("failed", "because", "refused", "next_one"),
    [
        (("tensorrt", "fp16"), LOST, (), "torch fp16"),
        (("tensorrt", "fp16"), NAN, ("fp16",), "torch fp32"),
        (("tensorrt", "fp16"), LOST, ("fp16",), "openvino"),
        (("torch", "fp16"), NAN, (), "torch fp32"),
        (("torch", "fp16"), None, (), "torch fp32"),
        (("torch", "fp16"), LOST, (), "openvino"),
        (("torch", "fp32"), NAN, (), "openvino"),
        (("openvino-gpu", "fp16"), None, (), "openvino"),
    ],
)
def test_the_nearest_usable_engine_replaces_a_failed_one(
    failed: tuple[str, str],
    because: EngineError | None,
    refused: tuple[str, ...],
    next_one: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_gpu(monkeypatch, refused)
    found = fallback_engine(STYLE, info(*failed, GPU), because).info
    expected = ("openvino", best(), False) if next_one == "openvino" else (*next_one.split(), True)
    assert kinds(found) == expected
    assert found.why.startswith(f"{failed[0]} {failed[1]} failed while frames came in")
    assert ("the GPU's memory is full" in found.why) == bool(refused)


@pytest.mark.parametrize("failed", [("tensorrt", "fp16"), ("torch", "fp16"), ("torch", "fp32")])
def test_without_a_gpu_the_fallback_is_openvino(failed: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    without_gpu(monkeypatch)
    assert kinds(fallback_engine(STYLE, info(*failed, GPU)).info) == ("openvino", best(), False)


def test_a_fallback_that_gives_nan_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_gpu(monkeypatch, level=float("nan"))
    found = fallback_engine(STYLE, info("tensorrt", "fp16", GPU)).info
    assert kinds(found)[0] == "openvino"
    assert [(one.info.precision, one.closed) for one in made] == [("fp16", True), ("fp32", True)]
    assert "torch fp16 cannot be used: it gives NaN or infinity" in found.why


def test_gpu_fallbacks_that_failed_calibration_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch)
    record_verdict(key("fp16"), passed=False, because="mean dE 2.1, at most 0.5")
    record_verdict(key("fp32"), passed=True)
    found = fallback_engine(STYLE, info("tensorrt", "fp16", GPU)).info
    assert kinds(found) == ("torch", "fp32", True) and found.verdict == "passed"
    assert "torch fp16 cannot be used: calibration failed: mean dE 2.1, at most 0.5" in found.why


def test_bf16_that_failed_calibration_is_no_fallback() -> None:
    device = OpenVinoEngine(STYLE).info.device
    record_verdict(engine_key(STYLE, "bf16", device), passed=False, because="mean dE 2.1, at most 0.5")
    found = fallback_engine(STYLE, info("openvino", "int8", "CPU")).info
    assert (found.runtime, found.precision) == ("openvino", "fp32")
    assert not found.verdict.startswith("failed")
    record_verdict(engine_key(STYLE, "fp32", device), passed=False, because="a stand-in")
    found = fallback_engine(STYLE, info("openvino", "int8", "CPU")).info
    assert kinds(found) == ("torch", "fp32", False)


def test_uncalibrated_bf16_must_answer_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(cpu_engine, "deviation_from_fp32", lambda *_: (tried.append("probe"), (9.0, False))[1])
    found = fallback_engine(STYLE, info("openvino", "int8", "CPU")).info
    assert (found.runtime, found.precision) == ("openvino", "fp32")
    if tried:  # a processor without BF16 has nothing to try
        assert "BF16 deviates from FP32 by 9.0/255" in found.why


def test_int8_is_no_fallback_for_bf16() -> None:
    device = OpenVinoEngine(STYLE).info.device
    engine_cache.store(int8_key(STYLE), lambda folder: (folder / "model.xml").write_text("not to be read"))
    record_verdict(int8_key(STYLE), passed=True)
    found = fallback_engine(STYLE, info("openvino", "bf16", device)).info
    assert (found.runtime, found.precision) == ("openvino", "fp32")
    assert engine_cache.find(int8_key(STYLE)) is not None


def test_without_openvino_the_fallback_is_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise ImportError("No module named 'openvino'")

    monkeypatch.setattr(cpu_engine, "OpenVinoEngine", none)
    without_gpu(monkeypatch)
    found = fallback_engine(STYLE, info("torch", "fp16", GPU)).info
    assert kinds(found) == ("torch", "fp32", False) and "No module named 'openvino'" in found.why
    with pytest.raises(EngineError, match="the last fallback"):
        fallback_engine(STYLE, found)


def test_a_lost_gpu_falls_back_to_openvino_step_by_step(
    portrait_bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    """TensorRT and its GPU are simulated; the fallback engines are real, and paint."""

    def lost(regions_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float32], bool]:
        raise RuntimeError("CUDA error: device lost\nlong")

    without_gpu(monkeypatch)
    steps = [
        FallbackStep(lost, "tensorrt", "fp16", GPU),
        FallbackStep(lost, "torch", "fp16", GPU),
        FallbackStep(lost, "torch", "fp32", GPU, only_after_nan=True),
    ]

    errors: list[str] = []

    def failed(gone: EngineInfo, error: EngineError) -> bool:
        errors.append(str(error))
        engine.swap(fallback_engine(STYLE, gone, error))
        return True

    inner = FallbackEngine(info("tensorrt", "fp16", GPU), steps, size_wh=STYLE.size_wh)
    engine = HotSwapEngine(inner, on_failure=failed)
    crops_bgr = portrait_bgr[125:155, 180:270][None]
    painted = engine.infer(crops_bgr)
    assert np.abs(painted - TorchEngine(STYLE, why="").infer(crops_bgr)).mean() < 0.5
    assert kinds(engine.info) == ("openvino", best(), False)
    assert [*said, *errors] == [
        "style lips-glaze: tensorrt fp16 failed: CUDA error: device lost: falling back to torch fp16 on RTX 4090",
        "style lips-glaze: torch fp16 failed: CUDA error: device lost",
    ]
