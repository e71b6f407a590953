"""What TensorRT plans are built from: a network of this program, or an imported ONNX graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.errors import EngineError, OptionsError
from engines.imports.graph_file import checked_graph
from engines.imports.graph_settings import RANGES, GraphSettings
from engines.runtime.base import MAX_FACES, Regions
from engines.runtime.fallback import FallbackStep, InferFunction
from engines.runtime.tensorrt.loaded_plan import LoadedPlan
from engines.runtime.torch.cuda_device import CudaDevice
from engines.runtime.torch.cuda_engine import eager_reference, fp16_step
from engines.runtime.torch.cuda_graph import Runs, StaticRun
from engines.styles import Style

Plans = dict[int, bytes]  # number of regions: plan


class PlanSource(Protocol):
    """One style for TensorRT."""

    @property
    def counts(self) -> Sequence[int]:
        """The numbers of regions for which there is a plan each."""

    @property
    def builder(self) -> Path:
        """The file of the code that builds the plans."""

    def build(self, trt: Any) -> Plans:
        """Build the plans. Raises NotUsableError or RuntimeError if TensorRT cannot."""

    def runs(self, load: Callable[[int], LoadedPlan]) -> InferFunction:
        """Return a function that runs the plans, which `load` returns by their number of regions."""

    def reference(self) -> InferFunction:
        """Return the FP32 reference."""

    def fallbacks(self, reference: InferFunction, device: CudaDevice) -> list[FallbackStep]:
        """Return what runs the style on the GPU if TensorRT fails, the fastest first."""


class NetworkSource:
    """A network of this program in FP16. Raises EngineError on first use if its weights are not usable."""

    counts, builder = (1, MAX_FACES), Path(__file__).with_name("plan_builder.py")

    def __init__(self, style: Style) -> None:
        self._style = style

    @functools.cached_property
    def _net(self) -> nn.Module:
        return self._style.load_generator()

    def build(self, trt: Any) -> Plans:
        """See `PlanSource`."""
        from engines.runtime.tensorrt.plan_builder import build_plan

        return {count: build_plan(self._net, count, self._style.input_wh).plan for count in self.counts}

    def runs(self, load: Callable[[int], LoadedPlan]) -> InferFunction:
        """See `PlanSource`."""
        return Runs(lambda count: StaticRun(load(count), count, self._style.input_wh, dtype=torch.float16))

    def reference(self) -> InferFunction:
        """Return the network in FP32 on the GPU."""
        return eager_reference(self._net, "cuda")

    def fallbacks(self, reference: InferFunction, device: CudaDevice) -> list[FallbackStep]:
        """Return PyTorch in FP16, and after NaN in FP32."""
        fp16 = fp16_step(self._net, reference, self._style, device)
        return [*fp16, FallbackStep(reference, "torch", "fp32", device.name, only_after_nan=bool(fp16))]


class GraphSource:
    """An imported ONNX graph.

    Args:
        half: Whether its plans are in FP16, or in FP32.
    """

    builder = Path(__file__).with_name("graph_plan.py")
    counts: Sequence[int]

    def __init__(self, style: Style, settings: GraphSettings, *, half: bool) -> None:
        self._style, self._settings, self._half = style, settings, half
        self.counts = (1,) if settings.one_face else (1, MAX_FACES)

    def build(self, trt: Any) -> Plans:
        """See `PlanSource`."""
        from engines.runtime.tensorrt.graph_plan import build_graph_plan

        try:
            _, graph = checked_graph(self._style.weights)  # the file may have changed since it was imported
        except OptionsError as error:
            raise EngineError(f"weights {self._style.weights}", error.got, "import the style again") from error
        make = partial(build_graph_plan, trt, graph, self._settings, size_wh=self._style.size_wh, half=self._half)
        return {count: make(count=count).plan for count in self.counts}

    def runs(self, load: Callable[[int], LoadedPlan]) -> InferFunction:
        """See `PlanSource`."""

        def create(count: int) -> StaticRun:
            plan = load(count)
            adapted = AdaptedGraph(plan, plan.dtype, self._settings)
            return StaticRun(adapted, count, self._style.size_wh, dtype=torch.float32)

        return OneByOne(create(1).run) if self._settings.one_face else Runs(create)

    def reference(self) -> InferFunction:
        """Return OpenVINO in FP32 on the CPU, which reads the graph independently."""
        from engines.runtime.openvino.cpu_engine import OpenVinoEngine

        engine = OpenVinoEngine(self._style, precision="fp32")
        return lambda regions_bgr: (engine.infer(regions_bgr), True)

    def fallbacks(self, reference: InferFunction, device: CudaDevice) -> list[FallbackStep]:
        """Return none: OpenVINO takes over, as for every engine that fails."""
        return []


class AdaptedGraph:
    """An imported graph as a network of RGB planes, (N, 3, H, W) float32, 0..1.

    Args:
        call: Takes and returns pictures as the settings say.
        dtype: Of what it takes.
    """

    def __init__(self, call: Callable[[Tensor], Tensor], dtype: torch.dtype, settings: GraphSettings) -> None:
        self._call, self._dtype, self._settings = call, dtype, settings

    def __call__(self, planes_rgb: Tensor) -> Tensor:
        """Return the picture, clipped to 0..1."""
        axes_last, is_bgr = self._settings.layout == "nhwc", self._settings.colours == "bgr"
        low, high = RANGES[self._settings.input_range]
        x = (planes_rgb.flip(1) if is_bgr else planes_rgb) * (high - low) + low
        x = x.permute(0, 2, 3, 1) if axes_last else x
        x = x.round() if self._dtype == torch.uint8 else x
        out = self._call(x.to(self._dtype).contiguous()).float()
        out = out.permute(0, 3, 1, 2) if axes_last else out
        low, high = RANGES[self._settings.output_range]
        out = ((out - low) / (high - low)).clamp(0, 1)
        return out.flip(1) if is_bgr else out


class OneByOne:
    """Runs a graph that takes one picture a call on several regions."""

    def __init__(self, run: InferFunction) -> None:
        self._run = run

    def __call__(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """See `StaticRun.run`."""
        if len(regions_bgr) == 1:
            return self._run(regions_bgr)
        found = [(out.copy(), finite) for out, finite in (self._run(one[None]) for one in regions_bgr)]
        return np.concatenate([out for out, _ in found]), all(finite for _, finite in found)


def plan_source(style: Style, precision: str) -> PlanSource:
    """Return what the style's plans are built from; networks of this program have FP16 only."""
    if style.graph is None:
        return NetworkSource(style)
    return GraphSource(style, style.graph, half=precision == "fp16")
