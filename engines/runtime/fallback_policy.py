"""What goes on for an engine that failed while frames came in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from engines.cache.cache_entry import verdict
from engines.errors import EngineError
from engines.runtime.base import Engine, EngineInfo, NonFiniteError, NotUsableError
from engines.runtime.torch.cuda_device import driver_device
from engines.styles import Style
from engines.text import first_line


def fallback_engine(style: Style, failed: EngineInfo, because: EngineError | None = None) -> Engine:
    """What goes on for an engine that failed while frames came in: as near to it as can be had.

    From TensorRT that is PyTorch on the GPU in FP16; then, where NaN was the trouble, in FP32; then OpenVINO on the
    CPU in the best precision that did not fail; then PyTorch there. What calibration failed is left out, and each but
    the last, which is the reference, has to answer a probe.

    Args:
        style: what runs.
        failed: what it ran on.
        because: how it failed; None where nobody knows.

    Raises:
        EngineError: there is nothing left to fall back to.
    """
    from engines.runtime.torch.reference_engine import TorchEngine

    why = f"{failed.runtime} {failed.precision} failed while frames came in"
    if (failed.runtime, failed.device) == ("torch", "CPU"):
        raise EngineError(f"style {style.name}", f"{why}, and it is the last to fall back to")
    said = [why]
    for name, opened in _below(style, failed, because):
        try:
            engine = _proven(opened(), style)
        except (NotUsableError, EngineError, ImportError, OSError, RuntimeError) as error:
            said.append(f"{name} cannot be used: {error.got if isinstance(error, EngineError) else first_line(error)}")
            continue
        engine.info = dataclasses.replace(engine.info, why="; ".join(filter(None, (*said, engine.info.why))))
        return engine
    return TorchEngine(style, why="; ".join(said))


def _below(style: Style, failed: EngineInfo, because: EngineError | None) -> Iterator[tuple[str, Callable[[], Engine]]]:
    """What there is below an engine, the nearest first."""
    if failed.runtime == "tensorrt":
        yield "torch fp16", partial(_on_gpu, style, "fp16")
    half = failed.precision == "fp16" and failed.runtime in ("tensorrt", "torch")
    if half and (because is None or isinstance(because, NonFiniteError)):
        yield "torch fp32", partial(_on_gpu, style, "fp32")
    yield "openvino", partial(_openvino, style, failed)


def _on_gpu(style: Style, precision: str) -> Engine:
    driver_device()  # before anything is imported that a machine without a GPU does not need
    from engines.runtime.torch.cuda_engine import TorchCudaEngine

    return TorchCudaEngine(style, precision=precision, autotune=False)


def _openvino(style: Style, failed: EngineInfo) -> Engine:
    from engines.runtime.openvino.cpu_engine import PRECISIONS, OpenVinoEngine

    without: tuple[str, ...] = ()
    if failed.runtime == "openvino" and failed.precision in PRECISIONS:
        without = PRECISIONS[: PRECISIONS.index(failed.precision) + 1]
    return OpenVinoEngine(style, without=without)


def _proven(engine: Engine, style: Style) -> Engine:
    """The engine, with calibration's verdict, after it has answered a probe.

    Raises:
        NotUsableError: calibration failed it, or it gives NaN or infinity.
        EngineError: it fails.
    """
    from engines.runtime.probe import probe_bgr

    found = verdict(engine.info.key)
    flaw = f"calibration {found}" if found.startswith("failed") else ""
    if not flaw:
        try:
            flaw = "" if np.isfinite(engine.infer(probe_bgr(style.size_wh))).all() else "it gives NaN or infinity"
        except EngineError:
            engine.close()
            raise
    if flaw:
        engine.close()
        raise NotUsableError(flaw)
    engine.info = dataclasses.replace(engine.info, verdict=found if engine.info.key else "")  # it may have stepped down
    return engine
