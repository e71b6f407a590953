"""Imported ONNX graphs for TensorRT: axes, colours and ranges as OpenVINO has them, and which formats are read.

Plans run on an NVIDIA GPU only. Here a stand-in computes in PyTorch what the graph's plan would compute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.tflite_writer import TANH, unary_model

from benchmarks.common.onnx_writer import model, node, tensor
from engines.imports.graph_import import GraphOptions
from engines.imports.graph_settings import GraphSettings
from engines.imports.style_import import ImportRequest, import_as_style
from engines.runtime import openers
from engines.runtime.base import NotUsableError
from engines.runtime.openers import check_plan, open_openvino
from engines.runtime.tensorrt import plan_sources, tensorrt_engine
from engines.runtime.tensorrt.distribution import Distribution
from engines.runtime.tensorrt.plan_builder import Plan
from engines.runtime.tensorrt.plan_sources import AdaptedGraph, GraphSource, OneByOne, plan_source
from engines.runtime.torch.cuda_device import CudaDevice
from engines.runtime.torch.cuda_graph import StaticRun
from engines.style_lookup import load_style
from engines.styles import Style

RTX = Distribution("torch-tensorrt-rtx", "tensorrt-rtx", "tensorrt_rtx")
DEVICE = CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), (13, 0), "580.95.05")
SIZE_WH, MIXED = (96, 64), np.array([[0.6, 0.3, 0], [0, 0.5, 0.2], [0.1, 0, 0.7]], np.float32)


def mixing(shape: tuple[int, ...]) -> bytes:
    """A graph that mixes the colours, each in its own way."""
    equation = "oc,nchw->nohw" if shape[1] == 3 else "oc,nhwc->nhwo"
    nodes = [node("Einsum", ["mix", "x"], "z", equation=equation)]
    return model(nodes, [tensor("mix", MIXED)], {"x": shape}, {"z": shape})


def style_of(folder: Path, settings: GraphSettings) -> Style:
    """A style of `mixing`, as its import writes it."""
    path = folder / "mine.onnx"
    path.write_bytes(mixing((1, 3, 64, 96) if settings.layout == "nchw" else (1, 64, 96, 3)))
    return Style("mine", "onnx", path, "frame", SIZE_WH, "picture", None, {}, graph=settings)


def stand_in(settings: GraphSettings) -> Callable[[torch.Tensor], torch.Tensor]:
    """What the plan of `mixing` computes."""
    equation = "oc,nchw->nohw" if settings.layout == "nchw" else "oc,nhwc->nhwo"
    return lambda picture: torch.einsum(equation, torch.from_numpy(MIXED), picture)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colours", ["rgb", "bgr"])
@pytest.mark.parametrize("spans", [("0..1", "0..1"), ("-1..1", "-1..1"), ("0..255", "0..255"), ("0..1", "-1..1")])
def test_picture_is_that_of_openvino(
    layout: str, colours: str, spans: tuple[str, str], tmp_path: Path, portrait_bgr: NDArray[np.uint8]
) -> None:
    settings = GraphSettings(layout, colours, *spans)
    style, adapted = style_of(tmp_path, settings), AdaptedGraph(stand_in(settings), torch.float32, settings)
    crop_bgr = np.ascontiguousarray(portrait_bgr[None, 64:128, 180:276])
    found, finite = StaticRun(adapted, 1, SIZE_WH, dtype=torch.float32, device="cpu").run(crop_bgr)
    expected = open_openvino(style, precision="fp32").infer(crop_bgr)
    assert finite and np.ptp(expected) > 1
    assert np.abs(found - expected).max() < 0.02


def test_bytes_are_rounded_and_nan_is_kept() -> None:
    settings = GraphSettings("nchw", "rgb", "0..255", "0..255")
    levels = torch.arange(256, dtype=torch.float32).reshape(1, 1, 1, 256).repeat(1, 3, 1, 1)
    seen = list[torch.Tensor]()

    def keep(picture: torch.Tensor) -> torch.Tensor:
        seen.append(picture)
        return picture.float().masked_fill(picture == 7, float("nan"))

    out = AdaptedGraph(keep, torch.uint8, settings)(levels / 255)
    assert seen[0].dtype == torch.uint8 and (seen[0] == levels).all()
    assert torch.isnan(out[:, :, :, 7]).all() and torch.isfinite(out[:, :, :, 8:]).all()


def test_graph_of_one_picture_a_call_takes_several() -> None:
    crops_bgr = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    reused = np.empty((1, 8, 8, 3), np.float32)

    def run(regions_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float32], bool]:
        np.copyto(reused, regions_bgr)
        return reused, bool(regions_bgr[0, 0, 0, 0] != crops_bgr[1, 0, 0, 0])

    found, finite = OneByOne(run)(crops_bgr)
    assert (found == crops_bgr).all() and not finite
    assert OneByOne(run)(crops_bgr[:1])[1]


def test_plans_are_made_of_onnx_files_only(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(unary_model([TANH]))
    import_as_style(ImportRequest(name="mine", file=path, graph=GraphOptions(input_range="-1..1")), say=print)
    with pytest.raises(NotUsableError, match="TensorRT does not read imported tflite graphs"):
        check_plan(load_style("mine"))


class StandIn:
    """TensorRT's module, as far as loading a plan uses it."""


@pytest.mark.parametrize("spoiled", [(), ("fp16",), ("fp16", "fp32")])
def test_fp32_replaces_an_inaccurate_fp16(
    spoiled: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait_bgr: NDArray[np.uint8]
) -> None:
    """The engine without TensorRT and GPU: a plan is the name of its precision, and runs as `stand_in` on the CPU."""
    settings = GraphSettings("nhwc", "bgr", "-1..1", "0..1")
    style, built = style_of(tmp_path, settings), list[str]()

    class Plan:
        dtype = torch.float32

        def __init__(self, trt: object, plan: bytes) -> None:
            self._scale = 0.7 if plan.decode() in spoiled else 1.0

        def __call__(self, picture: torch.Tensor) -> torch.Tensor:
            return stand_in(settings)(picture) * self._scale

    def build(source: GraphSource, trt: object) -> dict[int, bytes]:
        built.append("fp16" if source._half else "fp32")
        return dict.fromkeys(source.counts, built[-1].encode())

    run = partial(StaticRun, device="cpu")
    monkeypatch.setattr(plan_sources, "StaticRun", run)
    monkeypatch.setattr(tensorrt_engine, "LoadedPlan", Plan)
    monkeypatch.setattr(GraphSource, "build", build)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", StandIn)  # type: ignore[arg-type]
    for module in (openers, tensorrt_engine):
        monkeypatch.setattr(module, "installed_distribution", lambda: RTX)
    monkeypatch.setattr(Distribution, "versions", lambda _: {"tensorrt-rtx": "1.5.0"})
    monkeypatch.setattr(openers, "driver_device", lambda: DEVICE)
    monkeypatch.setattr(tensorrt_engine, "torch_device", lambda: DEVICE)

    if "fp32" in spoiled:
        with pytest.raises(NotUsableError, match="deviates from FP32 by"):
            openers.open_tensorrt(style)
        return
    expected = "fp32" if spoiled else "fp16"
    for _ in range(2):
        engine = openers.open_tensorrt(style)
        assert (engine.info.runtime, engine.info.precision, engine.info.device) == ("tensorrt", expected, DEVICE.name)
        assert ("FP16 is not usable: " in engine.info.why) == bool(spoiled)
        crops_bgr = np.ascontiguousarray(np.stack([portrait_bgr[64:128, x : x + 96] for x in (180, 60)]))
        reference = open_openvino(style, precision="fp32").infer(crops_bgr)
        assert np.abs(engine.infer(crops_bgr) - reference).max() < 0.02
    assert built == ["fp16", "fp32"][: 1 + bool(spoiled)], "each is built once"


def test_counts_and_precision_are_those_of_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    style = style_of(tmp_path, GraphSettings("nchw", "rgb", "0..1", "0..1"))
    asked = list[tuple[int, bool]]()

    def build(trt: object, graph: bytes, settings: GraphSettings, count: int, size_wh: object, half: bool) -> Plan:
        assert graph == style.weights.read_bytes() and settings == style.graph and size_wh == SIZE_WH
        asked.append((count, half))
        return Plan(b"plan", 0.0, 1, ())

    monkeypatch.setattr("engines.runtime.tensorrt.graph_plan.build_graph_plan", build)
    for precision in ("fp16", "fp32"):
        source = plan_source(style, precision)
        assert isinstance(source, GraphSource)
        assert source.build(None) == dict.fromkeys(source.counts, b"plan")
    assert asked == [(1, True), (4, True), (1, False), (4, False)]
