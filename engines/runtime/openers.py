"""Constructors of the engines. Each imports its runtime only when it is called, after the checks that need no import.

They raise NotUsableError, ImportError, OSError or RuntimeError if this machine cannot run the engine, and EngineError
if the weights are not usable.
"""

from __future__ import annotations

from typing import Any

from engines.cache.cache_entry import verdict
from engines.runtime.base import Engine, NotUsableError
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.runtime.torch.cuda_device import driver_device
from engines.styles import Style
from engines.text import first_line


def open_tensorrt(style: Style, precision: str = "", *, build: bool = True) -> Engine:
    """Open TensorRT; see `TensorRtEngine`. Without a precision: FP16, or FP32 if a graph cannot be used in FP16."""
    device = driver_device()  # first: without a GPU nothing heavy is imported
    check_plan(style)
    distribution = installed_distribution()
    from engines.runtime.tensorrt.plan_sources import plan_source
    from engines.runtime.tensorrt.tensorrt_engine import TensorRtEngine, engine_key

    if precision or style.graph is None:
        return TensorRtEngine(style, build=build, precision=precision or "fp16")
    reason = verdict(engine_key(style, device, distribution, plan_source(style, "fp16")))
    if not reason.startswith("failed"):
        try:
            return TensorRtEngine(style, build=build)
        except (NotUsableError, RuntimeError) as error:
            reason = error.reason if isinstance(error, NotUsableError) else first_line(error)
    engine = TensorRtEngine(style, build=build, precision="fp32")
    engine.info = engine.info.with_why(f"FP16 is not usable: {reason}", engine.info.why)
    return engine


def open_torch_cuda(style: Style, precision: str, *, autotune: bool | None = None) -> Engine:
    """Open PyTorch on the GPU; see `TorchCudaEngine`."""
    driver_device()
    _check_network(style)
    from engines.runtime.torch.cuda_engine import TorchCudaEngine

    return TorchCudaEngine(style, precision=precision, autotune=autotune)


def open_openvino(style: Style, **options: Any) -> Engine:
    """Open OpenVINO on the CPU; see `OpenVinoEngine` for the options."""
    from engines.runtime.openvino.cpu_engine import OpenVinoEngine

    return OpenVinoEngine(style, **options)


def open_torch_cpu(style: Style, why: str = "") -> Engine:
    """Open PyTorch on the CPU, the FP32 reference; see `TorchEngine`."""
    _check_network(style)
    from engines.runtime.torch.reference_engine import TorchEngine

    return TorchEngine(style, why=why)


def check_plan(style: Style) -> None:
    """Raises NotUsableError for imported graphs in a format that TensorRT does not read."""
    if style.graph is not None and style.generator != "onnx":
        raise NotUsableError(f"TensorRT does not read imported {style.generator} graphs")


def _check_network(style: Style) -> None:
    """Raises NotUsableError for graphs of other programs."""
    if style.graph is not None:
        raise NotUsableError(f"PyTorch does not run imported {style.generator} graphs")
