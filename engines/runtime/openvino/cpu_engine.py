"""OpenVINO on the CPU: the fastest of INT8, BF16 and FP32 that is close enough to FP32."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.runtime import autotune_choice
from engines.runtime.base import EngineInfo, NotUsableError, shared_cores
from engines.runtime.openvino.converted_graph import GRAPH, load_graph, loaded_graph_key, openvino_core
from engines.runtime.openvino.graph_engine import SEVERAL, GraphEngine, reshape_graph
from engines.runtime.openvino.int8_graph import INSTALL, int8_key, nncf_installed, shipped_int8_key
from engines.runtime.probe import probe_bgr, within_tolerance
from engines.styles import Style
from engines.text import first_line

PRECISIONS = ("int8", "bf16", "fp32")  # the fastest first
_SMALL_REGION_PIXELS = 10_000
_WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")  # values of ONEDNN_MAX_CPU_ISA


class OpenVinoEngine(GraphEngine):
    """See `Engine`. PyTorch is needed only to convert a graph, that is, once for each of the user's own styles.

    "auto" takes the precision that `veneer calibrate machine` chose; else INT8 if calibration built it and it passed;
    else BF16 on processors that have it (twice as fast as FP32), if it passed calibration, or if its answer to a probe
    is close to FP32; else FP32. Raises NotUsableError if the requested precision is not available here, or none is
    left; RuntimeError if OpenVINO cannot convert or compile the graph; EngineError if the weights are not usable.

    Args:
        precision: "auto" or one of `PRECISIONS`, which is then used whatever its verdict is.
        threads: Number of threads; None for the machine's choice or `default_threads`.
        excluded: Precisions that "auto" skips.
    """

    def __init__(
        self,
        style: Style,
        *,
        precision: str = "auto",
        threads: int | None = None,
        excluded: Collection[str] = (),
    ) -> None:
        core = openvino_core()
        device = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        chosen = autotune_choice.engine_choice(style) if precision == "auto" or threads is None else None
        if chosen is not None and chosen.runtime != "openvino":
            chosen = None
        usual = (chosen.threads if chosen else None) or default_threads(style.input_wh)
        threads = threads or min(usual, shared_cores())
        compiler = _Compiler(style, core, device, threads)
        first = (chosen.precision,) if chosen else ()
        found = compiler.best(first, excluded) if precision == "auto" else compiler.requested(precision)
        key = engine_key(style, found.precision, device)
        info = EngineInfo(style.name, "openvino", found.precision, device, found.why, key)
        super().__init__(info, found.one, found.several, style.input_wh)


class _Compiled(NamedTuple):
    """A graph compiled for one region and for several."""

    one: Any
    several: Any
    precision: str
    why: str


class _Compiler:
    """Compiles a style's graph in one precision or another."""

    def __init__(self, style: Style, core: Any, device: str, threads: int) -> None:
        self._style, self._core, self._device, self._threads = style, core, device, threads
        self._has_bf16 = _has_bf16(core)

    def best(self, first: tuple[str, ...], excluded: Collection[str] = ()) -> _Compiled:
        """Return the first accurate precision available; else FP32. Raises NotUsableError if FP32 is excluded too."""
        refusals: list[str] = []
        for precision in dict.fromkeys((*first, *PRECISIONS[:-1])):
            if precision in excluded:
                continue
            if precision == "fp32":
                return self.requested(precision, "measured as the fastest here")
            try:
                found = self._accurate(precision)
            except NotUsableError as error:
                refusals.append(error.reason)
            except RuntimeError as error:  # possibly of this precision only
                refusals.append(f"{precision.upper()} cannot be used here: {first_line(error)}")
            else:
                return found._replace(why="; ".join((found.why, *refusals)))
        if "fp32" in excluded:
            raise NotUsableError("OpenVINO has no other precision left")
        return self.requested("fp32", "; ".join(reversed(refusals)))

    def requested(self, precision: str, why: str = "requested") -> _Compiled:
        """Return one precision, whatever its verdict is. Raises NotUsableError if it is not available here."""
        if precision not in PRECISIONS:
            raise NotUsableError(f"OpenVINO has no precision {precision!r}", f"use {', '.join(PRECISIONS)}")
        if precision == "bf16" and not self._has_bf16:
            raise NotUsableError("this processor has no BF16")
        if precision == "int8":
            return self._int8(why)
        return self._compile(load_graph(self._style, self._core), precision, why)

    def _accurate(self, precision: str) -> _Compiled:
        """Return one precision if it passed calibration or, without a verdict, meets the tolerance on a probe.

        Raises NotUsableError if it is not available here or not accurate.
        """
        found = verdict(engine_key(self._style, precision, self._device))
        if found.startswith("failed"):
            raise NotUsableError(f"{precision.upper()} is not used: calibration {found}")
        if found == "passed":
            return self.requested(precision, "calibration passed")
        if precision == "int8":
            return self._shipped_int8()
        compiled = self.requested(precision)
        deviation, accurate = deviation_from_fp32(compiled.one, self._style, self._core)
        if not accurate:
            raise NotUsableError(f"{precision.upper()} deviates from FP32 by {deviation:.1f}/255")
        return compiled._replace(why=f"deviates from FP32 by at most {deviation:.1f}/255 on a probe, and is faster")

    def _int8(self, why: str) -> _Compiled:
        """Load INT8 from the cache; an entry that OpenVINO rejects is deleted and reported."""

        def read(folder: Path) -> _Compiled:
            return self._compile(self._core.read_model(folder / GRAPH), "int8", why)

        found = engine_cache.load(int8_key(self._style), read=read)
        return found or self._shipped_int8()._replace(why=why)

    def _shipped_int8(self) -> _Compiled:
        """Load the INT8 graph that comes with the program. `live.upgrades.engine_acceptance` tests it on a face."""
        entry = engine_cache.find_shipped(shipped_int8_key(self._style))
        if entry is None:
            raise NotUsableError(f"INT8 is not built here yet ({_how_to_build_int8(self._style)})")
        return self._compile(self._core.read_model(entry / GRAPH), "int8", "it comes with the program")

    def _compile(self, graph: Any, precision: str, why: str) -> _Compiled:
        hint = "f32" if precision == "fp32" or not self._has_bf16 else "bf16"
        settings = compile_settings(hint, self._threads)
        graphs = (reshape_graph(graph, self._style.input_wh, count) for count in (1, SEVERAL))
        one, several = (self._core.compile_model(reshaped, "CPU", settings) for reshaped in graphs)
        return _Compiled(one, several, precision, why)


def _has_bf16(core: Any) -> bool:
    """Whether kernels in BF16 can be used: OpenVINO names what the processor has, whatever oneDNN is limited to."""
    limited = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _WITHOUT_BF16
    return not limited and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _how_to_build_int8(style: Style) -> str:
    install = "" if nncf_installed() else f"{INSTALL}, then "
    return f"{install}veneer calibrate {style.name}"


def compile_settings(hint: str, threads: int) -> dict[str, Any]:
    """Return OpenVINO's settings for the CPU in the precision "f32" or "bf16".

    OpenVINO's own cache (CACHE_DIR) is not used. On two shared cores it saved 15 to 50 of the 20 to 75 ms that a
    shipped graph takes to compile, for 0.9 MB on disk (toon) that nothing ever deletes; and OpenVINO 2026.4 loads a
    file with changed bytes without an error (the answer deviated by 233/255).
    """
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": hint,
        "ENABLE_CPU_PINNING": False,  # a pinned thread would wait while the tracker uses its core
    }


def engine_key(style: Style, precision: str, device: str) -> str:
    """Return the key of the style's engine at its size in one precision on a processor.

    Calibration's verdict is stored under it, and the INT8 engine itself.
    """
    if precision == "int8":
        return int8_key(style)
    graph, size_wh = loaded_graph_key(style), list(style.size_wh)
    return engine_cache.cache_key(graph=graph, size_wh=size_wh, precision=precision, device=device)


def default_threads(size_wh: tuple[int, int]) -> int:
    """Return one thread for lips, otherwise up to four; one core is always left for the tracker."""
    return 1 if size_wh[0] * size_wh[1] < _SMALL_REGION_PIXELS else max(1, min(4, shared_cores() - 1))


def deviation_from_fp32(model: Any, style: Style, core: Any) -> tuple[float, bool]:
    """Compare a compiled graph for one region with FP32 on the CPU on a probe.

    Return the largest deviation in steps of 1/255, and whether the answer is within the tolerance.
    """
    graph = reshape_graph(load_graph(style, core), style.input_wh, 1)
    fp32_model = core.compile_model(graph, "CPU", compile_settings("f32", default_threads(style.input_wh)))
    region_bgr = probe_bgr(style.input_wh)
    answer, reference = (np.array(compiled([region_bgr])[0], np.float32) for compiled in (model, fp32_model))
    return float(np.abs(answer - reference).max()), within_tolerance(answer, reference)
