"""OpenVINO on an Intel GPU or NPU: settings and accuracy check, with a simulated device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.openvino_stand_in import StandInCore
from support.said import Said

from engines import paths
from engines.errors import EngineError
from engines.runtime import selector
from engines.runtime.base import NotUsableError
from engines.runtime.openvino import converted_graph, intel_engine
from engines.runtime.selector import open_engine
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style
from live.options import LiveOptions
from live.render.look_loader import LookLoader

STYLE = load_style("lips-glaze")


@pytest.fixture
def crops_bgr(portrait_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    corners = [(125, 180), (60, 200), (90, 150), (300, 100)]
    return np.stack([portrait_bgr[y : y + 30, x : x + 90] for y, x in corners])


def with_core(monkeypatch: pytest.MonkeyPatch, core: StandInCore) -> StandInCore:
    for module in (converted_graph, intel_engine):
        monkeypatch.setattr(module, "openvino_core", lambda: core)
    return core


@pytest.mark.parametrize(
    ("runtime", "devices", "place"),
    [
        ("openvino-gpu", ("CPU", "GPU"), "GPU"),
        ("openvino-gpu", ("CPU", "GPU.0", "GPU.1", "NPU"), "GPU.0"),
        ("openvino-npu", ("CPU", "GPU", "NPU"), "NPU"),
    ],
)
def test_the_requested_intel_device_is_used(
    runtime: str,
    devices: tuple[str, ...],
    place: str,
    crops_bgr: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = with_core(monkeypatch, StandInCore(devices))
    engine = open_engine(STYLE, runtime=runtime)
    assert (engine.info.runtime, engine.info.precision) == (runtime, "fp16")
    assert engine.info.device == f"Intel(R) stand-in {place}" and engine.info.key
    assert "deviates from FP32 by" in engine.info.why
    reference = TorchEngine(STYLE, why="")
    for count in (1, 4, 2, 3):
        answer = engine.infer(crops_bgr[:count])
        assert answer.shape == (count, 30, 90, 3)
        assert np.abs(answer - reference.infer(crops_bgr[:count])).max() < 0.01
    there = [(settings, shape) for target, settings, shape in core.compiled if target == place]
    assert {target for target, _, _ in core.compiled} == {place, "CPU"}
    assert [shape for _, shape in there] == [[1, 30, 90, 3], [4, 30, 90, 3]], "no shapes that change"
    for settings, _ in there:
        assert settings["INFERENCE_PRECISION_HINT"] == "f16"
        assert Path(settings["CACHE_DIR"]).is_relative_to(paths.cache_dir())
    cpu = [settings for target, settings, _ in core.compiled if target == "CPU"]
    assert all("CACHE_DIR" not in settings for settings in cpu)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(crops_bgr)


@pytest.mark.parametrize("runtime", ["openvino-gpu", "openvino-npu"])
def test_a_missing_device_is_one_line_and_another_engine_runs(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_core(monkeypatch, StandInCore(("CPU", "NPU" if runtime == "openvino-gpu" else "GPU.0")))
    sees = "CPU, NPU here, and no Intel GPU" if runtime == "openvino-gpu" else "CPU, GPU.0 here, and no Intel NPU"
    with pytest.raises(EngineError, match=f"OpenVINO finds {sees}") as caught:
        open_engine(STYLE, runtime=runtime)
    line = str(caught.value)
    assert f"install Intel's {runtime[-3:].upper()} driver" in line and "--runtime openvino" in line
    assert "\n" not in line

    from engines.looks import Layer, Look

    said: list[str] = []
    look_loader = LookLoader({"a": Look("a", "", (Layer(STYLE, 1.0),))}, runtime=runtime, say=said.append)
    look_loader.load("a")
    assert [info.runtime for info in look_loader.engines()] == ["openvino"]
    assert said == [f"{line}; using the best runtime that is usable here"]
    look_loader.close()


def test_intel_runtimes_can_be_requested_by_name() -> None:
    for runtime in intel_engine.DEVICES:
        assert runtime in selector.RUNTIMES
        assert LiveOptions(runtime=runtime).runtime == runtime


def test_a_corrupt_openvino_cache_is_deleted(
    crops_bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    def damaged(place: str, settings: dict[str, Any]) -> None:
        if "CACHE_DIR" in settings:
            raise RuntimeError("Exception from src/a.cpp:1:\nthe blob is cut")

    with_core(monkeypatch, StandInCore(("CPU", "GPU"), before_compile=damaged))
    folder = intel_engine.cache_folder()
    folder.mkdir(parents=True)
    (folder / "1.blob").write_bytes(b"cut")
    engine = intel_engine.IntelEngine(STYLE, runtime="openvino-gpu")
    assert not folder.exists()
    (line,) = said
    assert str(folder) in line and "(the blob is cut)" in line and "\n" not in line
    assert np.abs(engine.infer(crops_bgr) - TorchEngine(STYLE, why="").infer(crops_bgr)).max() < 0.01


def test_inaccurate_fp16_on_an_intel_device_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    with_core(monkeypatch, StandInCore(("CPU", "GPU")))
    monkeypatch.setattr(intel_engine, "deviation_from_fp32", lambda *_: (31.0, False))
    with pytest.raises(NotUsableError, match=r"FP16 deviates from FP32 by 31\.0/255 on a probe"):
        intel_engine.IntelEngine(STYLE, runtime="openvino-gpu")
    with pytest.raises(
        EngineError, match=r"OpenVINO on an Intel GPU is not usable here: FP16 deviates from FP32 by 31\.0"
    ):
        open_engine(STYLE, runtime="openvino-gpu")


def test_an_unconverted_graph_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_core(monkeypatch, StandInCore(("CPU", "GPU")))
    monkeypatch.setattr(selector, "graph_available", lambda style: False)
    with pytest.raises(EngineError, match="not converted yet"):
        open_engine(STYLE, runtime="openvino-gpu", convert=False)
