"""Which runtime is opened, and the reasons given against better ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.cache import engine_cache
from engines.cache.cache_entry import record_verdict
from engines.errors import EngineError
from engines.runtime import selector
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.runtime.selector import open_engine, reference_engine
from engines.style_lookup import load_style
from engines.styles import Style

NO_DRIVER = NotUsableError("there is no NVIDIA driver on this machine")
ORDER = ("tensorrt fp16", "torch fp16", "torch fp32", "openvino bf16", "torch cpu")
NAMED_ONLY = ("openvino-gpu fp16", "openvino-npu fp16")


class StandIn:
    def __init__(self, runtime: str, precision: str, key: str) -> None:
        self.info = EngineInfo("lips-glaze", runtime, precision, "here", "fast", key)
        self.closed = False

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(regions_bgr, np.float32)

    def close(self) -> None:
        self.closed = True


def with_engines(monkeypatch: pytest.MonkeyPatch, refused: dict[str, Exception], key: str = "") -> list[bool]:
    """Stand-ins for all runtimes, some of which cannot be used."""
    builds: list[bool] = []

    def opener(name: str, old: tuple[str, tuple[str, ...], object]) -> tuple[str, tuple[str, ...], object]:
        def opened(style: Style, build: bool, convert: bool) -> Engine:
            builds.append(build)
            if name in refused:
                raise refused[name]
            runtime, precision = name.split()
            return StandIn(runtime, precision, key if name == "tensorrt fp16" else "")

        return old[0], old[1], opened

    names = zip((*ORDER, *NAMED_ONLY), selector._CANDIDATES, strict=True)
    monkeypatch.setattr(selector, "_CANDIDATES", tuple(opener(name, old) for name, old in names))
    return builds


@pytest.mark.parametrize("usable", range(5))
def test_auto_takes_the_best_usable_runtime(usable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with_engines(monkeypatch, dict.fromkeys(ORDER[:usable], NO_DRIVER))
    info = open_engine(load_style("lips-glaze")).info
    assert f"{info.runtime} {info.precision}" == ORDER[usable]
    assert ("no NVIDIA driver" in info.why) == (usable > 0)


def test_reasons_against_better_runtimes_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = NotUsableError("the GPU's memory is full", "close other programs that use it")
    with_engines(monkeypatch, {"tensorrt fp16": RuntimeError("no plan\nlong"), "torch fp16": gone, "torch fp32": gone})
    why = open_engine(load_style("lips-glaze")).info.why
    assert why == (
        "fast; TensorRT is not usable here: no plan; CUDA FP16 and CUDA FP32 are not usable here: "
        "the GPU's memory is full (close other programs that use it)"
    )


def test_auto_skips_engines_that_failed_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    key = engine_cache.cache_key(weights="a")
    engine_cache.store(key, lambda folder: (folder / "plan").write_text("plan"))
    with_engines(monkeypatch, {}, key)
    style = load_style("lips-glaze")
    assert open_engine(style).info.runtime == "tensorrt", "uncalibrated is no refusal"
    record_verdict(key, passed=False, because="mean dE 2.1, at most 0.5")
    info = open_engine(style).info
    assert info.runtime == "torch"
    assert "calibration failed: mean dE 2.1, at most 0.5" in info.why
    assert open_engine(style, runtime="tensorrt").info.runtime == "tensorrt", "a named runtime is opened"


@pytest.mark.parametrize("build", [True, False])
def test_the_build_option_reaches_the_runtime(build: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = with_engines(monkeypatch, {})
    open_engine(load_style("lips-glaze"), build=build)
    assert builds == [build]


def test_a_missing_runtime_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NotUsableError("TensorRT is not installed", "pip install 'veneer[rtx]'")

    with_engines(monkeypatch, {"tensorrt fp16": NO_DRIVER})
    monkeypatch.setattr(selector, "installed_distribution", refuse)
    with pytest.raises(EngineError) as caught:
        open_engine(load_style("lips-glaze"), runtime="tensorrt")
    says = str(caught.value)
    assert "no NVIDIA driver" in says and "veneer[rtx]" in says and "--runtime openvino" in says
    assert "\n" not in says


def test_runtime_torch_uses_the_cpu_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engines(monkeypatch, {"torch fp16": NO_DRIVER, "torch fp32": NO_DRIVER})
    info = open_engine(load_style("lips-glaze"), runtime="torch").info
    assert info.precision == "cpu"
    assert info.why.endswith("CUDA FP16 and CUDA FP32 are not usable here: there is no NVIDIA driver on this machine")


def test_auto_never_takes_an_intel_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engines(monkeypatch, dict.fromkeys(ORDER, NO_DRIVER))
    with pytest.raises(EngineError, match="not usable here: there is no NVIDIA driver"):
        open_engine(load_style("lips-glaze"))
    for name in NAMED_ONLY:
        info = open_engine(load_style("lips-glaze"), runtime=name.split()[0]).info
        assert f"{info.runtime} {info.precision}" == name


@pytest.mark.parametrize(("installed", "name"), [(True, "torch fp32"), (False, "openvino fp32")])
def test_reference_without_pytorch_is_openvino_fp32(
    installed: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selector, "find_spec", lambda module: object() if installed else None)
    engine = reference_engine(load_style("lips-glaze"))
    assert engine.info.name == name
    assert engine.infer(np.zeros((1, 30, 90, 3), np.uint8)).shape == (1, 30, 90, 3)
