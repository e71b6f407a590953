"""OpenVINO in FP16 on an Intel GPU or NPU, for users who request it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from engines import paths
from engines.cache.engine_cache import print_line
from engines.runtime.base import MAX_FACES, EngineInfo, NotUsableError
from engines.runtime.openvino.converted_graph import load_graph, openvino_core
from engines.runtime.openvino.cpu_engine import deviation_from_fp32, engine_key
from engines.runtime.openvino.graph_engine import GraphEngine, reshape_graph
from engines.styles import Style
from engines.text import first_line

DEVICES = {"openvino-gpu": "GPU", "openvino-npu": "NPU"}  # runtime: OpenVINO's name of the device


class IntelEngine(GraphEngine):
    """See `Engine`. Its answer to a probe is compared with FP32 on the CPU before it is used.

    It was tested with a simulated device only, so "auto" does not take it. Raises NotUsableError if OpenVINO finds no
    such device, or FP16 is not accurate on it for this style; RuntimeError if OpenVINO cannot convert or compile the
    graph; EngineError if the weights are not usable.
    """

    def __init__(self, style: Style, *, runtime: str) -> None:
        core = openvino_core()
        device = find_device(core, DEVICES[runtime])
        one, several, deviation = _compile(style, core, device)
        name = str(core.get_property(device, "FULL_DEVICE_NAME"))
        why = f"deviates from FP32 by at most {deviation:.1f}/255 on a probe"
        info = EngineInfo(style.name, runtime, "fp16", name, why, engine_key(style, "fp16", f"{device} {name}"))
        super().__init__(info, one, several, style.input_wh, fixed=True)


def find_device(core: Any, kind: str) -> str:
    """Return the first device of a kind ("GPU", "NPU"), as in "GPU.0". Raises NotUsableError if there is none."""
    devices = [str(device) for device in core.available_devices]
    for device in devices:
        if device.split(".")[0] == kind:
            return device
    reason = f"OpenVINO finds {', '.join(devices) or 'no device'} here, and no Intel {kind}"
    raise NotUsableError(reason, f"install Intel's {kind} driver")


def cache_folder() -> Path:
    """Return the folder of OpenVINO's own cache, which is used for these devices only; see `compile_settings`."""
    return paths.cache_dir() / "openvino"


def _compile(style: Style, core: Any, device: str) -> tuple[Any, Any, float]:
    """Return the models for one region and for `MAX_FACES`, and the largest deviation from FP32.

    OpenVINO's cache, which saves seconds on these devices, is deleted if it causes an error or a deviation. Raises
    NotUsableError if the graph is inaccurate also if compiled without the cache; RuntimeError if it cannot be compiled.
    """
    graph, had_cache = load_graph(style, core), cache_folder().exists()  # compiling creates the folder

    def compile_model(count: int, cached: bool) -> Any:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f16"}
        settings |= {"CACHE_DIR": str(cache_folder())} if cached else {}
        return core.compile_model(reshape_graph(graph, style.input_wh, count), device, settings)

    for cached in (True, False):
        try:
            one = compile_model(1, cached)
            deviation, accurate = deviation_from_fp32(one, style, core)
            if accurate:
                return one, compile_model(MAX_FACES, cached), deviation
            flaw = f"{deviation:.1f}/255 off FP32"
        except RuntimeError as error:
            if not cached:
                raise
            flaw = first_line(error)
        if cached and had_cache:
            print_line(f"OpenVINO's cache in {cache_folder()} is deleted, and all of it is compiled again ({flaw})")
            shutil.rmtree(cache_folder(), ignore_errors=True)
    raise NotUsableError(f"FP16 deviates from FP32 by {deviation:.1f}/255 on a probe")
