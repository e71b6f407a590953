"""INT8 for `benchmarks.peers`: the program's own engine of a style, made as live makes it where it is not there yet."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.runtime.base import NotUsableError
from engines.runtime.openvino.converted_graph import GRAPH, openvino_core
from engines.runtime.openvino.int8_graph import INSTALL, int8_key, nncf_installed
from engines.styles import SHIPPED, Style, load_style

_NOT_MADE = "INT8 is not built here yet, and NNCF, which builds it, is not installed"


def shipped_style(name: str, size_wh: tuple[int, int]) -> Style:
    """The style as it comes with the program.

    Raises:
        NotUsableError: the user's own style of that name is in its place.
        LookError: there is no such style.
    """
    style = load_style(name)
    if style.weights.parent != SHIPPED:
        raise NotUsableError(f"your own style {name} is in the place of the program's")
    return replace(style, size_wh=size_wh)


def why_not(styles: list[Style]) -> str:
    """Why none of them can be had in INT8 on this machine; empty where one can."""
    if nncf_installed() or any(engine_cache.find(int8_key(style)) is not None for style in styles):
        return ""
    return f"{_NOT_MADE} ({INSTALL})"


def int8_graph(style: Style) -> Any:
    """Its INT8 graph, (N, H, W, 3) uint8 in and floats out; what is made now stays for live.

    Raises:
        NotUsableError: it cannot be made here, or calibration failed it, so live does not use it.
        VeneerError: the calibration set cannot be made, or the cache cannot be written to.
    """
    key = int8_key(style)
    entry = engine_cache.find(key)
    if entry is None or verdict(key) == "uncalibrated":
        if not nncf_installed():
            raise NotUsableError(_NOT_MADE, INSTALL)
        _make(style)
        key = int8_key(style)  # the pictures that it is made from are part of it
        entry = engine_cache.find(key)
    said = verdict(key)
    if entry is None or said != "passed":
        raise NotUsableError(f"calibration {said}, so live does not use it")
    return openvino_core().read_model(entry / GRAPH)


def _make(style: Style) -> None:
    from calibration.engine_checks.quantize import build_int8
    from calibration.engine_checks.verdicts import load_reference
    from calibration.sets.set_builder import built_in

    _say(f"{style.name}: making its INT8 engine")
    built_in(say=_say)
    build_int8(style, load_reference(style), say=_say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
