"""TensorRT: installed distribution, cache key, loading of plans, and real engines if there is a GPU."""

from __future__ import annotations

import dataclasses
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.gpu_parts import on_gpu
from support.said import Said

from engines.cache import cache_entry, engine_cache
from engines.cache.cache_entry import record_verdict
from engines.runtime.base import NotUsableError
from engines.runtime.tensorrt import distribution, plan_sources, tensorrt_engine
from engines.runtime.tensorrt.distribution import Distribution, installed_distribution
from engines.runtime.tensorrt.loaded_plan import LoadedPlan
from engines.runtime.tensorrt.plan_sources import NetworkSource, plan_source
from engines.runtime.tensorrt.tensorrt_engine import TensorRtEngine, engine_key
from engines.runtime.torch import cuda_engine
from engines.runtime.torch.cuda_device import CudaDevice
from engines.runtime.torch.cuda_graph import StaticRun
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style

RTX = Distribution("torch-tensorrt-rtx", "tensorrt-rtx", "tensorrt_rtx")
DEVICE = CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")


def with_versions(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in versions:
            return versions[name]
        if "tensorrt" in name:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)


def test_the_installed_distribution_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with_versions(monkeypatch, {"torch-tensorrt-rtx": "2.13.0", "tensorrt-rtx": "1.5.0"})
    assert installed_distribution().module == "tensorrt_rtx"
    with_versions(monkeypatch, {"torch-tensorrt": "2.13.0", "tensorrt": "11.0"})
    assert installed_distribution().module == "tensorrt"


def test_no_or_two_distributions_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with_versions(monkeypatch, {})
    with pytest.raises(NotUsableError, match=r"veneer\[nvidia\].*veneer\[rtx\]"):
        installed_distribution()
    every = {"torch-tensorrt-rtx": "2", "tensorrt-rtx": "1", "torch-tensorrt": "2", "tensorrt": "11"}
    with_versions(monkeypatch, every)
    with pytest.raises(NotUsableError, match="exclude each other"):
        installed_distribution()


def test_everything_that_changes_an_engine_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    style = load_style("lips-glaze")
    versions = {"torch-tensorrt-rtx": "2.13.0", "tensorrt-rtx": "1.5.0", "torch-tensorrt": "2.13.0", "tensorrt": "11"}
    with_versions(monkeypatch, versions)

    def key(style: object = style, device: CudaDevice = DEVICE, distribution: Distribution = RTX) -> str:
        return engine_key(style, device, distribution, plan_source(style, "fp16"))  # type: ignore[arg-type]

    base = key()
    assert key() == base
    others = {
        "weights": key(load_style("lips-bright")),
        "size": key(dataclasses.replace(style, size_wh=(180, 60))),
        "arguments": key(dataclasses.replace(style, card={**style.card, "generator_args": {"change": 1}})),
        "gpu": key(device=dataclasses.replace(DEVICE, name="NVIDIA GeForce RTX 3060")),
        "capability": key(device=dataclasses.replace(DEVICE, capability=(8, 6))),
        "cuda": key(device=dataclasses.replace(DEVICE, cuda=(13, 1))),
        "driver": key(device=dataclasses.replace(DEVICE, driver="581.1")),
        "distribution": key(distribution=Distribution("torch-tensorrt", "tensorrt", "tensorrt")),
    }
    for name in ("torch", "tensorrt-rtx", "torch-tensorrt-rtx"):
        with_versions(monkeypatch, {**versions, name: "9.9"})
        others[name] = key()
    assert len({base, *others.values()}) == len(others) + 1, others


class StandIn:
    """TensorRT's module, as far as loading a plan uses it; it takes the plan b"good" alone."""

    class Logger:
        ERROR = 1

        def __init__(self, level: int) -> None: ...

    class TensorIOMode:
        INPUT, OUTPUT = "in", "out"

    class Runtime:
        def __init__(self, logger: object) -> None: ...

        def deserialize_cuda_engine(self, plan: bytes) -> object:
            return StandIn() if plan != b"bad" else None

    num_io_tensors = 0

    def create_execution_context(self) -> object:
        return self


def test_a_rejected_plan_is_built_again(said: Said) -> None:
    with pytest.raises(RuntimeError, match="rejects this plan"):
        LoadedPlan(StandIn, b"bad")
    with pytest.raises(RuntimeError, match="0 inputs and 0 outputs"):
        LoadedPlan(StandIn, b"empty")

    plans = {1: b"bad", 4: b"bad"}
    folder = engine_cache.store(
        engine_cache.cache_key(plan="foreign"), lambda folder: tensorrt_engine._write_plans(plans, folder)
    )
    assert folder is not None
    got = engine_cache.load_or_build(
        engine_cache.cache_key(plan="foreign"),
        read=lambda folder: tensorrt_engine._read_plans(StandIn, (1, 4), folder),
        make=lambda: {1: b"new", 4: b"new"},
        write=tensorrt_engine._write_plans,
        about=cache_entry.EntryDescription(),
    )
    assert got == {1: b"new", 4: b"new"}
    assert len(said) == 1 and "rejects this plan" in said[0]
    assert sorted(path.name for path in folder.glob("*.plan")) == ["faces-1.plan", "faces-4.plan"]


def test_an_unbuilt_engine_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_versions(monkeypatch, {"torch-tensorrt-rtx": "2.13.0", "tensorrt-rtx": "1.5.0"})
    monkeypatch.setattr(tensorrt_engine, "torch_device", lambda: DEVICE)
    with pytest.raises(NotUsableError, match="not built yet.*veneer engines build"):
        TensorRtEngine(load_style("lips-glaze"), build=False)


def test_a_plan_of_another_gpu_is_not_rebuilt_while_live(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    built = with_stand_ins(monkeypatch)
    monkeypatch.setattr(tensorrt_engine, "LoadedPlan", LoadedPlan)
    style = load_style("lips-glaze")
    engine_cache.store(
        engine_key(style, DEVICE, RTX, plan_source(style, "fp16")),
        lambda folder: tensorrt_engine._write_plans({1: b"bad", 4: b"bad"}, folder),
    )
    for _ in range(2):
        with pytest.raises(NotUsableError, match="not built yet.*veneer engines build"):
            TensorRtEngine(style, build=False)
    assert built == []
    assert len(said) == 1 and "rejects this plan" in said[0]


def with_stand_ins(monkeypatch: pytest.MonkeyPatch, spoil: float = 1.0) -> list[int]:
    """The real engine without TensorRT and GPU: its "plans" run in half precision on the CPU."""
    with_versions(monkeypatch, {"torch-tensorrt-rtx": "2.13.0", "tensorrt-rtx": "1.5.0"})
    net = load_style("lips-glaze").load_generator().half()
    built: list[int] = []

    def build(source: NetworkSource, trt: object) -> dict[int, bytes]:
        built.append(1)
        return {1: b"plan of one", 4: b"plan of four"}

    def run(plan: object, count: int, size_wh: tuple[int, int], *, dtype: torch.dtype) -> StaticRun:
        return StaticRun(lambda x: net(x) * spoil, count, size_wh, dtype=dtype, device="cpu")

    monkeypatch.setattr(tensorrt_engine, "torch_device", lambda: DEVICE)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", StandIn)  # type: ignore[arg-type]
    monkeypatch.setattr(tensorrt_engine, "LoadedPlan", lambda trt, plan: plan)
    monkeypatch.setattr(NetworkSource, "build", build)
    monkeypatch.setattr(plan_sources, "StaticRun", run)
    monkeypatch.setattr(plan_sources, "eager_reference", lambda net, device: cuda_engine.eager_reference(net, "cpu"))
    real = cuda_engine.record_network
    monkeypatch.setattr(cuda_engine, "record_network", lambda *arguments: real(*arguments, device="cpu"))
    return built


def test_tensorrt_is_built_once_and_reports_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    built = with_stand_ins(monkeypatch)
    style = load_style("lips-glaze")
    for build in (True, False):
        made = TensorRtEngine(style, build=build)
        assert (made.info.runtime, made.info.precision, made.info.device) == ("tensorrt", "fp16", DEVICE.name)
        assert "deviates from FP32 by" in made.info.why
    assert built == [1]
    (entry,) = cache_entry.entries()
    assert (entry.key, entry.about.style, entry.about.shape) == (made.info.key, "lips-glaze", "90x30")


def test_an_inaccurate_plan_is_rejected_and_not_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    built = with_stand_ins(monkeypatch, spoil=1.5)
    for _ in range(2):
        with pytest.raises(NotUsableError, match="deviates from FP32 by"):
            TensorRtEngine(load_style("lips-glaze"))
    assert built == [1]
    assert [entry.verdict[:19] for entry in cache_entry.entries()] == ["failed: it deviates"]


CROPS = np.random.default_rng(0).integers(0, 256, (2, 30, 90, 3), dtype=np.uint8)


def test_failing_tensorrt_falls_back_to_torch_fp16(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    with_stand_ins(monkeypatch)
    made = TensorRtEngine(load_style("lips-glaze"))
    expected = made.infer(CROPS).copy()

    def lost(*_: object) -> bool:
        raise RuntimeError("TensorRT could not run the engine")

    monkeypatch.setattr(made._steps[0].infer._several, "run", lost)  # type: ignore[attr-defined]
    assert np.abs(made.infer(CROPS) - expected).max() < 4.0
    assert (made.info.runtime, made.info.precision, made.info.device) == ("torch", "fp16", DEVICE.name)
    assert said[-1].endswith("TensorRT could not run the engine: falling back to torch fp16 on NVIDIA GeForce RTX 4090")


@pytest.mark.parametrize("why", ["calibration", "memory"])
def test_unavailable_fp16_fallback_is_skipped(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with_stand_ins(monkeypatch)
    style = load_style("lips-glaze")
    if why == "memory":
        monkeypatch.setattr(cuda_engine, "record_network", full)
    else:
        key = cuda_engine.engine_key(style, "fp16", DEVICE)
        record_verdict(key, passed=False, because="mean dE 2.1, at most 0.5")
    made = TensorRtEngine(style)
    monkeypatch.setattr(made._steps[0].infer._several, "run", full)  # type: ignore[attr-defined]
    assert made.infer(CROPS).shape == CROPS.shape
    assert (made.info.runtime, made.info.precision) == ("torch", "fp32"), "the GPU is not given up for that"


def has_tensorrt() -> bool:
    try:
        return bool(distribution.installed_distribution())
    except NotUsableError:
        return False


@on_gpu
@pytest.mark.skipif(not has_tensorrt(), reason=f"no TensorRT to run: {distribution.INSTALL}")
def test_tensorrt_on_a_gpu_matches_the_reference(portrait_bgr: NDArray[np.uint8], veneer_home: Path) -> None:
    style = load_style("lips-glaze")
    crops_bgr = np.stack([portrait_bgr[y : y + 30, x : x + 90] for y, x in ((125, 180), (60, 200), (300, 100))])
    reference = TorchEngine(style, why="").infer(crops_bgr)
    for _ in range(2):
        made = TensorRtEngine(style)
        assert np.abs(made.infer(crops_bgr) - reference).max() < 4.0
        assert np.abs(made.infer(crops_bgr[:1]) - reference[:1]).max() < 4.0
        made.close()
    (entry,) = cache_entry.entries()
    assert entry.key == made.info.key and entry.build_s is not None
