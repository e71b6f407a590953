"""Stand-in for OpenVINO's core on a machine that has what this one has not: devices, or no BF16.

All else is the real core's; what is compiled for an Intel device runs in FP32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.runtime.openvino.converted_graph import openvino_core


class StandInCore:
    """See above.

    Args:
        devices: as OpenVINO lists them.
        capabilities: of the CPU, in place of its own.
        meanwhile: called with a graph's target and settings before it is compiled for an Intel device.
    """

    def __init__(
        self,
        devices: tuple[str, ...] = ("CPU",),
        *,
        capabilities: tuple[str, ...] | None = None,
        meanwhile: Callable[[str, dict[str, Any]], None] = lambda place, settings: None,
    ) -> None:
        self.available_devices = list(devices)
        self._capabilities, self._meanwhile = capabilities, meanwhile
        self.compiled: list[tuple[str, dict[str, Any], list[int]]] = []

    def get_property(self, place: str, name: str) -> Any:
        if place != "CPU":
            return f"Intel(R) stand-in {place}"
        if name == "OPTIMIZATION_CAPABILITIES" and self._capabilities is not None:
            return list(self._capabilities)
        return openvino_core().get_property(place, name)

    def read_model(self, path: Path) -> Any:
        return openvino_core().read_model(path)

    def compile_model(self, graph: Any, place: str, settings: dict[str, Any]) -> Any:
        dims = graph.inputs[0].partial_shape
        self.compiled.append((place, settings, [dim.get_length() if dim.is_static else -1 for dim in dims]))
        if place == "CPU":
            return openvino_core().compile_model(graph, place, settings)
        self._meanwhile(place, settings)
        return openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
