"""OpenVINO on the CPU, in INT8, BF16 or FP32: the fastest of them that is near enough to FP32."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines import cache, machine_choice
from engines.cache_entry import verdict
from engines.errors import EngineError
from engines.runtime.base import EngineInfo, NotUsableError, first_line
from engines.runtime.openvino_graph import GRAPH, cached_key, converted, load_openvino, openvino_core
from engines.runtime.openvino_int8 import INSTALL, int8_key
from engines.runtime.openvino_int8 import installed as nncf_installed
from engines.styles import Style

PRECISIONS = ("int8", "bf16", "fp32")  # the fastest first
_MOST_MEAN_OFF, _MOST_OFF = 0.5, 8.0  # of 255, on a probe much harsher than any picture (on lips: 0.15 and 2)


class OpenVinoEngine:
    """See `Engine`. Needs PyTorch only the first time: later starts read the converted graph.

    By itself it takes INT8 where calibration made it and let it pass; else BF16 on processors that have it, about
    twice as fast as FP32, where calibration let it pass or where its answer to a probe is near FP32 on this very
    machine; else FP32. `veneer calibrate machine` may have chosen otherwise.

    Args:
        style: what to run.
        precision: "auto", or one of `PRECISIONS`: then it is that one, whatever calibration said of it.
        threads: None for as many as the machine's choice or `usual_threads` says.

    Raises:
        NotUsableError: the precision that was named is not to be had here.
        RuntimeError: OpenVINO cannot convert or compile it here.
        EngineError: the weights are not usable.
    """

    def __init__(self, style: Style, *, precision: str = "auto", threads: int | None = None) -> None:
        openvino = load_openvino()
        core = openvino_core()
        device = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        chosen = machine_choice.engine_choice(style) if precision == "auto" or threads is None else None
        if chosen is not None and chosen.runtime != "openvino":
            chosen = None
        threads = threads or (chosen.threads if chosen else None) or usual_threads(style.size_wh)
        maker = _Maker(style, core, device, threads)
        first = (chosen.precision,) if chosen else ()
        made = maker.best(first) if precision == "auto" else maker.named(precision)
        self._one, self._several = made.one.create_infer_request(), made.several.create_infer_request()
        self._region_bgr = np.zeros((1, style.size_wh[1], style.size_wh[0], 3), np.uint8)
        self._one.set_input_tensor(0, openvino.Tensor(self._region_bgr, shared_memory=True))
        self.info = EngineInfo(style.name, "openvino", made.precision, device, made.why, maker.key(made.precision))

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        try:
            request = self._one if len(regions_bgr) == 1 else self._several
            if request is self._one:
                np.copyto(self._region_bgr, regions_bgr)
                request.infer()  # its input is bound once: binding costs as much as a layer
            else:
                request.infer([regions_bgr], share_inputs=True)
            out: NDArray[np.float32] = request.get_output_tensor(0).data
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"OpenVINO failed: {first_line(error)}") from error
        return out

    def close(self) -> None:
        """Let go of the compiled graphs."""
        self._one = self._several = None


class _Made(NamedTuple):
    """A graph compiled for one face, the usual case: a fixed shape is a quarter faster; and for several."""

    one: Any
    several: Any
    precision: str
    why: str


class _Maker:
    """Compiles a style's graph in one precision or another."""

    def __init__(self, style: Style, core: Any, device: str, threads: int) -> None:
        self._style, self._core, self._device, self._threads = style, core, device, threads
        self._has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    def key(self, precision: str) -> str:
        """The name under which calibration's verdict lies."""
        return engine_key(self._style, precision, self._device)

    def best(self, first: tuple[str, ...]) -> _Made:
        """The first of the precisions that can be had and that nothing is known against; FP32 in any case."""
        refusals: list[str] = []
        for precision in dict.fromkeys((*first, *PRECISIONS[:-1])):
            if precision == "fp32":
                return self.named(precision, "measured as the best here")
            try:
                made = self._judged(precision)
            except NotUsableError as error:
                refusals.append(error.reason)
            else:
                return made._replace(why="; ".join((made.why, *refusals)))
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
        graph = self._int8_graph() if precision == "int8" else converted(self._style, self._core)
        hint = "f32" if precision == "fp32" or not self._has_bf16 else "bf16"
        return _Made(self._compiled(graph, hint, one=True), self._compiled(graph, hint, one=False), precision, why)

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
        full = self._compiled(converted(self._style, self._core), "f32", one=True)
        asked_bgr = probe(self._style.size_wh)
        answer, reference = (np.array(one([asked_bgr])[0], np.float32) for one in (made.one, full))
        most = np.abs(answer - reference).max()
        if not holds(answer, reference):
            raise NotUsableError(f"{precision.upper()} was {most:.1f}/255 off FP32")
        return made._replace(why=f"at most {most:.1f}/255 off FP32 on a probe, and faster")

    def _int8_graph(self) -> Any:
        entry = cache.find(self.key("int8"))
        if entry is None:
            do = f"veneer calibrate {self._style.name}"
            raise NotUsableError("INT8 is not made here yet", do if nncf_installed() else f"{INSTALL}, then {do}")
        return self._core.read_model(entry / GRAPH)

    def _compiled(self, graph: Any, hint: str, *, one: bool) -> Any:
        width, height = self._style.size_wh
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self._threads}
        settings |= {"INFERENCE_PRECISION_HINT": hint}
        settings |= {"ENABLE_CPU_PINNING": False}  # a pinned thread would wait whenever the tracker has that core
        shaped = graph.clone()
        shaped.reshape([1 if one else (1, 4), height, width, 3])
        return self._core.compile_model(shaped, "CPU", settings)


def engine_key(style: Style, precision: str, device: str) -> str:
    """The name of the style's engine at its size in a precision on a processor; calibration's verdict lies there.

    In INT8 it is also the name of its entry in the cache.
    """
    if precision == "int8":
        return int8_key(style)
    return cache.key(graph=cached_key(style), size_wh=list(style.size_wh), precision=precision, device=device)


def usual_threads(size_wh: tuple[int, int]) -> int:
    """One thread for lips; for larger pictures up to four, but always one core is left for the tracker."""
    return 1 if size_wh[0] * size_wh[1] < 10_000 else max(1, min(4, (os.cpu_count() or 2) - 1))


def holds(answer: NDArray[np.float32], reference: NDArray[np.float32]) -> bool:
    """Whether an engine's answer to the probe is as good as the FP32 reference's, both (1, H, W, 3) of 255."""
    off = np.abs(answer - reference)
    return bool(np.isfinite(off).all() and off.mean() <= _MOST_MEAN_OFF and off.max() <= _MOST_OFF)


def probe(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """What an engine is tried on, (1, H, W, 3): blocks of random colours, with flat places and edges of every kind."""
    width, height = size_wh
    blocks = np.random.default_rng(0).integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(blocks.repeat(6, axis=0).repeat(6, axis=1)[None, :height, :width])
