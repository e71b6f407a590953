"""INT8 graphs for OpenVINO: quantisation by NNCF on calibration pictures, and their keys in the cache."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines import extras
from engines.cache import cache_entry, calibration_set, engine_cache
from engines.cache.cache_entry import verdict
from engines.runtime.base import library_version
from engines.runtime.openvino.converted_graph import graph_key, load_openvino, loaded_graph_key, openvino_core
from engines.runtime.openvino.graph_engine import takes_one
from engines.styles import Style

if TYPE_CHECKING:
    import openvino

INSTALL = extras.install_command("int8")
_CONVOLUTIONS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")
_MIN_CONVOLUTIONS = 4  # with fewer, at least the middle one is quantised
_UPSAMPLING = ("ConvolutionBackpropData", "GroupConvolutionBackpropData", "Interpolate")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which operations are quantised, and how.

    Attributes:
        name: As stored with the verdict.
        narrow_weights: Seven-bit weights, for processors without VNNI, which accumulate 8-bit products in 16 bits.
        keep_ends: The convolutions next to input and output keep the graph's precision.
        keep_upsampling: Operations that enlarge keep the graph's precision.
    """

    name: str
    narrow_weights: bool = False
    keep_ends: bool = False
    keep_upsampling: bool = False


RECIPES = (  # the fastest first, then the more accurate ones
    Recipe("all layers"),
    Recipe("ends kept", keep_ends=True),
    Recipe("7-bit weights", narrow_weights=True),
    Recipe("7-bit weights, ends kept", narrow_weights=True, keep_ends=True),
    Recipe("7-bit weights, ends and upsampling kept", narrow_weights=True, keep_ends=True, keep_upsampling=True),
)


@functools.cache
def cpu_name() -> str:
    """Return OpenVINO's name of the processor."""
    return str(openvino_core().get_property("CPU", "FULL_DEVICE_NAME"))


def int8_builder() -> str:
    """Return the object reference of the INT8 builder, which another package registers; empty if none is installed.

    It is the entry point "openvino-int8" of the group "veneer.engine_builders"; see `BuildProcess`.
    """
    found = metadata.entry_points(group="veneer.engine_builders", name="openvino-int8")
    return next((entry.value for entry in found), "")


def nncf_installed() -> bool:
    """Whether NNCF, which quantises graphs, is installed."""
    return find_spec("nncf") is not None


def int8_key(style: Style) -> str:
    """Return the key of the style's INT8 engine and of its verdict, at the style's size on this processor."""
    return engine_cache.cache_key(
        graph=loaded_graph_key(style),
        size_wh=list(style.size_wh),
        precision="int8",
        device=cpu_name(),
        nncf=library_version("nncf"),
        pictures=calibration_set.digest(),
        recipe=cache_entry.file_digest(Path(__file__)),
    )


def shipped_int8_key(style: Style) -> str:
    """Return the key of the style's INT8 graph among the shipped ones; it serves all sizes and processors."""
    return engine_cache.cache_key(graph=graph_key(style), precision="int8")


def why_not_buildable(style: Style) -> str:
    """Return why no INT8 engine can or need be built for a style now; empty if one can."""
    found = verdict(int8_key(style))
    if found != "uncalibrated":
        return "it is built already" if found == "passed" else f"calibration {found}"
    if engine_cache.find_shipped(shipped_int8_key(style)) is not None:
        return "it comes with the program"
    if not nncf_installed():
        return f"NNCF is not installed ({INSTALL})"
    return "" if int8_builder() else "no builder of INT8 engines is installed (reinstall veneer)"


def quantize_graph(graph: openvino.Model, pictures_bgr: Sequence[NDArray[np.uint8]], recipe: Recipe) -> openvino.Model:
    """Return a copy of the graph with its convolutions in INT8, except those that the recipe keeps.

    Activation ranges are the minimum and maximum over all pictures: NNCF's default, a mean over the pictures, clips the
    white of a bright one. Biases are corrected layer by layer (Nagel et al., "Data-Free Quantization through Weight
    Equalization and Bias Correction", ICCV 2019, section 4.2).

    Args:
        graph: Takes (N, H, W, 3) uint8.
        pictures_bgr: Each (H, W, 3) uint8 BGR, 0..255, all of one size.

    Raises:
        ImportError: NNCF is not installed.
        Exception: NNCF cannot quantise the graph; its exceptions have no common base.
    """
    load_openvino()  # first: NNCF must not load the telemetry either
    nncf = importlib.import_module("nncf")
    estimators = importlib.import_module("nncf.quantization.range_estimator")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    whole = graph.clone()
    height, width = pictures_bgr[0].shape[:2]
    if not takes_one(graph):
        whole.reshape([(1, 4), height, width, 3])
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if recipe.narrow_weights else nncf.OverflowFix.DISABLE,
        activations_range_estimator_params=estimators.RangeEstimatorParametersSet.MINMAX,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # progress bars
        return nncf.quantize(
            whole,
            nncf.Dataset([np.ascontiguousarray(picture_bgr[None]) for picture_bgr in pictures_bgr]),
            preset=nncf.QuantizationPreset.MIXED,  # ELU has negative outputs
            subset_size=len(pictures_bgr),
            fast_bias_correction=False,
            ignored_scope=nncf.IgnoredScope(names=_kept_operations(whole, recipe), validate=False),
            advanced_parameters=advanced,
        )


def _kept_operations(graph: openvino.Model, recipe: Recipe) -> list[str]:
    """Return the names of the operations that keep the graph's precision."""
    nodes = graph.get_ordered_ops()
    layers = [node for node in nodes if node.get_type_name() in _CONVOLUTIONS]
    last = layers[-2:] if len(layers) >= _MIN_CONVOLUTIONS else layers[-1:]  # some generators add two outputs
    kept = [layers[0], *last] if recipe.keep_ends and layers else []
    kept += [node for node in nodes if recipe.keep_upsampling and node.get_type_name() in _UPSAMPLING]
    if layers and any(
        node.get_type_name() == "Exp" for node in nodes
    ):  # `generators.edge_filter`, which ends the graph
        kept += nodes[nodes.index(layers[-1]) + 1 :]
    return sorted({str(node.get_friendly_name()) for node in kept})
