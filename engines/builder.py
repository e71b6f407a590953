"""Which better engines could be built on this machine for a style, and how; nothing heavy is imported to ask."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.choose import graph_is_there
from engines.runtime.cuda_device import driver_device
from engines.runtime.tensorrt_installed import installed
from engines.styles import Style, load_style

_LIMIT_S = 1800.0  # a build takes a minute; at the lowest priority on a busy machine, many


@dataclass(frozen=True, slots=True)
class Order:
    """One engine to build.

    Attributes:
        label: as the preview names it ("OpenVINO INT8").
        runtime: as `open_engine` takes it, once it is built.
        precision: that it has then; empty for whatever the runtime finds best.
        module: what builds it, run by `BuildProcess`.
        arguments: of the module.
        limit_s: a builder that takes longer hangs.
    """

    label: str
    runtime: str
    precision: str
    module: str
    arguments: tuple[str, ...]
    limit_s: float = _LIMIT_S

    def fits(self, info: EngineInfo) -> bool:
        """Whether an engine is the one that was ordered."""
        return info.runtime == self.runtime and self.precision in ("", info.precision)


def orders(style: Style, info: EngineInfo, runtime: str) -> tuple[Order, ...]:
    """What could be built here that is better than the engine that runs, the best first.

    Args:
        style: what runs.
        info: what it runs on.
        runtime: as the user named it; "auto" where anything may be taken.
    """
    if info.runtime == "tensorrt":
        return ()
    found = []
    if runtime in ("auto", "tensorrt") and not _why_no_tensorrt():
        found.append(_order("TensorRT FP16", "tensorrt", style))
    on_gpu = info.runtime == "torch" and info.device != "CPU"
    if runtime in ("auto", "openvino") and not on_gpu:
        if info.runtime == "torch" and not graph_is_there(style):
            found.append(_order("OpenVINO", "openvino", style))
        elif info.runtime == "openvino" and info.precision != "int8" and not _why_no_int8(style):
            found.append(Order("OpenVINO INT8", "openvino", "int8", "calibration.build", _named(style)))
    return tuple(found)


def _order(label: str, runtime: str, style: Style) -> Order:
    return Order(label, runtime, "", "engines.build_engine", (*_named(style), "--runtime", runtime))


def _named(style: Style) -> tuple[str, ...]:
    return style.name, "--size", "{}x{}".format(*style.size_wh), "--region", style.region


def named_style(name: str, size: str, region: str) -> Style:
    """The style that a builder's arguments name.

    Raises:
        LookError: there is none.
        ValueError: the size is no size.
    """
    width, height = (int(side) for side in size.split("x"))
    return dataclasses.replace(load_style(name).on(region), size_wh=(width, height))


def _why_no_tensorrt() -> str:
    try:
        driver_device()
        installed()
    except NotUsableError as error:
        return error.reason
    return ""


def _why_no_int8(style: Style) -> str:
    from engines import machine_choice
    from engines.runtime import openvino_int8

    chosen = machine_choice.engine_choice(style)
    if chosen is not None and chosen.precision != "int8":
        return f"{chosen.runtime} {chosen.precision} was measured as faster here"
    return openvino_int8.wanted(style)
