"""OpenVINO graphs of styles: shipped with the program, or converted once and cached. Without OpenVINO's telemetry."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import extras
from engines.cache import cache_entry, engine_cache
from engines.errors import EngineError, OptionsError
from engines.imports.graph_file import checked_graph
from engines.imports.graph_settings import GraphSettings
from engines.runtime.base import MAX_FACES, NotUsableError, library_version
from engines.styles import Style
from engines.text import first_line

if TYPE_CHECKING:
    import openvino

GRAPH = "model.xml"


def load_openvino() -> Any:
    """Import `openvino` without its telemetry, which would report each import and conversion to a server.

    OpenVINO and NNCF send telemetry unless the user has refused it; both work without the telemetry module. Raises
    ImportError if OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


@functools.cache
def openvino_core() -> Any:
    """Return the one `Core` of this process, which is never destroyed.

    OpenVINO unloads its CPU plugin with the last `Core`, in whichever thread that happens. The thread that loaded the
    plugin then has a dangling signal stack, and Ctrl-C causes a segmentation fault (observed with 2026.4). Raises
    ImportError if OpenVINO is not installed.
    """
    return load_openvino().Core()


def graph_key(style: Style) -> str:
    """Return the key of the style's graph among the shipped ones.

    It contains no version: every OpenVINO that the project allows reads the graph format (IR 11).
    """
    return engine_cache.cache_key(
        weights=style.weights_digest(),
        source=style.source_digest(),
        io_adapter=cache_entry.file_digest(Path(__file__).parent.with_name("io_adapter.py")),
        ir=11,
        arguments=style.arguments,
        shape="any",
        precision="fp32",
    )


def cached_graph_key(style: Style) -> str:
    """Return the key of the style's graph in the user's cache, which also covers the converting libraries."""
    versions = {name: library_version(name) for name in ("openvino", "torch")}
    return engine_cache.cache_key(graph=graph_key(style), **versions)


def loaded_graph_key(style: Style) -> str:
    """Return the key of the graph that `load_graph` returns, which is part of the keys of the engines made from it.

    A shipped graph is not converted here, so that installing another PyTorch does not invalidate its engines.
    """
    key = graph_key(style)
    if engine_cache.find_shipped(key) is None:
        return cached_graph_key(style)
    return engine_cache.cache_key(graph=key, openvino=library_version("openvino"))


def convert_style(style: Style) -> openvino.Model:
    """Convert a style to an OpenVINO graph for 1 to `MAX_FACES` regions. Raises NotUsableError without PyTorch."""
    if style.graph is not None:
        return _adapt_graph(style, style.graph)
    if find_spec("torch") is None:
        reason = f"its graph of {style.name} is not converted yet, which needs PyTorch"
        raise NotUsableError(reason, extras.install_command("train"))
    openvino = load_openvino()
    import torch

    from engines.runtime.io_adapter import IoAdapter

    net, step_px = style.load_generator(), style.step_px
    (width, height), images = style.input_wh, 2 if style.sees_last_picture else 1
    example = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    dim = torch.export.Dim
    shape: dict[int, Any] = {0: dim("count", min=1, max=MAX_FACES)}
    if step_px < min(width, height):  # one graph for all sizes
        shape |= {1: images * step_px * dim("rows", min=2, max=2048), 2: step_px * dim("columns", min=2, max=2048)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch and OpenVINO warn about deprecated parts of each other
        program = torch.export.export(IoAdapter(net).eval(), (example,), dynamic_shapes=(shape,))
        return openvino.convert_model(program)


def _adapt_graph(style: Style, settings: GraphSettings) -> openvino.Model:
    """Return an imported graph with its input and output adapted. Raises EngineError if the file is not usable."""
    from engines.runtime.openvino.graph_adapter import adapted_graph

    try:
        checked_graph(style.weights)  # the file may have changed since it was imported
        return adapted_graph(openvino_core(), style.weights, settings, style.size_wh)
    except OptionsError as error:
        raise EngineError(f"weights {style.weights}", error.got, "import the style again") from error
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"style {style.name}", f"not usable ({first_line(error)})", "import it again") from error


def save_graph(model: openvino.Model, folder: Path) -> None:
    """Write a graph into a folder in the precision it has."""
    load_openvino().save_model(model, folder / GRAPH, compress_to_fp16=False)


def load_graph(style: Style, core: openvino.Core) -> openvino.Model:
    """Return the style's FP32 graph: the shipped one, the cached one, or else a new conversion (5 s).

    Raises NotUsableError if it must be converted, and PyTorch is not installed; RuntimeError if OpenVINO cannot convert
    it; EngineError if the weights are not usable.
    """
    if (entry := engine_cache.find_shipped(graph_key(style))) is not None:
        with contextlib.suppress(RuntimeError):
            return core.read_model(entry / GRAPH)

    def read(folder: Path) -> openvino.Model:
        return core.read_model(folder / GRAPH)

    key = cached_graph_key(style)
    converted = engine_cache.load_or_build(
        key,
        read=read,
        make=lambda: convert_style(style),
        write=save_graph,
        about=cache_entry.EntryDescription(style.name, "openvino", "fp32", "any"),
    )
    stored = engine_cache.find(key)
    return read(stored) if stored else converted  # the first start must run the same bytes as later ones
