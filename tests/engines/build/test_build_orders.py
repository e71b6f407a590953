"""Which better engines are offered for building, and a real build in a process of its own."""

from __future__ import annotations

import numpy as np
import pytest
from support.own_style import own_style

from engines.build import build_orders
from engines.build.build_engine import main
from engines.build.build_orders import available_builds, builder_arguments
from engines.build.build_process import BuildProcess
from engines.cache import cache_entry
from engines.cache.cache_entry import verdict
from engines.runtime import autotune_choice
from engines.runtime.autotune_choice import EngineChoice
from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.openvino import int8_graph
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.probe import probe_bgr
from engines.runtime.selector import RuntimeNotUsableError, graph_available, open_engine
from engines.runtime.torch.cuda_device import CudaDevice
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style

SLOW = EngineInfo("lips-glaze", "torch", "fp32", "CPU", "")
BF16 = EngineInfo("lips-glaze", "openvino", "bf16", "CPU", "")
INT8 = EngineInfo("lips-glaze", "openvino", "int8", "CPU", "")
HALF = EngineInfo("lips-glaze", "torch", "fp16", "NVIDIA GeForce RTX 4090", "")
BEST = EngineInfo("lips-glaze", "tensorrt", "fp16", "NVIDIA GeForce RTX 4090", "")


def labels(info: EngineInfo, runtime: str = "auto", name: str = "lips-glaze") -> list[str]:
    return [order.label for order in available_builds(load_style(name), info, runtime)]


@pytest.fixture
def quantiser(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 can be built, whether or not NNCF is installed here."""
    monkeypatch.setattr(int8_graph, "why_not_buildable", lambda style: "")
    monkeypatch.setattr(int8_graph, "int8_builder", lambda: "builder:main")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU and TensorRT are reported as present."""
    device = CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")
    monkeypatch.setattr(build_orders, "driver_device", lambda: device)
    monkeypatch.setattr(build_orders, "installed_distribution", lambda: None)


def test_no_build_is_offered_without_gpu_and_nncf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_graph, "why_not_buildable", lambda style: "NNCF is not installed")
    assert labels(BF16) == []


def test_int8_is_offered_unless_bf16_was_measured_faster(quantiser: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert labels(BF16) == labels(BF16, "openvino") == ["OpenVINO INT8"]
    assert labels(INT8) == labels(BF16, "torch") == []
    measured = EngineChoice("openvino", "bf16", 1, 0.2, 0.3)
    monkeypatch.setattr(autotune_choice, "engine_choice", lambda style: measured)
    assert labels(BF16) == []


def test_int8_is_not_offered_without_a_registered_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_graph, "nncf_installed", lambda: True)
    monkeypatch.setattr(int8_graph, "verdict", lambda key: "uncalibrated")
    monkeypatch.setattr(int8_graph.metadata, "entry_points", lambda **_: ())
    assert labels(BF16) == []
    assert "no builder of INT8 engines" in int8_graph.why_not_buildable(load_style("lips-glaze"))


def test_tensorrt_is_offered_in_place_of_all_others(quantiser: None, gpu: None) -> None:
    assert labels(HALF) == labels(HALF, "tensorrt") == labels(BF16, "tensorrt") == ["TensorRT FP16"]
    assert labels(BEST) == labels(HALF, "torch") == []
    assert labels(SLOW) == ["TensorRT FP16"], "its graph is shipped: building it again would not help"


def test_no_build_is_offered_for_a_gpu_without_tensorrt(
    quantiser: None, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise NotUsableError("TensorRT is not installed")

    monkeypatch.setattr(build_orders, "installed_distribution", missing)
    assert labels(HALF) == []


def test_builder_arguments_name_the_style_exactly() -> None:
    style = load_style("toon").on("frame")
    (order,) = available_builds(style, EngineInfo("toon", "openvino", "bf16", "CPU", ""), "auto") or (None,)
    if order is None:
        pytest.skip(f"no INT8 to order: {int8_graph.why_not_buildable(style)}")
    assert builder_arguments(order.arguments, "") == (style, "")


def test_own_style_starts_at_once_and_its_graph_is_built() -> None:
    style = own_style()
    with pytest.raises(RuntimeNotUsableError, match="its graph of mine is not converted yet"):
        open_engine(style, runtime="openvino", convert=False)
    ready = open_engine(style, convert=False)
    assert (ready.info.runtime, ready.info.device) == ("torch", "CPU")
    (order,) = available_builds(style, ready.info, "auto")
    steps: list[str] = []
    BuildProcess(order.builder, order.arguments, limit_s=order.limit_s, on_step=steps.append).run()
    assert steps == ["build", "check", "done"]
    assert graph_available(style)
    better = open_engine(style, runtime=order.runtime, build=False, convert=False)
    assert order.matches(better.info)
    region_bgr = probe_bgr(style.size_wh)
    assert np.abs(better.infer(region_bgr) - ready.infer(region_bgr)).max() < 8.0
    assert [entry.about.style for entry in cache_entry.entries()] == ["mine"]


def test_an_inaccurate_engine_is_rejected_and_recorded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    key = OpenVinoEngine(load_style("lips-glaze")).info.key
    real = TorchEngine.infer
    monkeypatch.setattr(TorchEngine, "infer", lambda self, regions_bgr: real(self, regions_bgr) + 20.0)
    arguments = ["lips-glaze", "--size", "90x30", "--region", "lips", "--runtime", "openvino"]
    assert main(arguments) == 3
    assert "deviates from FP32 by" in capfd.readouterr().out.splitlines()[-1]
    assert verdict(key).startswith("failed: it deviates from FP32 by 2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unknown", "--size", "90x30", "--region", "lips", "--runtime", "openvino"], "no such style"),
        (["lips-glaze", "--size", "wide", "--region", "lips", "--runtime", "openvino"], "wide"),
        (["lips-glaze", "--size", "90x30", "--region", "lips", "--runtime", "tensorrt"], "not usable here"),
    ],
)
def test_builder_reports_why_it_cannot_build_in_one_line(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if "tensorrt" in arguments and labels(HALF):
        pytest.skip("TensorRT and a GPU are here")
    assert main(arguments) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
