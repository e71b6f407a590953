"""The measured choice is used unless the user requests a runtime or the choice is not usable."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.build import build_orders
from engines.build.build_orders import available_builds
from engines.looks import Layer, Look
from engines.runtime import autotune_choice, selector
from engines.runtime.autotune_choice import EngineChoice, choice_file, engine_choice, engine_name, fingerprint
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.runtime.openvino import int8_graph
from engines.runtime.selector import open_engine, unused_choice
from engines.runtime.torch.cuda_device import CudaDevice
from engines.style_lookup import load_style
from engines.styles import Style
from live.render.look_loader import LookLoader

LIPS = "lips-glaze"
NO_TENSORRT = NotUsableError("TensorRT is not installed")
OTHERS = ("openvino int8 0.20 ms", "torch fp32 on the CPU 1.20 ms")
CHOICES = {
    "TensorRT": EngineChoice("tensorrt", "fp16", 0, 0.1, 0.2, True, OTHERS),
    "CUDA FP16": EngineChoice("torch", "fp16", 0, 0.1, 0.2, True, OTHERS),
    "CUDA FP32": EngineChoice("torch", "fp32", 0, 0.1, 0.2, True, OTHERS),
    "OpenVINO": EngineChoice("openvino", "bf16", 1, 0.1, 0.2, False, OTHERS),
    "PyTorch on the CPU": EngineChoice("torch", "fp32", 0, 0.1, 0.2, False, OTHERS),
}


class StandIn:
    def __init__(self, choice: EngineChoice) -> None:
        device = "NVIDIA GeForce RTX 4090" if choice.on_gpu else "CPU"
        self.info = EngineInfo(LIPS, choice.runtime, choice.precision, device, "fast")

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(regions_bgr, np.float32)

    def close(self) -> None: ...


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Stand-ins for all runtimes as on a machine that has them; those in the set cannot be used."""
    missing: set[str] = set()

    def opener(label: str) -> object:
        def opened(style: Style, build: bool, convert: bool) -> Engine:
            if label in missing:
                raise NO_TENSORRT
            return StandIn(CHOICES[label])

        return opened

    replaced = tuple((label, names, opener(label)) for label, names, _ in selector._CANDIDATES)
    monkeypatch.setattr(selector, "_CANDIDATES", replaced)
    return missing


def written(choice: EngineChoice, *names: str) -> Style:
    styles = [load_style(name) for name in names or (LIPS,)]
    autotune_choice.write({engine_name(style): autotune_choice.engine_entry(style, choice) for style in styles}, {})
    return styles[0]


@pytest.mark.parametrize("label", CHOICES)
def test_the_measured_choice_is_used_and_its_times_are_shown(label: str, gone: set[str]) -> None:
    style = written(CHOICES[label])
    assert engine_choice(style) == CHOICES[label]
    info = open_engine(style).info
    assert (info.runtime, info.precision, info.device != "CPU") == (
        CHOICES[label].runtime,
        CHOICES[label].precision,
        CHOICES[label].on_gpu,
    )
    assert info.why == (
        "fast; chosen by veneer calibrate machine: 0.10 ms, p95 0.20; "
        "slower: openvino int8 0.20 ms, torch fp32 on the CPU 1.20 ms"
    )
    assert unused_choice(style, info) == ""


def test_a_requested_runtime_overrides_the_choice(gone: set[str]) -> None:
    style = written(CHOICES["OpenVINO"])
    info = open_engine(style, runtime="tensorrt").info
    assert (info.runtime, info.why) == ("tensorrt", "fast")
    assert open_engine(style, runtime="torch").info.precision == "fp16"


def test_an_unusable_choice_is_reported_and_skipped(gone: set[str]) -> None:
    style = written(CHOICES["TensorRT"])
    gone.add("TensorRT")
    info = open_engine(style).info
    assert (info.runtime, info.precision) == ("torch", "fp16")
    assert "veneer calibrate machine chose tensorrt fp16" in info.why
    assert info.why.endswith("TensorRT is not usable here: TensorRT is not installed")
    line = unused_choice(style, info)
    assert line == (
        "tensorrt fp16, which veneer calibrate machine chose for lips-glaze, is not usable now, and torch fp16 runs: "
        "see veneer doctor, or run veneer calibrate machine again"
    )
    assert unused_choice(style, info, {"tensorrt"}) == "", "it is being built"


@pytest.mark.parametrize("background", [True, False])
def test_a_run_reports_an_unused_choice_once(background: bool, gone: set[str]) -> None:
    written(CHOICES["TensorRT"], LIPS, "lips-bright")
    gone.update(("TensorRT", "CUDA FP16", "CUDA FP32"))
    looks = {name: Look(name, "", (Layer(load_style(name), 1.0),)) for name in (LIPS, "lips-bright")}
    for runtime, says in (("auto", 1), ("openvino", 0)):
        said: list[str] = []
        look_loader = LookLoader(
            looks, runtime=runtime, say=said.append, background=background, available_builds=lambda *_: ()
        )
        look_loader.load_all()
        look_loader.close()
        assert len(said) == says, said
        assert all("openvino bf16 runs" in line for line in said)


def test_a_stale_choice_is_not_used(gone: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    style, here = written(CHOICES["OpenVINO"]), fingerprint()
    monkeypatch.setattr(autotune_choice, "fingerprint", lambda: {**here, "torch": "9.9"})
    info = open_engine(style).info
    assert (info.runtime, info.why) == ("tensorrt", "fast")
    assert unused_choice(style, info) == ""


def test_without_a_choice_no_fingerprint_is_computed(gone: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> None:
        raise AssertionError("a machine that was never measured is asked what it is")

    monkeypatch.setattr(autotune_choice, "fingerprint", asked)
    assert not choice_file().exists()
    assert open_engine(load_style(LIPS)).info.runtime == "tensorrt"


def test_no_build_is_offered_if_the_choice_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a GPU, TensorRT and a quantiser."""
    device = CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")
    monkeypatch.setattr(build_orders, "driver_device", lambda: device)
    monkeypatch.setattr(build_orders, "installed_distribution", lambda: None)
    monkeypatch.setattr(int8_graph, "why_not_buildable", lambda style: "")
    bf16 = EngineInfo(LIPS, "openvino", "bf16", "CPU", "")
    half = EngineInfo(LIPS, "torch", "fp16", device.name, "")

    def labels(choice: EngineChoice, info: EngineInfo, runtime: str = "auto") -> list[str]:
        return [order.label for order in available_builds(written(choice), info, runtime)]

    int8 = EngineChoice("openvino", "int8", 1, 0.1, 0.2)
    assert labels(CHOICES["OpenVINO"], bf16) == [] and labels(CHOICES["CUDA FP16"], half) == []
    assert labels(int8, bf16) == ["OpenVINO INT8"] and labels(CHOICES["TensorRT"], half) == ["TensorRT FP16"]
    assert labels(CHOICES["CUDA FP16"], bf16) == ["TensorRT FP16", "OpenVINO INT8"], "it is gone: whatever helps"
    assert labels(CHOICES["TensorRT"], bf16, "openvino") == ["OpenVINO INT8"], "a named runtime gets its best precision"
