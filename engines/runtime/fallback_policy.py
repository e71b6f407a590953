"""Which engine replaces one that failed while frames are being processed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np

from engines import extras
from engines.cache.cache_entry import verdict
from engines.errors import EngineError
from engines.runtime.base import Engine, EngineInfo, NonFiniteError, NotUsableError
from engines.runtime.openers import open_openvino, open_torch_cpu, open_torch_cuda
from engines.runtime.openvino.cpu_engine import PRECISIONS
from engines.runtime.probe import probe_bgr
from engines.styles import Style
from engines.text import first_line


def fallback_engine(style: Style, failed: EngineInfo, error: EngineError | None = None) -> Engine:
    """Open the next best engine below one that failed, with `error` if that is known.

    After TensorRT: PyTorch FP16 on the GPU; if the failure was NaN, then PyTorch FP32 on the GPU; neither for imported
    graphs. Then OpenVINO on the
    CPU in the best precision below the failed one, then PyTorch FP32 on the CPU. Engines that failed calibration are
    skipped, and each except the last must answer a probe. Raises EngineError if no engine is left.
    """
    reasons = [f"{failed.name} failed while frames came in"]
    if (failed.runtime, failed.device) == ("torch", "CPU"):
        raise EngineError(f"style {style.name}", f"{reasons[0]}, and it is the last fallback")
    for name, opened in _candidates(style, failed, error):
        try:
            engine = _checked(opened(), style)
        except (NotUsableError, EngineError, ImportError, OSError, RuntimeError) as refusal:
            text = refusal.got if isinstance(refusal, EngineError) else first_line(refusal)
            reasons.append(f"{name} cannot be used: {text}")
            continue
        engine.info = engine.info.with_why(*reasons, engine.info.why)
        return engine
    if style.graph is not None:
        raise EngineError(f"style {style.name}", f"{'; '.join(reasons)}; no other runtime runs imported graphs")
    if find_spec("torch") is None:
        got = f"{'; '.join(reasons)}; PyTorch, the last fallback, is not installed"
        raise EngineError(f"style {style.name}", got, extras.install_command("train"))
    return open_torch_cpu(style, "; ".join(reasons))


def _candidates(
    style: Style, failed: EngineInfo, error: EngineError | None
) -> Iterator[tuple[str, Callable[[], Engine]]]:
    """Yield name and constructor of the engines below the failed one, the best first."""
    if failed.runtime == "tensorrt" and style.graph is None:
        yield "torch fp16", partial(open_torch_cuda, style, "fp16", autotune=False)
    half = failed.precision == "fp16" and failed.runtime in ("tensorrt", "torch") and style.graph is None
    if half and (error is None or isinstance(error, NonFiniteError)):
        yield "torch fp32", partial(open_torch_cuda, style, "fp32", autotune=False)
    index = PRECISIONS.index(failed.precision) + 1 if failed.runtime == "openvino" else 0
    yield "openvino", partial(open_openvino, style, excluded=PRECISIONS[:index])


def _checked(engine: Engine, style: Style) -> Engine:
    """Return the engine with its verdict after it has answered a probe; it is closed on failure.

    Raises NotUsableError if it failed calibration, or its answer contains NaN or infinity; EngineError if it failed.
    """
    found = verdict(engine.info.key)
    try:
        if found.startswith("failed"):
            raise NotUsableError(f"calibration {found}")
        if not np.isfinite(engine.infer(probe_bgr(style.input_wh))).all():
            raise NotUsableError("it gives NaN or infinity")
    except (NotUsableError, EngineError):
        engine.close()
        raise
    # The probe may have made it fall back, which clears its key.
    engine.info = dataclasses.replace(engine.info, verdict=found if engine.info.key else "")
    return engine
