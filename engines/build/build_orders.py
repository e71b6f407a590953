"""Which better engines could be built on this machine for a style, and how; nothing heavy is imported to ask."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from engines.runtime import autotune_choice
from engines.runtime.autotune_choice import EngineChoice
from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.openvino import int8_graph
from engines.runtime.openvino.converted_graph import cached_graph_key
from engines.runtime.selector import graph_available
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.runtime.torch.cuda_device import driver_device
from engines.styles import Style, load_style

_LIMIT_S = 1800.0  # a build takes a minute; at the lowest priority on a busy machine, many


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """One engine to build.

    Attributes:
        label: as the preview names it ("OpenVINO INT8").
        runtime: as `open_engine` takes it, once it is built.
        precision: that it has then; empty for whatever the runtime finds best.
        module: what builds it, run by `BuildProcess`.
        arguments: of the module.
        limit_s: a builder that takes longer hangs.
        key: gives the engine's key in the cache, as it is now: with the pictures that a builder collects it changes.
            Empty where there is none.
    """

    label: str
    runtime: str
    precision: str
    module: str
    arguments: tuple[str, ...]
    limit_s: float = _LIMIT_S
    key: Callable[[], str] = field(default=str, compare=False)

    def fits(self, found: EngineInfo | EngineChoice) -> bool:
        """Whether an engine is the one that was ordered."""
        return found.runtime == self.runtime and self.precision in ("", found.precision)


def available_builds(style: Style, info: EngineInfo, runtime: str) -> tuple[BuildOrder, ...]:
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
        found.append(_order("TensorRT FP16", "tensorrt", style, partial(_tensorrt_key, style)))
    on_gpu = info.runtime == "torch" and info.device != "CPU"
    if runtime in ("auto", "openvino") and not on_gpu:
        if info.runtime == "torch" and not graph_available(style):
            found.append(_order("OpenVINO", "openvino", style, partial(cached_graph_key, style)))
        elif info.runtime == "openvino" and info.precision != "int8" and not int8_graph.why_not_buildable(style):
            key = partial(int8_graph.int8_key, style)
            found.append(
                BuildOrder(
                    "OpenVINO INT8", "openvino", "int8", "calibration.engine_checks.int8_build", _named(style), key=key
                )
            )
    chosen = autotune_choice.engine_choice(style)
    if chosen is None or runtime not in ("auto", chosen.runtime):  # whoever names a runtime wants the best of it
        return tuple(found)
    fitting = tuple(order for order in found if order.fits(chosen))
    return fitting if fitting or chosen.runs(info) else tuple(found)


def int8_install_hint(style: Style, info: EngineInfo, runtime: str) -> str:
    """How to install NNCF, where INT8 could be built in place of that engine if it were there; else nothing."""
    if runtime not in ("auto", "openvino") or info.runtime != "openvino" or info.precision == "int8":
        return ""
    chosen = autotune_choice.engine_choice(style)
    measured = chosen is not None and chosen.runs(info) and chosen.precision != "int8"
    return "" if int8_graph.nncf_installed() or measured else int8_graph.INSTALL


def _order(label: str, runtime: str, style: Style, key: Callable[[], str]) -> BuildOrder:
    return BuildOrder(label, runtime, "", "engines.build.build_engine", (*_named(style), "--runtime", runtime), key=key)


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
        installed_distribution()
    except NotUsableError as error:
        return error.reason
    return ""


def _tensorrt_key(style: Style) -> str:
    """Where this is asked, PyTorch was loaded before, to open what there is."""
    from engines.runtime.tensorrt.tensorrt_engine import engine_key

    return engine_key(style, driver_device(), installed_distribution())
