"""The graph that OpenVINO runs for a style: converted once, kept in the cache or shipped, and never reported home."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.cache import engine_cache
from engines.styles import Style

if TYPE_CHECKING:
    import openvino

GRAPH = "model.xml"


def load_openvino() -> Any:
    """The `openvino` module, without its reporting of every import and conversion to a server on the internet.

    OpenVINO and NNCF count as asked whoever never answered; without the reporting module both do without it.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


@functools.cache
def openvino_core() -> Any:
    """The one `Core` of this process, never let go of.

    OpenVINO unloads its CPU plugin with the last one, in whatever thread that happens; the thread that loaded it is
    left with a signal stack that is no longer there, and Ctrl-C ends in a segmentation fault (seen with 2026.4).

    Raises:
        ImportError: OpenVINO is not installed.
    """
    return load_openvino().Core()


def graph_key(style: Style) -> str:
    """The name of the style's graph among those that come with the program.

    No version is part of it: the graph format (IR 11) is read by every OpenVINO that the project allows.
    """
    io_adapter = engine_cache.file_digest(Path(__file__).parent.with_name("io_adapter.py"))
    parts = {"weights": style.weights_digest(), "source": style.source_digest(), "door": io_adapter, "ir": 11}
    return engine_cache.cache_key(**parts, arguments=style.arguments, shape="any", precision="fp32")


def cached_graph_key(style: Style) -> str:
    """Its name in the user's cache: whatever may change its bytes changes it, the converting libraries too."""
    torch_version = ""  # without PyTorch nothing is converted, and only shipped graphs run
    with contextlib.suppress(metadata.PackageNotFoundError):
        torch_version = metadata.version("torch")
    return engine_cache.cache_key(graph=graph_key(style), openvino=metadata.version("openvino"), torch=torch_version)


def convert_style(style: Style) -> openvino.Model:
    """The style's graph in OpenVINO's own form, straight from the PyTorch module; for 1 to 4 crops of any size."""
    openvino = load_openvino()
    import torch

    from engines.runtime.io_adapter import IoAdapter

    net, step_px = style.load_generator(), style.step_px
    width, height = style.size_wh
    example = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    dim = torch.export.Dim
    shape: dict[int, Any] = {0: dim("count", min=1, max=4)}
    if step_px < min(width, height):  # one graph for every size it is used at
        shape |= {1: step_px * dim("rows", min=2, max=2048), 2: step_px * dim("columns", min=2, max=2048)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch and OpenVINO warn of each other's ageing parts: nothing for a user
        program = torch.export.export(IoAdapter(net).eval(), (example,), dynamic_shapes=(shape,))
        return openvino.convert_model(program)


def save_graph(model: openvino.Model, folder: Path) -> None:
    """Write a graph into a folder, in the precision it has."""
    load_openvino().save_model(model, folder / GRAPH, compress_to_fp16=False)


def load_graph(style: Style, core: openvino.Core) -> openvino.Model:
    """The style's FP32 graph: as it comes with the program, from the user's cache, or converted now (5 s).

    Raises:
        RuntimeError: OpenVINO cannot convert it.
        EngineError: the weights are not usable.
    """
    if (entry := engine_cache.find_shipped(graph_key(style))) is not None:
        with contextlib.suppress(RuntimeError):
            return core.read_model(entry / GRAPH)

    def read(folder: Path) -> openvino.Model:
        return core.read_model(folder / GRAPH)

    made = engine_cache.load_or_build(
        cached_graph_key(style),
        read=read,
        make=lambda: convert_style(style),
        write=save_graph,
        about=engine_cache.EntryDescription(style.name, "openvino", "fp32", "any"),
    )
    stored = engine_cache.find(cached_graph_key(style))
    return read(stored) if stored else made  # the first run and all later ones run the same bytes
