"""Opens the best engine there is for a style, and says why not a better one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import NamedTuple

from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.errors import EngineError, OptionsError
from engines.runtime.autotune_choice import EngineChoice, engine_choice
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.runtime.fallback_policy import safer_engine
from engines.runtime.tensorrt.distribution import installed
from engines.runtime.torch.cuda_device import driver_device
from engines.styles import Style
from engines.text import first_line

__all__ = ["RUNTIMES", "RuntimeNotUsableError", "Wait", "graph_is_there", "lost_choice", "open_engine", "safer_engine"]

RUNTIMES = ("auto", "openvino", "torch", "tensorrt", "openvino-gpu", "openvino-npu")
_USUAL = RUNTIMES[1:4]  # what somebody is pointed to whose runtime cannot be used


class RuntimeNotUsableError(EngineError):
    """A runtime that was named cannot be used here, or not yet; another one may be."""


class Wait(NamedTuple):
    """What opening an engine may wait for: see `open_engine`."""

    build: bool = True
    convert: bool = True


def open_engine(style: Style, *, runtime: str = "auto", build: bool = True, convert: bool = True) -> Engine:
    """An engine for the style.

    Args:
        style: what to run.
        runtime: "tensorrt", "openvino", "torch" (on the GPU where there is one), or "auto": the best of TensorRT,
            PyTorch on the GPU, OpenVINO and PyTorch on the CPU, in that order, that can be used here and that
            calibration has not found wanting; but first what `veneer calibrate machine` chose for the style here.
            "openvino-gpu" and "openvino-npu", an Intel GPU or NPU, have to be named: whether they are faster than the
            CPU beside them was not measured, and sharing memory and heat with it they may well not be.
        build: whether to wait for an engine that takes long to build (TensorRT: up to a minute, once).
        convert: whether to wait for a graph to be converted (OpenVINO: 5 s, once, for styles of the user's own).

    Raises:
        OptionsError: no such runtime.
        RuntimeNotUsableError: the named runtime is not usable.
        EngineError: the weights are not usable.
    """
    if runtime not in RUNTIMES:
        raise OptionsError(f"runtime {runtime!r}", "there is no such runtime", f"use one of {', '.join(RUNTIMES)}")
    refusals: dict[str, list[str]] = {}  # why: what
    do = ""
    chosen = engine_choice(style) if runtime == "auto" else None
    for label, names, opened in _in_order(chosen):
        if runtime not in names:
            continue
        try:
            return _judged(opened(style, Wait(build, convert)), runtime, refusals, chosen)
        except NotUsableError as error:
            why, do = (str(error), "") if runtime == "auto" else (error.reason, error.do)
        except (ImportError, OSError, RuntimeError) as error:
            why, do = first_line(error), ""
        refusals.setdefault(why, []).append(label)
    raise RuntimeNotUsableError(f"runtime {runtime}", _sentence(refusals), _remedy(runtime, do))


def _sentence(refusals: dict[str, list[str]]) -> str:
    """As in "TensorRT and CUDA FP16 are not usable here: there is no NVIDIA driver on this machine"."""
    said = []
    for why, labels in refusals.items():
        names = " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))
        said.append(f"{names} {'is' if len(labels) == 1 else 'are'} not usable here: {why}")
    return "; ".join(said)


def _remedy(runtime: str, do: str) -> str:
    others = " or ".join(f"--runtime {name}" for name in _USUAL if name != runtime)
    if runtime == "tensorrt" and not do:
        try:
            installed()
        except NotUsableError as error:
            do = error.do
    return f"{do}; or use {others}" if do else f"use {others}"


def _judged(engine: Engine, runtime: str, refusals: dict[str, list[str]], chosen: EngineChoice | None) -> Engine:
    """The engine, with all that there is to say of it; refused where calibration says no and nobody named it.

    Raises:
        NotUsableError: calibration found it wanting.
    """
    found = verdict(engine.info.key) if engine.info.key else ""
    if runtime == "auto" and found.startswith("failed"):
        engine.close()
        raise NotUsableError(f"calibration {found}", "veneer calibrate")
    said = ""
    if chosen is not None:
        is_it = chosen.runs(engine.info) and chosen.precision == engine.info.precision
        said = str(chosen) if is_it else f"veneer calibrate machine chose {chosen.runtime} {chosen.precision}"
    why = "; ".join(filter(None, (engine.info.why, said, _sentence(refusals))))
    engine.info = dataclasses.replace(engine.info, why=why, verdict=found)
    return engine


def _tensorrt(style: Style, wait: Wait) -> Engine:
    driver_device()  # before anything is imported that a machine without a GPU does not need
    installed()
    from engines.runtime.tensorrt.tensorrt_engine import TensorRtEngine

    return TensorRtEngine(style, build=wait.build)


def _torch_half(style: Style, wait: Wait) -> Engine:
    driver_device()
    from engines.runtime.torch.cuda_engine import TorchCudaEngine

    return TorchCudaEngine(style, precision="fp16")


def _torch_full(style: Style, wait: Wait) -> Engine:
    driver_device()
    from engines.runtime.torch.cuda_engine import TorchCudaEngine

    return TorchCudaEngine(style, precision="fp32")


def _openvino(style: Style, wait: Wait) -> Engine:
    from engines.runtime.openvino.cpu_engine import OpenVinoEngine

    _graph_wanted(style, wait)
    return OpenVinoEngine(style)


def _openvino_gpu(style: Style, wait: Wait) -> Engine:
    return _on_intel(style, wait, "openvino-gpu")


def _openvino_npu(style: Style, wait: Wait) -> Engine:
    return _on_intel(style, wait, "openvino-npu")


def _on_intel(style: Style, wait: Wait, runtime: str) -> Engine:
    from engines.runtime.openvino.converted_graph import openvino_core
    from engines.runtime.openvino.intel_engine import DEVICES, IntelEngine, found

    found(openvino_core(), DEVICES[runtime])  # a missing device is the first thing to say
    _graph_wanted(style, wait)
    return IntelEngine(style, runtime=runtime)


def _graph_wanted(style: Style, wait: Wait) -> None:
    """Raises NotUsableError where the graph would have to be converted, and nobody can wait for that."""
    if not wait.convert and not graph_is_there(style):
        raise NotUsableError(f"its graph of {style.name} is not converted yet", "veneer engines build")


def lost_choice(style: Style, info: EngineInfo, coming: Collection[str] = ()) -> str:
    """One line for the user where something else runs than `veneer calibrate machine` chose; else nothing.

    Args:
        style: what runs.
        info: what it runs on.
        coming: runtimes that engines are being built for.
    """
    chosen = engine_choice(style)
    if chosen is None or chosen.runs(info) or chosen.runtime in coming:
        return ""
    return (
        f"{chosen.runtime} {chosen.precision}, which veneer calibrate machine chose for {style.name}, cannot be used "
        f"now, and {info.runtime} {info.precision} runs: veneer doctor says why, veneer calibrate machine chooses anew"
    )


def graph_is_there(style: Style) -> bool:
    """Whether OpenVINO's graph of a style came with the program or is in the cache."""
    from engines.runtime.openvino.converted_graph import cached_key, graph_key

    return engine_cache.shipped(graph_key(style)) is not None or engine_cache.find(cached_key(style)) is not None


def _torch_cpu(style: Style, wait: Wait) -> Engine:
    from engines.runtime.torch.reference_engine import TorchEngine

    return TorchEngine(style, why="")


_CANDIDATES: tuple[tuple[str, tuple[str, ...], Callable[[Style, Wait], Engine]], ...] = (  # the best first
    ("TensorRT", ("auto", "tensorrt"), _tensorrt),
    ("CUDA FP16", ("auto", "torch"), _torch_half),
    ("CUDA FP32", ("auto", "torch"), _torch_full),
    ("OpenVINO", ("auto", "openvino"), _openvino),
    ("PyTorch on the CPU", ("auto", "torch"), _torch_cpu),
    ("OpenVINO on an Intel GPU", ("openvino-gpu",), _openvino_gpu),
    ("OpenVINO on an Intel NPU", ("openvino-npu",), _openvino_npu),
)


def _in_order(chosen: EngineChoice | None) -> list[tuple[str, tuple[str, ...], Callable[[Style, Wait], Engine]]]:
    """The candidates, the best first: what was measured as the best here, then what usually is."""
    if chosen is None:
        return list(_CANDIDATES)
    label = {"tensorrt": "TensorRT", "openvino": "OpenVINO"}.get(chosen.runtime, "PyTorch on the CPU")
    if chosen.runtime == "torch" and chosen.on_gpu:
        label = f"CUDA {chosen.precision.upper()}"
    return sorted(_CANDIDATES, key=lambda one: one[0] != label)
