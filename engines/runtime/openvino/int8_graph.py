"""INT8 for OpenVINO: a style's graph quantised by NNCF on calibration pictures, and where it lies in the cache."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as remembered
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.cache import calibration_set, engine_cache
from engines.cache.cache_entry import verdict
from engines.runtime.openvino.converted_graph import cached_graph_key, load_openvino, openvino_core
from engines.styles import Style

if TYPE_CHECKING:
    import openvino

INSTALL = "pip install 'veneer[int8]'"
_CONVOLUTIONS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")
_SMALL = 3  # convolutions: of so few, the middle one at least is in INT8
_UP_SAMPLING = ("ConvolutionBackpropData", "GroupConvolutionBackpropData", "Interpolate")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to quantise.

    Attributes:
        name: as the verdict's file names it.
        narrow: weights of seven bits, for processors without VNNI: they add products of eight bits up in sixteen.
        ends: the convolutions that meet the picture stay in the graph's own precision.
        up_sampling: so do those that enlarge.
    """

    name: str
    narrow: bool = False
    ends: bool = False
    up_sampling: bool = False


RECIPES = (  # the fastest first; the next is more cautious
    Recipe("all of it"),
    Recipe("ends left", ends=True),
    Recipe("7-bit weights", narrow=True),
    Recipe("7-bit weights, ends left", narrow=True, ends=True),
    Recipe("7-bit weights, ends and up-sampling left", narrow=True, ends=True, up_sampling=True),
)


@remembered
def cpu_name() -> str:
    """The processor, as OpenVINO names it."""
    return str(openvino_core().get_property("CPU", "FULL_DEVICE_NAME"))


def int8_builder() -> str:
    """Return the object reference of the INT8 builder, which another package registers; empty if none is installed.

    It is the entry point "openvino-int8" of the group "veneer.engine_builders"; see `BuildProcess`.
    """
    found = metadata.entry_points(group="veneer.engine_builders", name="openvino-int8")
    return next((entry.value for entry in found), "")


def nncf_installed() -> bool:
    """Whether NNCF is there, which quantises."""
    return find_spec("nncf") is not None


def int8_key(style: Style) -> str:
    """The name of the style's INT8 engine at its size on this processor; its verdict lies under it too."""
    try:
        nncf = metadata.version("nncf")
    except metadata.PackageNotFoundError:
        nncf = ""
    return engine_cache.cache_key(
        graph=cached_graph_key(style),
        size_wh=list(style.size_wh),
        precision="int8",
        device=cpu_name(),
        nncf=nncf,
        pictures=calibration_set.digest(),
        recipe=engine_cache.file_digest(Path(__file__)),
    )


def why_not_buildable(style: Style) -> str:
    """Nothing where an INT8 engine could be built now that is not there yet; else why not, in words."""
    said = verdict(int8_key(style))
    if said == "uncalibrated":  # not there, or nobody has judged it yet
        if not nncf_installed():
            return f"NNCF is not installed ({INSTALL})"
        return "" if int8_builder() else "no builder of INT8 engines is installed (reinstall veneer)"
    return "it is there already" if said == "passed" else f"calibration {said}"


def quantize_graph(graph: openvino.Model, pictures_bgr: Sequence[NDArray[np.uint8]], recipe: Recipe) -> openvino.Model:
    """The graph with its convolutions in INT8, but for what the recipe leaves.

    The ranges are the least and the largest value that any of the pictures gives: means of them, NNCF's usual way, cut
    the white of a bright picture off. Each layer's bias is corrected by what quantising the layers before it shifts
    (Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", ICCV 2019, section 4.2).

    Args:
        graph: takes (N, H, W, 3) uint8.
        pictures_bgr: (H, W, 3) each, all of one size.
        recipe: one of `RECIPES`.

    Raises:
        Exception: NNCF cannot quantise it; its exceptions have no common base.
        ImportError: NNCF is not installed.
    """
    load_openvino()  # before NNCF, which would report as well
    nncf = importlib.import_module("nncf")
    estimators = importlib.import_module("nncf.quantization.range_estimator")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    whole = graph.clone()
    height, width = pictures_bgr[0].shape[:2]
    whole.reshape([(1, 4), height, width, 3])
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if recipe.narrow else nncf.OverflowFix.DISABLE,
        activations_range_estimator_params=estimators.RangeEstimatorParametersSet.MINMAX,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # its own progress bars
        return nncf.quantize(
            whole,
            nncf.Dataset([np.ascontiguousarray(picture_bgr[None]) for picture_bgr in pictures_bgr]),
            preset=nncf.QuantizationPreset.MIXED,  # ELU goes below zero
            subset_size=len(pictures_bgr),
            fast_bias_correction=False,
            ignored_scope=nncf.IgnoredScope(names=_left(whole, recipe), validate=False),
            advanced_parameters=advanced,
        )


def _left(graph: openvino.Model, recipe: Recipe) -> list[str]:
    """The names of the operations that stay as they are."""
    nodes = graph.get_ordered_ops()
    layers = [node for node in nodes if node.get_type_name() in _CONVOLUTIONS]
    last = layers[-2:] if len(layers) > _SMALL else layers[-1:]  # a generator may add two answers to each other
    left = [layers[0], *last] if recipe.ends and layers else []
    left += [node for node in nodes if recipe.up_sampling and node.get_type_name() in _UP_SAMPLING]
    return sorted({str(node.get_friendly_name()) for node in left})
