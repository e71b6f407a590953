"""The runtimes that looks run on: unusable runtimes and GPUs, and engines that fail during a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.fakes import FakeSource, FakeTracker, KeepingSink
from support.own_style import own_style
from support.pipeline_parts import in_background

from engines.errors import EngineError
from engines.looks import Layer, Look
from engines.runtime import openers, selector
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.selector import graph_available, open_engine
from engines.runtime.torch import cuda_device
from engines.runtime.torch.cuda_device import CudaDevice
from engines.style_lookup import load_style
from engines.styles import Style
from live.control.controls import Controls
from live.diagnostics.engine_status import unused_gpu
from live.pipeline.pipeline import Parts, Pipeline
from live.portrait import portrait_bgr
from live.render import look_loader as look_loader_module
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.upgrades.engine_upgrades import runtime_and_precision


def looks_of(*styles: Style) -> dict[str, Look]:
    return {style.name: Look(style.name, "", (Layer(style, 1.0),)) for style in styles}


def test_unusable_runtime_is_reported_once_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise NotUsableError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(openers, "driver_device", none)
    messages: list[str] = []
    look_loader = LookLoader(
        looks_of(load_style("lips-glaze"), load_style("lips-bright")), runtime="tensorrt", say=messages.append
    )
    look_loader.load_all()
    assert [info.runtime for info in look_loader.engines()] == ["openvino", "openvino"]
    (line,) = messages
    assert line.startswith("runtime tensorrt: TensorRT is not usable here: there is no NVIDIA driver")
    assert selector._remedy("tensorrt", "") in line, "the message names the extra to install"
    assert line.endswith("; using the best runtime that is usable here")
    look_loader.close()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], CudaDevice]], None]]:
    """Replace the NVIDIA driver's answer by a function, and PyTorch by one without CUDA."""

    def answers(driver: Callable[[], CudaDevice]) -> None:
        monkeypatch.setattr(cuda_device, "query_driver", lambda load: driver())
        monkeypatch.setattr(torch.version, "cuda", None)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        cuda_device.driver_device.cache_clear()

    yield answers
    cuda_device.driver_device.cache_clear()


def rtx() -> CudaDevice:
    return CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (12, 8))


def fails() -> CudaDevice:
    raise NotUsableError("the NVIDIA driver finds no GPU that it can use", "look at what nvidia-smi says")


def none() -> CudaDevice:
    raise NotUsableError("there is no NVIDIA driver on this machine")


def messages_with(runtime: str) -> list[str]:
    """Return all messages while two looks are loaded."""
    messages: list[str] = []
    looks = looks_of(load_style("lips-glaze"), load_style("lips-bright"))
    look_loader = LookLoader(looks, runtime=runtime, say=messages.append)
    look_loader.load_all()
    look_loader.close()
    return messages


@pytest.mark.parametrize(
    ("driver", "begin", "why", "do"),
    [
        (rtx, "the NVIDIA GeForce RTX 4090 is not used, ", "this PyTorch was built without CUDA", "pip install torch"),
        (fails, "the NVIDIA GPU is not used, ", "the NVIDIA driver finds no GPU that it can use", "nvidia-smi"),
    ],
)
def test_unusable_gpu_is_reported_once_with_the_remedy(gpu: Any, driver: Any, begin: str, why: str, do: str) -> None:
    gpu(driver)
    (line,) = messages_with("auto")
    assert line.startswith(begin) and " runs: " in line and "\n" not in line
    assert f"CUDA FP32 are not usable here: {why} (" in line and do in line
    (line,) = messages_with("torch")
    assert line.startswith(begin) and why in line and line.endswith("(veneer doctor says what to do)")


def test_missing_or_disabled_gpu_is_not_reported(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(none)
    assert messages_with("auto") == messages_with("torch") == []
    gpu(rtx)
    assert messages_with("openvino") == [], "the user chose the CPU"
    gpu(fails)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert messages_with("auto") == []


def test_gpu_with_a_planned_build_is_not_reported(gpu: Any) -> None:
    gpu(rtx)
    engine = open_engine(load_style("lips-glaze"))
    assert unused_gpu(engine.info)
    assert unused_gpu(engine.info, {"openvino"})
    assert unused_gpu(engine.info, {"tensorrt"}) == ""
    on_gpu = replace(engine.info, runtime="torch", precision="fp16", device=rtx().name)
    assert "TensorRT is not usable" in on_gpu.why and unused_gpu(on_gpu) == ""


def test_invalid_weights_are_not_blamed_on_the_runtime() -> None:
    style = own_style()
    style.weights.write_bytes(b"nothing")
    look_loader = LookLoader(looks_of(style), runtime="openvino", say=print)
    with pytest.raises(EngineError, match="weights .* not usable"):
        look_loader.load("mine")


def test_film_waits_for_its_graph() -> None:
    style = own_style()
    look_loader = LookLoader(looks_of(style), runtime="auto", say=print)
    look_loader.load("mine")
    assert [info.runtime for info in look_loader.engines()] == ["openvino"]
    assert graph_available(style)
    assert look_loader.upgrades.progress() == ""
    look_loader.close()


class FailsLater:
    """A real engine that gives NaN after some calls."""

    def __init__(self, engine: Engine, after: int) -> None:
        self._engine, self.info, self._left = engine, engine.info, after

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._left -= 1
        given = self._engine.infer(regions_bgr)
        return given if self._left > 0 else given * np.float32("nan")

    def close(self) -> None:
        self._engine.close()


def let_openvino_fail(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let OpenVINO give NaN after some calls; the fallback does not."""

    def opened(style: Style, build: bool, convert: bool) -> Engine:
        return FailsLater(OpenVinoEngine(style), after)

    candidates = [(label, names, opened if label == "OpenVINO" else old) for label, names, old in selector._CANDIDATES]
    monkeypatch.setattr(selector, "_CANDIDATES", tuple(candidates))


def painted(frame_bgr: NDArray[np.uint8]) -> bool:
    off = np.abs(frame_bgr.astype(np.float32) - portrait_bgr())[125:160, 195:260]
    return bool(off.mean() > 2.0)


def run_with(
    look_loader: LookLoader, sink: KeepingSink, messages: list[str], *, live: bool, frames: int | None = None
) -> tuple[Pipeline, threading.Thread]:
    face = find_faces(portrait_bgr())
    source = FakeSource(lambda index: portrait_bgr(), live=live, interval_s=1 / 60 if live else 0.0, frames=frames)
    controls = Controls(tuple(look_loader._looks), look="lips-glaze")
    pipeline = Pipeline(
        Parts(source, FakeTracker(lambda frame: face), [sink], look_loader, controls), say=messages.append
    )
    thread, errors = in_background(pipeline)
    assert errors == []
    return pipeline, thread


def test_nan_in_a_live_run_falls_back_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    let_openvino_fail(monkeypatch, after=30)
    messages: list[str] = []
    look_loader = LookLoader(
        looks_of(load_style("lips-glaze")), runtime="openvino", say=messages.append, background=True
    )
    sink = KeepingSink(live=True)
    pipeline, thread = run_with(look_loader, sink, messages, live=True)
    wait_for(lambda: any("falling back to" in line for line in messages))
    (info,) = look_loader.engines()
    assert "failed while frames came in" in info.why
    newest = sink.frames[-1].frame_id
    assert sink.wait_for(lambda frames: frames[-1].frame_id > newest + 20, 60.0)
    pipeline.stop()
    thread.join(20)
    assert painted(sink.frames[0].bgr) and painted(sink.frames[-1].bgr)
    (line,) = messages
    assert "gave NaN or infinity: falling back to " in line and "\n" not in line


@pytest.mark.parametrize("another", [True, False])
def test_loader_reports_failures_with_a_fallback(another: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_left(style: Style, failed: EngineInfo, because: EngineError) -> Engine:
        raise EngineError(f"style {style.name}", "it is the last to fall back to")

    let_openvino_fail(monkeypatch, after=3)  # the acceptance test takes two
    if not another:
        monkeypatch.setattr(look_loader_module, "fallback_engine", nothing_left)
    messages: list[str] = []
    look_loader = LookLoader(
        looks_of(load_style("lips-glaze")), runtime="openvino", say=messages.append, background=True
    )
    (layer,) = look_loader.load("lips-glaze").layers
    assert layer.engine is not None
    region_bgr = np.zeros((1, 30, 90, 3), np.uint8)
    other = EngineError("style toon", "it failed")
    with pytest.raises(EngineError, match="gave NaN") as caught:
        layer.engine.infer(region_bgr)
    wait_for(lambda: len(messages) == 1)
    assert ("falling back to" in messages[0]) == look_loader.is_replacing_engine(caught.value) == another
    assert another or "the last to fall back to" in messages[0]
    assert not look_loader.is_replacing_engine(other)
    assert not look_loader.is_replacing_engine(ValueError("style lips-glaze"))
    look_loader.close()


def test_nan_in_a_film_leaves_every_frame_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    let_openvino_fail(monkeypatch, after=12)
    messages: list[str] = []
    look_loader = LookLoader(looks_of(load_style("lips-glaze")), runtime="openvino", say=messages.append)
    sink = KeepingSink()
    _, thread = run_with(look_loader, sink, messages, live=False, frames=40)
    thread.join(120)
    assert len(sink.frames) == 40 and all(painted(frame.bgr) for frame in sink.frames)
    (line,) = messages
    assert "gave NaN or infinity: falling back to " in line


def wait_for(done: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not done() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert done()


def test_swapped_engine_is_shared_by_all_looks() -> None:
    style = load_style("lips-glaze")
    looks = looks_of(style) | {"half": Look("half", "", (Layer(style, 0.5),))}
    messages: list[str] = []
    look_loader = LookLoader(looks, runtime="torch", say=messages.append)
    look_loader.load_all()
    (made,) = look_loader._engines.values()
    made.engine.swap(OpenVinoEngine(style))
    assert [runtime_and_precision(info)[0] for name in looks for info in look_loader.engines(name)] == [
        "openvino",
        "openvino",
    ]
    look_loader.close()
