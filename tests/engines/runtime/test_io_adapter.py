"""Input of every runtime: one to four regions as bytes; anything else is one clear line."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import Engine, EngineInfo, RegionsError
from engines.runtime.hot_swap import HotSwapEngine
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.torch import cuda_device, cuda_engine
from engines.runtime.torch.cuda_engine import TorchCudaEngine
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style
from engines.styles import Style
from engines.text import first_line

Opened = Callable[[Style], Engine]


def stand_in_for_cuda(style: Style) -> Engine:
    """The engine for NVIDIA GPUs, on the CPU instead; no CUDA graph is recorded."""
    device = cuda_device.CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")
    eager, recorded = cuda_engine.eager_reference, cuda_engine.record_network
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_engine, "torch_device", lambda: device)
        patch.setattr(cuda_engine, "eager_reference", lambda net, device: eager(net, "cpu"))
        patch.setattr(cuda_engine, "record_network", lambda *arguments: recorded(*arguments, device="cpu"))
        return TorchCudaEngine(style, precision="fp32")


ENGINES: dict[str, Opened] = {
    "torch": lambda style: TorchEngine(style, why=""),
    "openvino best": OpenVinoEngine,
    "openvino fp32": lambda style: OpenVinoEngine(style, precision="fp32"),
    "cuda stand-in": stand_in_for_cuda,
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Each engine of the style lips-glaze, opened once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENEER_HOME", str(tmp_path_factory.mktemp("h")))
        opened = ENGINES[request.param](load_style("lips-glaze"))
    yield opened
    opened.close()


@pytest.fixture
def crops_bgr(portrait_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Four crops of a real face, one of them its mouth."""
    corners = [(125, 180), (60, 200), (90, 150), (300, 100)]
    return np.stack([portrait_bgr[y : y + 30, x : x + 90] for y, x in corners])


BAD: dict[str, tuple[Any, str]] = {
    "five faces": (np.zeros((5, 30, 90, 3), np.uint8), r"shape \(5, 30, 90, 3\), uint8"),
    "no face": (np.zeros((0, 30, 90, 3), np.uint8), r"shape \(0, 30, 90, 3\)"),
    "doubles": (np.zeros((1, 30, 90, 3)), "float64"),
    "floats": (np.zeros((1, 30, 90, 3), np.float32), "float32"),
    "words": (np.zeros((1, 30, 90, 3), np.int16), "int16"),
    "no batch": (np.zeros((30, 90, 3), np.uint8), r"shape \(30, 90, 3\)"),
    "four channels": (np.zeros((1, 30, 90, 4), np.uint8), r"shape \(1, 30, 90, 4\)"),
    "planes": (np.zeros((1, 3, 30, 90), np.float32), r"shape \(1, 3, 30, 90\)"),
    "a list": ([[0, 0, 0]], "given list"),
}


@pytest.mark.parametrize(("bad", "says"), BAD.values(), ids=BAD.keys())
def test_invalid_regions_are_one_clear_line(engine: Engine, bad: Any, says: str, crops_bgr: NDArray[np.uint8]) -> None:
    with pytest.raises(EngineError, match=says) as caught:
        engine.infer(bad)
    line = str(caught.value)
    assert line.startswith("style lips-glaze: its engine was given ") and "\n" not in line
    assert "1 to 4 BGR regions" in line and "as uint8" in line
    assert engine.infer(crops_bgr).shape == (4, 30, 90, 3), "the engine is as good as before"


@pytest.mark.parametrize("name", ["openvino best", "cuda stand-in"])
def test_a_region_of_another_size_is_rejected(name: str) -> None:
    with pytest.raises(RegionsError, match=r"shape \(1, 90, 30, 3\), uint8 .*\(N, 30, 90, 3\)"):
        ENGINES[name](load_style("lips-glaze")).infer(np.zeros((1, 90, 30, 3), np.uint8))


def test_a_region_may_be_a_view(engine: Engine, crops_bgr: NDArray[np.uint8]) -> None:
    for count in (1, 3):
        mirrored = crops_bgr[:count, :, ::-1]
        assert not mirrored.flags.c_contiguous
        expected = engine.infer(np.ascontiguousarray(mirrored)).copy()
        assert np.array_equal(engine.infer(mirrored), expected)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_output_memory_is_reused(engine: Engine, count: int, crops_bgr: NDArray[np.uint8]) -> None:
    engine.infer(crops_bgr)  # the largest answer was there already
    places = {engine.infer(crops_bgr[:count]).__array_interface__["data"][0] for _ in range(20)}
    assert len(places) == 1


def test_no_region_sized_array_is_allocated_per_call(engine: Engine, crops_bgr: NDArray[np.uint8]) -> None:
    """Counts arrays of NumPy; allocations inside libraries are not included."""
    for count in (1, 4):
        asked = crops_bgr[:count]
        engine.infer(asked)
        tracemalloc.start()
        for _ in range(5):
            engine.infer(asked)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < crops_bgr[0].nbytes


def test_invalid_input_does_not_replace_the_engine(crops_bgr: NDArray[np.uint8]) -> None:
    reported: list[EngineInfo] = []

    def failed(info: EngineInfo, error: EngineError) -> bool:
        reported.append(info)
        return False

    engine = HotSwapEngine(OpenVinoEngine(load_style("lips-glaze")), on_failure=failed)
    for _ in range(2):
        with pytest.raises(RegionsError):
            engine.infer(np.zeros((5, 30, 90, 3), np.uint8))
    assert reported == []
    said = []
    inner = stand_in_for_cuda(load_style("lips-glaze"))
    inner._say = said.append  # type: ignore[attr-defined]
    with pytest.raises(RegionsError):
        inner.infer(np.zeros((5, 30, 90, 3), np.uint8))
    assert (said, inner.info.device) == ([], "NVIDIA GeForce RTX 4090")
    assert engine.infer(crops_bgr).shape == crops_bgr.shape


def test_a_closed_engine_raises_an_error() -> None:
    engine = OpenVinoEngine(load_style("lips-glaze"))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(np.zeros((1, 30, 90, 3), np.uint8))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("out of memory\nTried to allocate 2 GiB", "out of memory"),
        ("\n  indented  \nmore", "indented"),
        ("", "RuntimeError"),
        (
            "Exception from src/inference/src/cpp/core.cpp:117:\nException from src/inference/src/dev/plugin.cpp:112:\n"
            "Check '!m_device_map.empty()' failed at src/plugins/intel_gpu/src/plugin/plugin.cpp:559:\n"
            "[GPU] Can't get it: no supported devices found.\n\n",
            "[GPU] Can't get it: no supported devices found.",
        ),
        ("Check 'a' failed at src/a.cpp:1: it is b", "Check 'a' failed at src/a.cpp:1: it is b"),
        ("Exception from src/inference/src/cpp/core.cpp:84:\n", "Exception from src/inference/src/cpp/core.cpp:84:"),
    ],
)
def test_the_informative_line_of_a_library_error_is_shown(text: str, line: str) -> None:
    assert first_line(RuntimeError(text)) == line
