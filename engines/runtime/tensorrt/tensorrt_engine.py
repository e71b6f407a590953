"""TensorRT in FP16 on an NVIDIA GPU: plans built once, kept in the cache, recorded with their door as a CUDA graph."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engines.cache import engine_cache
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
    fp32_step,
    gpu_memory_errors,
    max_deviation,
    style_parts,
)
from engines.runtime.torch.cuda_graph import Runs, StaticRun
from engines.styles import Style

_COUNTS = (1, MAX_FACES)
Plans = dict[int, bytes]


class TensorRtEngine(FallbackEngine):
    """See `Engine`. Before it is used, its answer to a probe is held against FP32 on the same GPU.

    Where it fails or gives NaN while frames come in, PyTorch FP16 on the GPU goes on; where that gives NaN, FP32 there.
    What goes on after that runs on the CPU: see `safer_engine`.

    Args:
        style: what to run.
        build: whether an engine that is not in the cache is built now, which takes up to a minute.
        say: told what happens, a line at a time.

    Raises:
        NotUsableError: TensorRT, a GPU or room on it is missing, or the style does not hold in FP16.
        RuntimeError: building or loading failed.
        EngineError: the weights are not usable.
    """

    def __init__(
        self, style: Style, *, build: bool = True, say: Callable[[str], None] = engine_cache.print_line
    ) -> None:
        distribution = installed_distribution()
        device = torch_device()
        key = engine_key(style, device, distribution)
        not_yet = NotUsableError(f"its engine for {style.name} is not built yet", "veneer engines build")
        if not build and not (cache_home() / key).exists():
            raise not_yet
        net = style.load_generator()
        with gpu_memory_errors():
            trt = importlib.import_module(distribution.module)
            about = engine_cache.EntryDescription(style.name, "tensorrt", "fp16", "{}x{}".format(*style.size_wh))
            read, make = partial(_read, trt), partial(_built, net, style.size_wh)
            if build:
                plans = engine_cache.load_or_build(key, read=read, make=make, write=_write, about=about, say=say)
            elif (found := engine_cache.load(key, read=read, say=say)) is not None:
                plans = found
            else:  # it lay there, and cannot be used here
                raise not_yet
            runs = Runs(lambda count: _run(LoadedPlan(trt, plans[count]), count, style.size_wh))
            full = eager_reference(net, "cuda")
            try:
                off = max_deviation(runs, full, style.size_wh)
            except NotUsableError as error:
                with contextlib.suppress(EngineError):  # it stays, so that nobody builds the same again
                    record_verdict(key, passed=False, because=error.reason)
                raise
        why = f"at most {off:.1f}/255 off FP32 on a probe"
        info = EngineInfo(style.name, "tensorrt", "fp16", device.name, why, key)
        first = FallbackStep(runs, "tensorrt", "fp16", device.name)
        half = fp16_step(net, full, style, device)
        last = fp32_step(full, device, for_numbers=bool(half))
        super().__init__(info, [first, *half, last], size_wh=style.size_wh, say=say)


def engine_key(style: Style, device: CudaDevice, distribution: Distribution) -> str:
    """The name of the style's engine in the cache: everything that may change its bytes."""
    here = Path(__file__)
    return engine_cache.cache_key(
        **style_parts(style),
        **device_parts(device),
        runtime=distribution.versions(),
        precision="fp16",
        counts=list(_COUNTS),
        build=engine_cache.file_digest(here.with_name("plan_builder.py")),
    )


def _built(net: nn.Module, size_wh: tuple[int, int]) -> Plans:
    from engines.runtime.tensorrt.plan_builder import build_plan

    return {count: build_plan(net, count, size_wh).plan for count in _COUNTS}


def _write(plans: Plans, folder: Path) -> None:
    for count, plan in plans.items():
        (folder / f"faces-{count}.plan").write_bytes(plan)


def _read(trt: Any, folder: Path) -> Plans:
    """Raises RuntimeError where TensorRT does not take a plan: of another GPU, driver or version."""
    plans = {count: (folder / f"faces-{count}.plan").read_bytes() for count in _COUNTS}
    for plan in plans.values():
        LoadedPlan(trt, plan)
    return plans


def _run(plan: LoadedPlan, count: int, size_wh: tuple[int, int]) -> StaticRun:
    return StaticRun(plan, count, size_wh, dtype=torch.float16)
