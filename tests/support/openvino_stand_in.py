"""Simulated OpenVINO core with other devices, or without BF16.

All else is the real core's; graphs compiled for an Intel device run in FP32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.runtime.openvino.converted_graph import openvino_core


class StandInCore:
    """Args:
    devices: As OpenVINO lists them.
    capabilities: Of the CPU, in place of the real ones.
    before_compile: Called with device and settings before a graph is compiled for an Intel device.
    """

    def __init__(
        self,
        devices: tuple[str, ...] = ("CPU",),
        *,
        capabilities: tuple[str, ...] | None = None,
        before_compile: Callable[[str, dict[str, Any]], None] = lambda device, settings: None,
    ) -> None:
        self.available_devices = list(devices)
        self._capabilities, self._before_compile = capabilities, before_compile
        self.compiled: list[tuple[str, dict[str, Any], list[int]]] = []

    def get_property(self, device: str, name: str) -> Any:
        if device != "CPU":
            return f"Intel(R) stand-in {device}"
        if name == "OPTIMIZATION_CAPABILITIES" and self._capabilities is not None:
            return list(self._capabilities)
        return openvino_core().get_property(device, name)

    def read_model(self, path: Path) -> Any:
        return openvino_core().read_model(path)

    def compile_model(self, graph: Any, device: str, settings: dict[str, Any]) -> Any:
        dims = graph.inputs[0].partial_shape
        self.compiled.append((device, settings, [dim.get_length() if dim.is_static else -1 for dim in dims]))
        if device == "CPU":
            return openvino_core().compile_model(graph, device, settings)
        self._before_compile(device, settings)
        return openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
