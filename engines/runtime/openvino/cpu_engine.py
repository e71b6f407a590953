"""OpenVINO on the CPU, in INT8, BF16 or FP32: the fastest of them that is near enough to FP32."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.errors import EngineError
from engines.runtime import autotune_choice
from engines.runtime.base import EngineInfo, NotUsableError, Regions, usable_cores
from engines.runtime.openvino.converted_graph import GRAPH, cached_graph_key, load_graph, openvino_core
from engines.runtime.openvino.graph_run import Compile, GraphRun, reshape_graph
from engines.runtime.openvino.int8_graph import INSTALL, int8_key, nncf_installed
from engines.runtime.probe import probe_bgr, within_tolerance
from engines.styles import Style
from engines.text import first_line

PRECISIONS = ("int8", "bf16", "fp32")  # the fastest first


class OpenVinoEngine:
    """See `Engine`. Needs PyTorch only the first time: later starts read the converted graph.

    By itself it takes INT8 where calibration made it and let it pass; else BF16 on processors that have it, about
    twice as fast as FP32, where calibration let it pass or where its answer to a probe is near FP32 on this very
    machine; else FP32. `veneer calibrate machine` may have chosen otherwise.

    Args:
        style: what to run.
        precision: "auto", or one of `PRECISIONS`: then it is that one, whatever calibration said of it.
        threads: None for as many as the machine's choice or `default_threads` says.
        without: precisions that "auto" leaves out: they failed while frames came in.
        say: told what happens, a line at a time.

    Raises:
        NotUsableError: the precision that was named is not to be had here, or none is left.
        RuntimeError: OpenVINO cannot convert or compile it here.
        EngineError: the weights are not usable.
    """

    def __init__(
        self,
        style: Style,
        *,
        precision: str = "auto",
        threads: int | None = None,
        without: Collection[str] = (),
        say: Callable[[str], None] = engine_cache.print_line,
    ) -> None:
        core = openvino_core()
        device = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        chosen = autotune_choice.engine_choice(style) if precision == "auto" or threads is None else None
        if chosen is not None and chosen.runtime != "openvino":
            chosen = None
        threads = threads or (chosen.threads if chosen else None) or default_threads(style.size_wh)
        maker = _Maker(style, core, device, threads, say)
        first = (chosen.precision,) if chosen else ()
        made = maker.best(first, without) if precision == "auto" else maker.named(precision)
        self._run: GraphRun | None = GraphRun(made.compiled, (made.one, made.several), style.name, style.size_wh)
        self.info = EngineInfo(style.name, "openvino", made.precision, device, made.why, maker.key(made.precision))

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        if self._run is None:
            raise EngineError(f"style {self.info.style}", "its engine is closed")
        return self._run.infer(regions_bgr)

    def close(self) -> None:
        """Let go of the compiled graphs."""
        self._run = None


class _Made(NamedTuple):
    """A graph compiled for one face and for several; and what compiles it anew, for floats."""

    one: Any
    several: Any
    compiled: Compile
    precision: str
    why: str


class _Maker:
    """Compiles a style's graph in one precision or another."""

    def __init__(self, style: Style, core: Any, device: str, threads: int, say: Callable[[str], None]) -> None:
        self._style, self._core, self._device, self._threads, self._say = style, core, device, threads, say
        self._has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    def key(self, precision: str) -> str:
        """The name under which calibration's verdict lies."""
        return engine_key(self._style, precision, self._device)

    def best(self, first: tuple[str, ...], without: Collection[str] = ()) -> _Made:
        """The first of the precisions that can be had and that nothing is known against; else FP32.

        Raises:
            NotUsableError: FP32 is to be left out too.
        """
        refusals: list[str] = []
        for precision in dict.fromkeys((*first, *PRECISIONS[:-1])):
            if precision in without:
                continue
            if precision == "fp32":
                return self.named(precision, "measured as the best here")
            try:
                made = self._judged(precision)
            except NotUsableError as error:
                refusals.append(error.reason)
            except RuntimeError as error:  # it may be this precision alone
                refusals.append(f"{precision.upper()} cannot be used here: {first_line(error)}")
            else:
                return made._replace(why="; ".join((made.why, *refusals)))
        if "fp32" in without:
            raise NotUsableError("no other precision of OpenVINO's is left")
        return self.named("fp32", "; ".join(reversed(refusals)))

    def named(self, precision: str, why: str = "it was named") -> _Made:
        """That precision.

        Raises:
            NotUsableError: it cannot be had here.
        """
        if precision not in PRECISIONS:
            raise NotUsableError(f"OpenVINO has no precision {precision!r}", f"use {', '.join(PRECISIONS)}")
        if precision == "bf16" and not self._has_bf16:
            raise NotUsableError("this processor has no BF16")
        if precision == "int8":
            return self._int8(why)
        return self._made(load_graph(self._style, self._core), precision, why)

    def _judged(self, precision: str) -> _Made:
        """That precision, as calibration says, or else the probe.

        Raises:
            NotUsableError: it cannot be had here, or may not be used.
        """
        said = verdict(self.key(precision))
        if said.startswith("failed"):
            raise NotUsableError(f"{precision.upper()} is not used: calibration {said}")
        if said == "passed":
            return self.named(precision, "calibration passed it")
        if precision == "int8":
            do = "veneer calibrate" if nncf_installed() else INSTALL
            raise NotUsableError(f"INT8 is not made here yet ({do})")
        made = self.named(precision)
        most, near = deviation_from_fp32(made.one, self._style, self._core)
        if not near:
            raise NotUsableError(f"{precision.upper()} was {most:.1f}/255 off FP32")
        return made._replace(why=f"at most {most:.1f}/255 off FP32 on a probe, and faster")

    def _int8(self, why: str) -> _Made:
        """From the cache; an entry that OpenVINO does not take is thrown away, which is said."""

        def read(folder: Path) -> _Made:
            try:
                return self._made(self._core.read_model(folder / GRAPH), "int8", why)
            except RuntimeError as error:
                raise RuntimeError(first_line(error)) from error

        made = engine_cache.load(self.key("int8"), read=read, say=self._say)
        if made is None:
            do = f"veneer calibrate {self._style.name}"
            raise NotUsableError("INT8 is not made here yet", do if nncf_installed() else f"{INSTALL}, then {do}")
        return made

    def _made(self, graph: Any, precision: str, why: str) -> _Made:
        hint = "f32" if precision == "fp32" or not self._has_bf16 else "bf16"
        settings = compile_settings(hint, self._threads)

        def compiled(one: bool, floats: bool) -> Any:
            return self._core.compile_model(
                reshape_graph(graph, self._style.size_wh, one=one, floats=floats), "CPU", settings
            )

        return _Made(compiled(True, False), compiled(False, False), compiled, precision, why)


def compile_settings(hint: str, threads: int) -> dict[str, Any]:
    """What OpenVINO is asked for on the CPU, in the precision "f32" or "bf16".

    No cache of its own (CACHE_DIR): on a shared machine of two cores it saved 15 to 50 of the 20 to 75 ms that one of
    the shipped graphs takes to compile, for 0.9 MB on disk (toon) that nothing ever removes; and OpenVINO 2026.4 loads
    a file with changed bytes without a word: the answer was 233 of 255 off.
    """
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    settings |= {"INFERENCE_PRECISION_HINT": hint}
    return settings | {"ENABLE_CPU_PINNING": False}  # a pinned thread would wait whenever the tracker has that core


def engine_key(style: Style, precision: str, device: str) -> str:
    """The name of the style's engine at its size in a precision on a processor; calibration's verdict lies there.

    In INT8 it is also the name of its entry in the cache.
    """
    if precision == "int8":
        return int8_key(style)
    return engine_cache.cache_key(
        graph=cached_graph_key(style), size_wh=list(style.size_wh), precision=precision, device=device
    )


def default_threads(size_wh: tuple[int, int]) -> int:
    """One thread for lips; for larger pictures up to four, but always one core is left for the tracker."""
    return 1 if size_wh[0] * size_wh[1] < 10_000 else max(1, min(4, usable_cores() - 1))


def deviation_from_fp32(one: Any, style: Style, core: Any) -> tuple[float, bool]:
    """How far off FP32 on the CPU a compiled graph for one face is at most on the probe, of 255; whether it holds."""
    graph = reshape_graph(load_graph(style, core), style.size_wh, one=True, floats=False)
    full = core.compile_model(graph, "CPU", compile_settings("f32", default_threads(style.size_wh)))
    asked_bgr = probe_bgr(style.size_wh)
    answer, reference = (np.array(model([asked_bgr])[0], np.float32) for model in (one, full))
    return float(np.abs(answer - reference).max()), within_tolerance(answer, reference)
