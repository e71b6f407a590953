"""TensorRT on an NVIDIA GPU: plans are built once and cached, and recorded as a CUDA graph."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engines.cache import cache_entry, engine_cache
from engines.cache.cache_entry import cache_home, record_verdict
from engines.errors import EngineError
from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.fallback import FallbackEngine, FallbackStep
from engines.runtime.tensorrt.distribution import Distribution, installed_distribution
from engines.runtime.tensorrt.loaded_plan import LoadedPlan
from engines.runtime.tensorrt.plan_sources import Plans, PlanSource, plan_source
from engines.runtime.torch.cuda_device import CudaDevice, torch_device
from engines.runtime.torch.cuda_engine import device_parts, gpu_memory_errors, max_deviation, probe_text, style_parts
from engines.styles import Style


class TensorRtEngine(FallbackEngine):
    """See `Engine`. Its answer to a probe is compared with FP32 before it is used.

    Networks of this program fall back to PyTorch FP16 on the GPU, and from there, after NaN, to PyTorch FP32. Raises
    NotUsableError if TensorRT, a GPU or its memory is missing, or the precision is not accurate for this style;
    RuntimeError if building or loading failed; EngineError if the weights are not usable.

    Args:
        build: Build an engine that is not cached, which takes up to a minute.
        precision: "fp16"; of imported graphs also "fp32".
    """

    def __init__(self, style: Style, *, build: bool = True, precision: str = "fp16") -> None:
        distribution = installed_distribution()
        device, source = torch_device(), plan_source(style, precision)
        key = engine_key(style, device, distribution, source, precision)
        not_built = NotUsableError(f"its engine for {style.name} is not built yet", "veneer engines build")
        if not build and not (cache_home() / key).exists():
            raise not_built  # before the weights are read
        with gpu_memory_errors():
            trt = importlib.import_module(distribution.module)
            read = partial(_read_plans, trt, source.counts)
            if build:
                about = cache_entry.EntryDescription(style.name, "tensorrt", precision, "{}x{}".format(*style.size_wh))
                make = partial(source.build, trt)
                plans = engine_cache.load_or_build(key, read=read, make=make, write=_write_plans, about=about)
            elif (found := engine_cache.load(key, read=read)) is not None:
                plans = found
            else:  # the cached entry is not usable here
                raise not_built
            runs, reference = source.runs(lambda count: LoadedPlan(trt, plans[count])), source.reference()
            try:
                deviation = max_deviation(runs, reference, style.input_wh)
            except NotUsableError as error:
                with contextlib.suppress(EngineError):  # the entry stays, so that it is not built again
                    record_verdict(key, passed=False, because=error.reason)
                raise
        info = EngineInfo(style.name, "tensorrt", precision, device.name, probe_text(deviation), key)
        steps = [FallbackStep(runs, "tensorrt", precision, device.name), *source.fallbacks(reference, device)]
        super().__init__(info, steps, size_wh=style.input_wh)


def engine_key(
    style: Style, device: CudaDevice, distribution: Distribution, source: PlanSource, precision: str = "fp16"
) -> str:
    """Return the cache key of the style's engine."""
    return engine_cache.cache_key(
        **style_parts(style),
        **device_parts(device),
        runtime=distribution.versions(),
        precision=precision,
        counts=list(source.counts),
        build=cache_entry.file_digest(source.builder),
    )


def _write_plans(plans: Plans, folder: Path) -> None:
    for count, plan in plans.items():
        (folder / f"faces-{count}.plan").write_bytes(plan)


def _read_plans(trt: Any, counts: Sequence[int], folder: Path) -> Plans:
    """Raises RuntimeError if TensorRT rejects a plan: of another GPU, driver or version."""
    plans = {count: (folder / f"faces-{count}.plan").read_bytes() for count in counts}
    for plan in plans.values():
        LoadedPlan(trt, plan)
    return plans
