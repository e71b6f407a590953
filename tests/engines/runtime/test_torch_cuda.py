"""PyTorch on a GPU: its steps on the CPU, simulated fallbacks, and a real GPU if there is one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.gpu_parts import on_gpu
from support.said import Said
from torch import Tensor, nn

from engines.errors import EngineError, OptionsError
from engines.runtime.base import EngineInfo, NonFiniteError, NotUsableError
from engines.runtime.fallback import FallbackEngine, FallbackStep, InferFunction
from engines.runtime.torch import cuda_device, cuda_engine
from engines.runtime.torch.cuda_engine import TorchCudaEngine, eager_reference, max_deviation, record_network
from engines.runtime.torch.cuda_graph import Runs, StaticRun, bgr_to_planes, planes_to_bgr
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style


@pytest.fixture
def crops_bgr(portrait_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Four crops of a real face, one of them its mouth."""
    corners = [(125, 180), (60, 200), (90, 150), (300, 100)]
    return np.stack([portrait_bgr[y : y + 30, x : x + 90] for y, x in corners])


def test_bgr_bytes_become_rgb_planes_and_back(crops_bgr: NDArray[np.uint8]) -> None:
    for dtype in (torch.float16, torch.float32):
        planes = bgr_to_planes(torch.from_numpy(crops_bgr), dtype, torch.channels_last)
        assert planes.shape == (4, 3, 30, 90) and planes.dtype == dtype
        assert planes.is_contiguous(memory_format=torch.channels_last)
        red = crops_bgr[1, 7, 50, 2] / 255
        assert abs(float(planes[1, 0, 7, 50]) - red) < 1e-3
        back = planes_to_bgr(planes).numpy()
        assert back.dtype == np.float32
        assert np.array_equal(np.rint(back).astype(np.uint8), crops_bgr)


@pytest.mark.parametrize(("precision", "most"), [("fp16", 4.0), ("fp32", 0.01)])
def test_recording_matches_the_reference(precision: str, most: float, crops_bgr: NDArray[np.uint8]) -> None:
    style = load_style("lips-glaze")
    runs = record_network(style.load_generator(), style.size_wh, precision, device="cpu")
    reference = TorchEngine(style, why="")
    for count in (1, 2, 4, 3):
        answer, finite = runs(crops_bgr[:count])
        off = np.abs(answer - reference.infer(crops_bgr[:count]))
        assert finite and off.shape == (count, 30, 90, 3)
        assert off.max() < most


def test_answers_contain_nothing_of_earlier_faces(crops_bgr: NDArray[np.uint8]) -> None:
    style = load_style("lips-glaze")
    runs = record_network(style.load_generator(), style.size_wh, "fp32", device="cpu")
    first = runs(crops_bgr[:2])[0].copy()
    runs(crops_bgr[::-1].copy())
    assert np.array_equal(runs(crops_bgr[:2])[0], first)


def test_the_buffers_are_the_same_for_every_frame(crops_bgr: NDArray[np.uint8]) -> None:
    run = StaticRun(lambda planes: planes, 4, (90, 30), dtype=torch.float16, device="cpu")
    first, second = run.run(crops_bgr)[0], run.run(crops_bgr)[0]
    assert np.shares_memory(first, second)


def test_nan_in_the_output_is_detected(crops_bgr: NDArray[np.uint8]) -> None:
    def spoilt(planes: Tensor) -> Tensor:
        return torch.where(planes > 0.999, torch.nan, planes)

    run = StaticRun(spoilt, 4, (90, 30), dtype=torch.float32, device="cpu")
    white = crops_bgr.copy()
    white[3, 29, 89] = 255
    assert run.run(np.minimum(crops_bgr, 250))[1] is True
    assert run.run(white)[1] is False


class Overflows(nn.Module):
    """Finite in FP32; an intermediate value overflows in half precision."""

    def forward(self, rgb: Tensor) -> Tensor:
        return rgb * 300.0 * 300.0 / 90000.0


def test_a_network_that_overflows_in_fp16_is_rejected() -> None:
    full = eager_reference(Overflows(), "cpu")
    half = record_network(Overflows(), (96, 32), "fp16", device="cpu")
    with pytest.raises(NotUsableError, match="deviates from FP32"):
        max_deviation(half, full, (96, 32))
    assert max_deviation(record_network(Overflows(), (96, 32), "fp32", device="cpu"), full, (96, 32)) < 0.01


def way(answer: float | Exception) -> InferFunction:
    def run(regions_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float32], bool]:
        if isinstance(answer, Exception):
            raise answer
        return np.full(regions_bgr.shape, answer, np.float32), bool(np.isfinite(answer))

    return run


GPU = "RTX 4090"
LOST = RuntimeError("CUDA error: device lost\nlong")
NAN = float("nan")


def engine(answers: Sequence[float | Exception]) -> FallbackEngine:
    """The steps that `TensorRtEngine` has, with stand-ins for what they do."""
    info = EngineInfo("lips-glaze", "tensorrt", "fp16", GPU, "fast", "0123")
    kinds = [("tensorrt", "fp16"), ("torch", "fp16"), ("torch", "fp32")]
    steps = [
        FallbackStep(way(answer), *kind, GPU, only_after_nan=kind == ("torch", "fp32"))
        for answer, kind in zip(answers, kinds, strict=True)
    ]
    return FallbackEngine(info, steps)


@pytest.mark.parametrize("first", [NAN, float("inf"), torch.OutOfMemoryError("CUDA out of memory.\nTried")])
def test_a_failing_gpu_is_reported_once_and_frames_continue(
    first: float | Exception, crops_bgr: NDArray[np.uint8], said: Said
) -> None:
    made = engine([first, 5.0, 7.0])
    for _ in range(3):
        assert (made.infer(crops_bgr) == 5.0).all()
    assert len(said) == 1 and said[0].startswith("style lips-glaze: tensorrt fp16 ")
    assert said[0].endswith("falling back to torch fp16 on RTX 4090") and "\n" not in said[0]
    assert (made.info.runtime, made.info.precision, made.info.device) == ("torch", "fp16", GPU)
    assert made.info.key == "", "the verdict was on another engine"
    assert "falling back to" in made.info.why


def test_nan_in_fp16_falls_back_to_fp32_on_the_gpu(crops_bgr: NDArray[np.uint8], said: Said) -> None:
    made = engine([NAN, NAN, 7.0])
    assert (made.infer(crops_bgr) == 7.0).all(), "no frame is lost"
    assert [line.rpartition(": ")[2] for line in said] == [
        "falling back to torch fp16 on RTX 4090",
        "falling back to torch fp32 on RTX 4090",
    ]
    assert (made.info.precision, made.info.device) == ("fp32", GPU)


def test_a_failed_gpu_is_not_tried_in_fp32(crops_bgr: NDArray[np.uint8], said: Said) -> None:
    made = engine([LOST, LOST, 7.0])
    for _ in range(2):
        with pytest.raises(EngineError, match="torch fp16 failed: CUDA error: device lost") as caught:
            made.infer(crops_bgr)
        assert not isinstance(caught.value, NonFiniteError) and "\n" not in str(caught.value)
    assert len(said) == 1 and (made.info.precision, made.info.device) == ("fp16", GPU)


def test_no_working_runtime_is_one_clear_line(crops_bgr: NDArray[np.uint8]) -> None:
    info = EngineInfo("lips-glaze", "torch", "fp32", "CPU", "")
    made = FallbackEngine(info, [FallbackStep(way(NAN), "torch", "fp32", "CPU")])
    with pytest.raises(NonFiniteError, match="NaN"):
        made.infer(crops_bgr)
    made.close()
    made.close()
    with pytest.raises(EngineError, match="closed"):
        made.infer(crops_bgr)


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine on the CPU instead of a GPU; no CUDA graph is recorded."""
    device = cuda_device.CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")
    monkeypatch.setattr(cuda_engine, "torch_device", lambda: device)
    monkeypatch.setattr(cuda_engine, "eager_reference", lambda net, device: eager_reference(net, "cpu"))
    monkeypatch.setattr(
        cuda_engine, "record_network", lambda *arguments, **more: record_network(*arguments, device="cpu", **more)
    )


def test_an_engine_reports_its_runtime_and_runs(crops_bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    without_gpu(monkeypatch)
    style = load_style("lips-glaze")
    half, full = TorchCudaEngine(style), TorchCudaEngine(style, precision="fp32")
    assert (half.info.runtime, half.info.precision, half.info.device) == ("torch", "fp16", "NVIDIA GeForce RTX 4090")
    assert "deviates from FP32 by" in half.info.why
    assert len({half.info.key, full.info.key, ""}) == 3
    assert np.abs(half.infer(crops_bgr) - full.infer(crops_bgr)).max() < 4.0


def test_a_full_gpu_is_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Runs:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    without_gpu(monkeypatch)
    monkeypatch.setattr(cuda_engine, "record_network", full)
    with pytest.raises(NotUsableError, match="memory is full"):
        TorchCudaEngine(load_style("lips-glaze"))


def test_torch_compile_runs_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    without_gpu(monkeypatch)
    asked: list[object] = []
    monkeypatch.setattr(torch, "compile", lambda net, **more: asked.append(more["mode"]) or net)  # a stand-in
    style = load_style("lips-glaze")
    plain = TorchCudaEngine(style)
    assert asked == [] and "torch.compile" not in plain.info.why
    for ask in ("argument", "environment"):
        if ask == "environment":
            monkeypatch.setenv("VENEER_TORCH_COMPILE", "max-autotune")
        made = TorchCudaEngine(style, autotune=True if ask == "argument" else None)
        assert asked.pop() == "max-autotune-no-cudagraphs", "the recording is ours"
        assert made.info.why.endswith("compiled by torch.compile (max-autotune)")
        assert made.info.key not in ("", plain.info.key), "a verdict of its own"
    monkeypatch.setenv("VENEER_TORCH_COMPILE", "fast")
    with pytest.raises(OptionsError, match="VENEER_TORCH_COMPILE=fast.*use max-autotune"):
        TorchCudaEngine(style)


@pytest.mark.parametrize("how", ["crash", "wrong"])
def test_failed_torch_compile_runs_uncompiled(
    how: str, crops_bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    def compiled(net: nn.Module, **_: object) -> object:
        if how == "crash":
            raise AssertionError("no Triton here\nlong story")
        return lambda planes: net(planes) + 0.5

    without_gpu(monkeypatch)
    monkeypatch.setattr(torch, "compile", compiled)
    style = load_style("lips-glaze")
    made = TorchCudaEngine(style, autotune=True)
    (line,) = said
    why = "no Triton here" if how == "crash" else "deviates from FP32 by"
    assert line.startswith("style lips-glaze: torch.compile (max-autotune) cannot be used (") and why in line
    assert line.endswith("the network runs uncompiled") and "\n" not in line
    assert "cannot be used" in made.info.why and made.info.key == TorchCudaEngine(style).info.key
    assert np.abs(made.infer(crops_bgr) - TorchEngine(style, why="").infer(crops_bgr)).max() < 4.0


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler (g++), which torch.compile needs on the CPU")
def test_compiled_network_matches_the_reference(
    crops_bgr: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    from torch._inductor import config  # imported by torch.compile only

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(config.cpp, "vec_isa_ok", True)  # without a trial compilation per instruction set
    style = load_style("lips-glaze")
    runs = record_network(style.load_generator(), style.size_wh, "fp32", device="cpu", autotune=True)
    reference = TorchEngine(style, why="")
    for count in (1, 4):
        assert np.abs(runs(crops_bgr[:count])[0] - reference.infer(crops_bgr[:count])).max() < 0.01
    assert any(tmp_path.rglob("*")), "it was compiled"


@on_gpu
@pytest.mark.parametrize(("precision", "most"), [("fp16", 4.0), ("fp32", 0.05)])
def test_torch_on_a_gpu_matches_the_reference(precision: str, most: float, crops_bgr: NDArray[np.uint8]) -> None:
    style = load_style("lips-glaze")
    made, reference = TorchCudaEngine(style, precision=precision), TorchEngine(style, why="")
    assert made.info.precision == precision and made.info.device != "CPU"
    for count in (1, 2, 4, 3, 1):
        off = np.abs(made.infer(crops_bgr[:count]) - reference.infer(crops_bgr[:count]))
        assert off.shape == (count, 30, 90, 3) and off.max() < most
        of_bytes = made.infer(crops_bgr[:count]).copy()
        assert np.abs(made.infer(crops_bgr[:count].astype(np.float32)) - of_bytes).max() < 0.01
    made.close()


@on_gpu
def test_compiled_network_on_a_gpu_matches_the_reference(crops_bgr: NDArray[np.uint8], said: Said) -> None:
    style = load_style("lips-glaze")
    made = TorchCudaEngine(style, autotune=True)
    assert ("compiled by torch.compile" in made.info.why) == (not said), "it may need what is not installed"
    assert np.abs(made.infer(crops_bgr) - TorchEngine(style, why="").infer(crops_bgr)).max() < 4.0


@on_gpu
def test_a_recording_on_a_gpu_can_be_replayed(crops_bgr: NDArray[np.uint8]) -> None:
    style = load_style("lips-glaze")
    runs = record_network(style.load_generator(), style.size_wh, "fp16")
    first = runs(crops_bgr)[0].copy()
    before = torch.cuda.memory_allocated()
    for _ in range(50):
        assert np.array_equal(runs(crops_bgr)[0], first)
    assert torch.cuda.memory_allocated() == before, "nothing is allocated for a frame"


def test_one_and_several_faces_use_their_own_recording() -> None:
    made: list[int] = []

    def static(count: int) -> StaticRun:
        made.append(count)
        return StaticRun(lambda planes: planes, count, (8, 8), dtype=torch.float32, device="cpu")

    runs = Runs(static)
    assert made == [1, 4]
    for count in (1, 2, 3, 4):
        assert runs(np.zeros((count, 8, 8, 3), np.uint8))[0].shape == (count, 8, 8, 3)
