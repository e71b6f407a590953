"""Which better engines can be built on this machine for a style, and how. Imports nothing heavy."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from engines.errors import OptionsError, VeneerError
from engines.runtime import autotune_choice
from engines.runtime.autotune_choice import EngineChoice
from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.openers import check_plan
from engines.runtime.openvino import int8_graph
from engines.runtime.openvino.converted_graph import cached_graph_key
from engines.runtime.selector import graph_available
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.runtime.torch.cuda_device import driver_device
from engines.style_lookup import load_style
from engines.styles import Style

OPENING_BUILDER = "engines.build.build_engine:main"
_TIMEOUT_S = 1800.0  # a build takes a minute; at the lowest priority on a loaded machine many times as long


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """One engine to build.

    Attributes:
        runtime: Name of the built engine's runtime for `open_engine`.
        precision: Its precision; empty for the best that the runtime supports.
        builder: Object reference of the builder; see `BuildProcess`.
        key: Returns the engine's current cache key. It changes when the builder adds calibration pictures.
    """

    label: str
    runtime: str
    precision: str
    builder: str
    arguments: tuple[str, ...]
    limit_s: float = _TIMEOUT_S
    key: Callable[[], str] = field(default=str, compare=False)

    def matches(self, found: EngineInfo | EngineChoice) -> bool:
        """Whether an engine is the ordered one."""
        return found.runtime == self.runtime and self.precision in ("", found.precision)

    def current_key(self) -> str:
        """Return the engine's cache key; empty if it cannot be determined."""
        with contextlib.suppress(VeneerError, NotUsableError, ImportError, OSError):
            return self.key()
        return ""


def available_builds(style: Style, info: EngineInfo, runtime: str) -> tuple[BuildOrder, ...]:
    """Return the engines for the requested runtime that can be built here and are better than the running one."""
    if info.runtime == "tensorrt":
        return ()
    found = []
    if runtime in ("auto", "tensorrt"):
        with contextlib.suppress(NotUsableError):
            driver_device()
            check_plan(style)
            installed_distribution()
            label = "TensorRT FP16" if style.graph is None else "TensorRT"
            found.append(_opening_order(label, "tensorrt", style, partial(_tensorrt_key, style)))
    on_gpu = info.runtime == "torch" and info.device != "CPU"
    if runtime in ("auto", "openvino") and not on_gpu:
        if info.runtime == "torch" and not graph_available(style):
            found.append(_opening_order("OpenVINO", "openvino", style, partial(cached_graph_key, style)))
        elif info.runtime == "openvino" and info.precision != "int8" and not int8_graph.why_not_buildable(style):
            key, arguments = partial(int8_graph.int8_key, style), _style_arguments(style)
            found.append(BuildOrder("OpenVINO INT8", "openvino", "int8", int8_graph.int8_builder(), arguments, key=key))
    chosen = autotune_choice.engine_choice(style)
    if chosen is None or runtime not in ("auto", chosen.runtime):
        return tuple(found)
    matching = tuple(order for order in found if order.matches(chosen))
    return matching if matching or chosen.runs(info) else tuple(found)


def int8_install_hint(style: Style, info: EngineInfo, runtime: str) -> str:
    """Return how to install NNCF if only NNCF is missing to replace an engine by INT8; else ""."""
    if runtime not in ("auto", "openvino") or info.runtime != "openvino" or info.precision == "int8":
        return ""
    chosen = autotune_choice.engine_choice(style)
    measured = chosen is not None and chosen.runs(info) and chosen.precision != "int8"
    return "" if int8_graph.nncf_installed() or measured else int8_graph.INSTALL


def builder_arguments(arguments: Sequence[str] | None, about: str) -> tuple[Style, str]:
    """Parse a builder's arguments, STYLE --size WIDTHxHEIGHT --region REGION --runtime RUNTIME; `about` describes it.

    Return the style and the runtime; without --size or --region, the style has its own. Raises VeneerError if there is
    no such style, it cannot work on the region, or the size is not valid.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("style")
    for option in ("--size", "--region", "--runtime"):
        parser.add_argument(option, default="")
    given = parser.parse_args(arguments)
    style = load_style(given.style)
    style = style.on(given.region or style.region)
    if given.size:
        try:
            width, height = (int(side) for side in given.size.split("x"))
        except ValueError:
            got = f"{given.size!r} is not WIDTHxHEIGHT"
            raise OptionsError(f"--size {given.size}", got, "write it as 256x256") from None
        style = dataclasses.replace(style, size_wh=(width, height))
    return style, given.runtime


def _opening_order(label: str, runtime: str, style: Style, key: Callable[[], str]) -> BuildOrder:
    arguments = *_style_arguments(style), "--runtime", runtime
    return BuildOrder(label, runtime, "", OPENING_BUILDER, arguments, key=key)


def _style_arguments(style: Style) -> tuple[str, ...]:
    return style.name, "--size", "{}x{}".format(*style.size_wh), "--region", style.region


def _tensorrt_key(style: Style) -> str:
    from engines.runtime.tensorrt.plan_sources import plan_source
    from engines.runtime.tensorrt.tensorrt_engine import engine_key

    return engine_key(style, driver_device(), installed_distribution(), plan_source(style, "fp16"))
