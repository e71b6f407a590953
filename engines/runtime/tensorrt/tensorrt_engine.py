"""TensorRT in FP16 on an NVIDIA GPU: plans are built once and cached, and recorded as a CUDA graph."""

from __future__ import annotations

import contextlib
import importlib
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engines.cache import cache_entry, engine_cache
from engines.cache.cache_entry import cache_home, record_verdict
from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, EngineInfo, NotUsableError
from engines.runtime.fallback import FallbackEngine, FallbackStep
from engines.runtime.tensorrt.distribution import Distribution, installed_distribution
from engines.runtime.tensorrt.loaded_plan import LoadedPlan
from engines.runtime.torch.cuda_device import CudaDevice, torch_device
from engines.runtime.torch.cuda_engine import (
    device_parts,
    eager_reference,
    fp16_step,
    gpu_memory_errors,
    max_deviation,
    probe_text,
    style_parts,
)
from engines.runtime.torch.cuda_graph import Runs, StaticRun
from engines.styles import Style

_COUNTS = (1, MAX_FACES)
Plans = dict[int, bytes]  # number of regions: plan


class TensorRtEngine(FallbackEngine):
    """See `Engine`. Its answer to a probe is compared with FP32 on the same GPU before it is used.

    Falls back to PyTorch FP16 on the GPU, and from there, after NaN, to PyTorch FP32. Raises NotUsableError if
    TensorRT, a GPU or its memory is missing, or FP16 is not accurate for this style; RuntimeError if building or
    loading failed; EngineError if the weights are not usable.

    Args:
        build: Build an engine that is not cached, which takes up to a minute.
    """

    def __init__(self, style: Style, *, build: bool = True) -> None:
        distribution = installed_distribution()
        device = torch_device()
        key = engine_key(style, device, distribution)
        not_built = NotUsableError(f"its engine for {style.name} is not built yet", "veneer engines build")
        if not build and not (cache_home() / key).exists():
            raise not_built  # before the weights are read
        net = style.load_generator()
        with gpu_memory_errors():
            trt = importlib.import_module(distribution.module)
            read = partial(_read_plans, trt)
            if build:
                about = cache_entry.EntryDescription(style.name, "tensorrt", "fp16", "{}x{}".format(*style.size_wh))
                make = partial(_build_plans, net, style.input_wh)
                plans = engine_cache.load_or_build(key, read=read, make=make, write=_write_plans, about=about)
            elif (found := engine_cache.load(key, read=read)) is not None:
                plans = found
            else:  # the cached entry is not usable here
                raise not_built
            runs = Runs(lambda count: _static_run(LoadedPlan(trt, plans[count]), count, style.input_wh))
            reference = eager_reference(net, "cuda")
            try:
                deviation = max_deviation(runs, reference, style.input_wh)
            except NotUsableError as error:
                with contextlib.suppress(EngineError):  # the entry stays, so that it is not built again
                    record_verdict(key, passed=False, because=error.reason)
                raise
        info = EngineInfo(style.name, "tensorrt", "fp16", device.name, probe_text(deviation), key)
        fp16 = fp16_step(net, reference, style, device)
        fp32 = FallbackStep(reference, "torch", "fp32", device.name, only_after_nan=bool(fp16))
        steps = [FallbackStep(runs, "tensorrt", "fp16", device.name), *fp16, fp32]
        super().__init__(info, steps, size_wh=style.input_wh)


def engine_key(style: Style, device: CudaDevice, distribution: Distribution) -> str:
    """Return the cache key of the style's engine."""
    return engine_cache.cache_key(
        **style_parts(style),
        **device_parts(device),
        runtime=distribution.versions(),
        precision="fp16",
        counts=list(_COUNTS),
        build=cache_entry.file_digest(Path(__file__).with_name("plan_builder.py")),
    )


def _build_plans(net: nn.Module, size_wh: tuple[int, int]) -> Plans:
    from engines.runtime.tensorrt.plan_builder import build_plan

    return {count: build_plan(net, count, size_wh).plan for count in _COUNTS}


def _write_plans(plans: Plans, folder: Path) -> None:
    for count, plan in plans.items():
        (folder / f"faces-{count}.plan").write_bytes(plan)


def _read_plans(trt: Any, folder: Path) -> Plans:
    """Raises RuntimeError if TensorRT rejects a plan: of another GPU, driver or version."""
    plans = {count: (folder / f"faces-{count}.plan").read_bytes() for count in _COUNTS}
    for plan in plans.values():
        LoadedPlan(trt, plan)
    return plans


def _static_run(plan: LoadedPlan, count: int, size_wh: tuple[int, int]) -> StaticRun:
    return StaticRun(plan, count, size_wh, dtype=torch.float16)
