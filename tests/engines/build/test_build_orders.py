"""Which better engines are worth building, and a real build in a process of its own."""

from __future__ import annotations

import numpy as np
import pytest
from support.own_style import own_style

from engines.build import build_orders
from engines.build.build_engine import main
from engines.build.build_orders import available_builds, named_style
from engines.build.build_process import BuildProcess
from engines.cache import engine_cache
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
from engines.styles import load_style

SLOW = EngineInfo("lips-glaze", "torch", "fp32", "CPU", "")
BF16 = EngineInfo("lips-glaze", "openvino", "bf16", "CPU", "")
INT8 = EngineInfo("lips-glaze", "openvino", "int8", "CPU", "")
HALF = EngineInfo("lips-glaze", "torch", "fp16", "NVIDIA GeForce RTX 4090", "")
BEST = EngineInfo("lips-glaze", "tensorrt", "fp16", "NVIDIA GeForce RTX 4090", "")


def labels(info: EngineInfo, runtime: str = "auto", name: str = "lips-glaze") -> list[str]:
    return [order.label for order in available_builds(load_style(name), info, runtime)]


@pytest.fixture
def quantiser(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 could be built, whether or not NNCF is installed here."""
    monkeypatch.setattr(int8_graph, "why_not_buildable", lambda style: "")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU and TensorRT, as far as who asks for them can tell."""
    device = CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")
    monkeypatch.setattr(build_orders, "driver_device", lambda: device)
    monkeypatch.setattr(build_orders, "installed_distribution", lambda: None)


def test_without_a_gpu_and_a_quantiser_nothing_is_better_than_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_graph, "why_not_buildable", lambda style: "NNCF is not installed")
    assert labels(BF16) == []


def test_int8_is_better_than_bf16_but_for_whom_measured_otherwise(
    quantiser: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert labels(BF16) == labels(BF16, "openvino") == ["OpenVINO INT8"]
    assert labels(INT8) == labels(BF16, "torch") == []
    measured = EngineChoice("openvino", "bf16", 1, 0.2, 0.3)
    monkeypatch.setattr(autotune_choice, "engine_choice", lambda style: measured)
    assert labels(BF16) == []


def test_tensorrt_is_better_than_all_and_nothing_than_it(quantiser: None, gpu: None) -> None:
    assert labels(HALF) == labels(HALF, "tensorrt") == labels(BF16, "tensorrt") == ["TensorRT FP16"]
    assert labels(BEST) == labels(HALF, "torch") == []
    assert labels(SLOW) == ["TensorRT FP16"], "its graph came with the program: something else is the matter"


def test_a_gpu_without_tensorrt_changes_nothing(quantiser: None, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NotUsableError("TensorRT is not installed")

    monkeypatch.setattr(build_orders, "installed_distribution", missing)
    assert labels(HALF) == []


def test_the_builder_is_told_the_very_style() -> None:
    style = load_style("toon").on("frame")
    (order,) = available_builds(style, EngineInfo("toon", "openvino", "bf16", "CPU", ""), "auto") or (None,)
    if order is None:
        pytest.skip(f"no INT8 to order: {int8_graph.why_not_buildable(style)}")
    name, _, size, _, region = order.arguments
    assert named_style(name, size, region) == style


def test_an_own_style_waits_for_nothing_and_gets_its_graph_aside() -> None:
    style = own_style()
    with pytest.raises(RuntimeNotUsableError, match="its graph of mine is not converted yet"):
        open_engine(style, runtime="openvino", convert=False)
    ready = open_engine(style, convert=False)
    assert (ready.info.runtime, ready.info.device) == ("torch", "CPU")
    (order,) = available_builds(style, ready.info, "auto")
    steps: list[str] = []
    BuildProcess(order.module, order.arguments, limit_s=order.limit_s, told=steps.append).run()
    assert steps == ["build", "check", "done"]
    assert graph_available(style)
    better = open_engine(style, runtime=order.runtime, build=False, convert=False)
    assert order.fits(better.info)
    asked_bgr = probe_bgr(style.size_wh)
    assert np.abs(better.infer(asked_bgr) - ready.infer(asked_bgr)).max() < 8.0
    assert [entry.about.style for entry in engine_cache.entries()] == ["mine"]


def test_a_builder_whose_engine_is_off_says_so_and_notes_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    key = OpenVinoEngine(load_style("lips-glaze")).info.key
    real = TorchEngine.infer
    monkeypatch.setattr(TorchEngine, "infer", lambda self, regions_bgr: real(self, regions_bgr) + 20.0)
    wanted = ["lips-glaze", "--size", "90x30", "--region", "lips", "--runtime", "openvino"]
    assert main(wanted) == 3
    assert "of 255 off FP32" in capfd.readouterr().out.splitlines()[-1]
    assert verdict(key).startswith("failed: on a probe it is 2")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (["nobody", "--size", "90x30", "--region", "lips", "--runtime", "openvino"], "no such style"),
        (["lips-glaze", "--size", "wide", "--region", "lips", "--runtime", "openvino"], "wide"),
        (["lips-glaze", "--size", "90x30", "--region", "lips", "--runtime", "tensorrt"], "not usable here"),
    ],
)
def test_a_builder_that_cannot_says_why_in_one_line(
    wanted: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if "tensorrt" in wanted and labels(HALF):
        pytest.skip("TensorRT and a GPU are here")
    assert main(wanted) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert says in line
