"""OpenVINO on an Intel GPU or NPU, in FP16: for whoever names it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines import paths
from engines.cache import engine_cache
from engines.errors import EngineError
from engines.runtime.base import EngineInfo, NotUsableError, Regions
from engines.runtime.openvino.converted_graph import load_graph, openvino_core
from engines.runtime.openvino.cpu_engine import deviation_from_fp32, engine_key
from engines.runtime.openvino.graph_run import GraphRun, reshape_graph
from engines.styles import Style
from engines.text import first_line

DEVICES = {"openvino-gpu": "GPU", "openvino-npu": "NPU"}  # runtime: as OpenVINO calls it


class IntelEngine:
    """See `Engine`. Before it is used, its answer to a probe is held against FP32 on the CPU.

    Nobody has run it on such a device yet: here it was tried with a stand-in for one. So "auto" does not take it.

    Args:
        style: what to run.
        runtime: of `DEVICES`.
        say: told what happens, a line at a time.

    Raises:
        NotUsableError: OpenVINO sees no such device, or FP16 does not hold on it for this style.
        RuntimeError: OpenVINO cannot convert or compile it there.
        EngineError: the weights are not usable.
    """

    def __init__(self, style: Style, *, runtime: str, say: Callable[[str], None] = engine_cache.print_line) -> None:
        core = openvino_core()
        place = find_device(core, DEVICES[runtime])
        maker = _Maker(style, core, place)
        why = _with_cache(maker, say)
        self._run: GraphRun | None = maker.run()
        name = str(core.get_property(place, "FULL_DEVICE_NAME"))
        self.info = EngineInfo(style.name, runtime, "fp16", name, why, engine_key(style, "fp16", f"{place} {name}"))

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        if self._run is None:
            raise EngineError(f"style {self.info.style}", "its engine is closed")
        return self._run.infer(regions_bgr)

    def close(self) -> None:
        """Let go of the compiled graphs."""
        self._run = None


def find_device(core: Any, kind: str) -> str:
    """The first device of a kind ("GPU", "NPU"), as OpenVINO numbers it.

    Raises:
        NotUsableError: there is none.
    """
    seen = [str(device) for device in core.available_devices]
    for device in seen:
        if device.split(".")[0] == kind:
            return device
    raise NotUsableError(
        f"OpenVINO sees {', '.join(seen) or 'no device'} here, and no Intel {kind}", f"install Intel's {kind} driver"
    )


def cache_folder() -> Path:
    """Where OpenVINO keeps what it compiled for these devices; on the CPU that does not pay: see `cpu_settings`."""
    return paths.cache_dir() / "openvino"


class _Maker:
    """Compiles a style's graph for a device."""

    def __init__(self, style: Style, core: Any, place: str) -> None:
        self._style, self._core, self._place = style, core, place
        self._graph = load_graph(style, core)
        self.keep = True  # in OpenVINO's own cache: its compilers take seconds there
        self._one: Any = None

    def off(self) -> tuple[float, bool]:
        """See `deviation_from_fp32`."""
        self._one = self._compiled(True, False)
        return deviation_from_fp32(self._one, self._style, self._core)

    def run(self) -> GraphRun:
        """Ready for one face and for several: for exactly four, as these devices take no shapes that change."""
        made = self._one, self._compiled(False, False)
        return GraphRun(self._compiled, made, self._style.name, self._style.size_wh, exact=True)

    def _compiled(self, one: bool, floats: bool) -> Any:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f16"}
        settings |= {"CACHE_DIR": str(cache_folder())} if self.keep else {}
        graph = reshape_graph(self._graph, self._style.size_wh, one=one, floats=floats, exact=True)
        return self._core.compile_model(graph, self._place, settings)


def _with_cache(maker: _Maker, say: Callable[[str], None]) -> str:
    """What to say of a graph that is near FP32: OpenVINO's cache is thrown away where what lies in it is not.

    Raises:
        NotUsableError: it is not near FP32 when it is compiled anew either.
        RuntimeError: it cannot be compiled.
    """
    there = cache_folder().exists()  # compiling makes it
    try:
        most, near = maker.off()
        flaw = "" if near else f"{most:.1f}/255 off FP32"
    except RuntimeError as error:
        most, flaw = 0.0, first_line(error)
    if flaw and there:
        say(f"OpenVINO's cache in {cache_folder()} is thrown away, and all of it compiled again ({flaw})")
        shutil.rmtree(cache_folder(), ignore_errors=True)
    if flaw:
        maker.keep = False
        most, near = maker.off()
        if not near:
            raise NotUsableError(f"FP16 was {most:.1f}/255 off FP32 on a probe")
    return f"at most {most:.1f}/255 off FP32 on a probe"
