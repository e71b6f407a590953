"""Open the best engine that this machine can run for a style, and say why better ones are not used."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from importlib.util import find_spec

from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.errors import EngineError, OptionsError
from engines.extras import missing_module
from engines.runtime.autotune_choice import EngineChoice, engine_choice
from engines.runtime.base import Engine, EngineInfo, NotUsableError
from engines.runtime.openers import open_openvino, open_tensorrt, open_torch_cpu, open_torch_cuda
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.styles import Style
from engines.text import first_line

RUNTIMES = ("auto", "openvino", "torch", "tensorrt", "openvino-gpu", "openvino-npu")
_SUGGESTED = RUNTIMES[1:4]  # named in the error if a requested runtime is not usable


class RuntimeNotUsableError(EngineError):
    """The requested runtime is not usable on this machine, or not yet; another one may be."""


Open = Callable[[Style, bool, bool], Engine]  # (style, may build, may convert)


def open_engine(style: Style, *, runtime: str = "auto", build: bool = True, convert: bool = True) -> Engine:
    """Open an engine for a style.

    Raises OptionsError if the runtime's name is unknown; RuntimeNotUsableError if the requested runtime is not usable;
    EngineError if the weights are not usable.

    Args:
        runtime: "tensorrt"; "openvino"; "torch" (on the GPU if there is one); "openvino-gpu" or "openvino-npu" (an
            Intel GPU or NPU); or "auto". "auto" takes what `veneer calibrate machine` chose for this style, else the
            first usable of TensorRT, PyTorch on the GPU, OpenVINO and PyTorch on the CPU whose accuracy did not fail
            calibration. It never takes an Intel GPU or NPU, because their speed beside the tracker was not measured.
        build: Allow building a TensorRT engine (up to a minute, once).
        convert: Allow converting an OpenVINO graph (5 s, once, for the user's own styles).
    """
    check_runtime(runtime)
    labels_by_reason: dict[str, list[str]] = {}
    do = ""
    chosen = engine_choice(style) if runtime == "auto" else None
    for label, runtimes, opened in _candidates(chosen):
        if runtime not in runtimes:
            continue
        try:
            return _accepted(opened(style, build, convert), runtime, labels_by_reason, chosen)
        except NotUsableError as error:
            reason, do = (str(error), "") if runtime == "auto" else (error.reason, error.do)
        except (ImportError, OSError, RuntimeError) as error:
            extra = missing_module(error) if isinstance(error, ImportError) else None
            reason, do = (extra.got, extra.do) if extra else (first_line(error), "")
        labels_by_reason.setdefault(reason, []).append(label)
    raise RuntimeNotUsableError(f"runtime {runtime}", _reasons_text(labels_by_reason), _remedy(runtime, do))


def check_runtime(name: str) -> str:
    """Return the name of a runtime. Raises OptionsError if there is none of that name."""
    if name not in RUNTIMES:
        raise OptionsError(f"--runtime {name}", "there is no such runtime", f"use {', '.join(RUNTIMES)}")
    return name


def reference_engine(style: Style) -> Engine:
    """Open the FP32 reference: PyTorch on the CPU; OpenVINO in FP32 for imported graphs, or without PyTorch.

    Raises EngineError if the weights are not usable, or neither runtime can run the style.
    """
    if find_spec("torch") is not None and style.graph is None:
        return open_torch_cpu(style, "the reference")
    try:
        return open_openvino(style, precision="fp32")
    except NotUsableError as error:
        raise EngineError(f"FP32 reference of style {style.name}", error.reason, error.do) from error


def unused_choice(style: Style, info: EngineInfo, pending: Collection[str] = ()) -> str:
    """Return one line if neither running nor pending is what `veneer calibrate machine` chose; else ""."""
    chosen = engine_choice(style)
    if chosen is None or chosen.runs(info) or chosen.runtime in pending:
        return ""
    return (
        f"{chosen.runtime} {chosen.precision}, which veneer calibrate machine chose for {style.name}, is not usable "
        f"now, and {info.runtime} {info.precision} runs: see veneer doctor, or run veneer calibrate machine again"
    )


def graph_available(style: Style) -> bool:
    """Whether the style's OpenVINO graph is shipped or cached, so that opening it needs no conversion."""
    from engines.runtime.openvino.converted_graph import cached_graph_key, graph_key

    shipped = engine_cache.find_shipped(graph_key(style))
    return shipped is not None or engine_cache.find(cached_graph_key(style)) is not None


def _reasons_text(labels_by_reason: dict[str, list[str]]) -> str:
    """As in "TensorRT and CUDA FP16 are not usable here: there is no NVIDIA driver on this machine"."""
    parts = []
    for reason, labels in labels_by_reason.items():
        names = " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))
        parts.append(f"{names} {'is' if len(labels) == 1 else 'are'} not usable here: {reason}")
    return "; ".join(parts)


def _remedy(runtime: str, do: str) -> str:
    alternatives = " or ".join(f"--runtime {name}" for name in _SUGGESTED if name != runtime)
    if runtime == "tensorrt" and not do:
        try:
            installed_distribution()
        except NotUsableError as error:
            do = error.do
    return f"{do}; or use {alternatives}" if do else f"use {alternatives}"


def _accepted(
    engine: Engine, runtime: str, labels_by_reason: dict[str, list[str]], chosen: EngineChoice | None
) -> Engine:
    """Complete the engine's info. Raises NotUsableError if the runtime is "auto" and the engine failed calibration."""
    found = verdict(engine.info.key) if engine.info.key else ""
    if runtime == "auto" and found.startswith("failed"):
        engine.close()
        raise NotUsableError(f"calibration {found}", "veneer calibrate")
    choice = ""
    if chosen is not None:
        taken = chosen.runs(engine.info) and chosen.precision == engine.info.precision
        choice = str(chosen) if taken else f"veneer calibrate machine chose {chosen.runtime} {chosen.precision}"
    engine.info = engine.info.with_why(engine.info.why, choice, _reasons_text(labels_by_reason), verdict=found)
    return engine


def _openvino(style: Style, build: bool, convert: bool) -> Engine:
    _check_conversion(style, convert)
    return open_openvino(style)


def _openvino_intel(runtime: str, style: Style, build: bool, convert: bool) -> Engine:
    from engines.runtime.openvino.converted_graph import openvino_core
    from engines.runtime.openvino.intel_engine import DEVICES, IntelEngine, find_device

    find_device(openvino_core(), DEVICES[runtime])  # a missing device is reported before a missing graph
    _check_conversion(style, convert)
    return IntelEngine(style, runtime=runtime)


def _check_conversion(style: Style, convert: bool) -> None:
    """Raises NotUsableError if the graph would have to be converted and that is not allowed."""
    if not convert and not graph_available(style):
        raise NotUsableError(f"its graph of {style.name} is not converted yet", "veneer engines build")


_CANDIDATES: tuple[tuple[str, tuple[str, ...], Open], ...] = (  # label, runtimes, constructor; the best first
    ("TensorRT", ("auto", "tensorrt"), lambda style, build, _: open_tensorrt(style, build=build)),
    ("CUDA FP16", ("auto", "torch"), lambda style, *_: open_torch_cuda(style, "fp16")),
    ("CUDA FP32", ("auto", "torch"), lambda style, *_: open_torch_cuda(style, "fp32")),
    ("OpenVINO", ("auto", "openvino"), _openvino),
    ("PyTorch on the CPU", ("auto", "torch"), lambda style, *_: open_torch_cpu(style)),
    ("OpenVINO on an Intel GPU", ("openvino-gpu",), partial(_openvino_intel, "openvino-gpu")),
    ("OpenVINO on an Intel NPU", ("openvino-npu",), partial(_openvino_intel, "openvino-npu")),
)


def _candidates(chosen: EngineChoice | None) -> list[tuple[str, tuple[str, ...], Open]]:
    """Return the candidates in order: the one measured as fastest on this machine, then the usual order."""
    if chosen is None:
        return list(_CANDIDATES)
    label = {"tensorrt": "TensorRT", "openvino": "OpenVINO"}.get(chosen.runtime, "PyTorch on the CPU")
    if chosen.runtime == "torch" and chosen.on_gpu:
        label = f"CUDA {chosen.precision.upper()}"
    return sorted(_CANDIDATES, key=lambda candidate: candidate[0] != label)
