"""Styles: a trained generator, its weights, and the region of the frame it is applied to.

A style is a pair of files: `NAME.safetensors` with the weights and `NAME.json`, its card, with the generator, the
region and the origin of the training data. Shipped styles are in `engines/weights`, the user's own in the data folder.
A style of the user's own is used instead of a shipped one of the same name.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.cache.cache_entry import file_digest
from engines.errors import EngineError, LookError, os_errors
from engines.generators import registry
from engines.generators.spec import Value
from engines.generators.weights_file import load_weights, shapes_only
from engines.imports.graph_settings import GraphSettings
from engines.regions.aligned_face import REGION as ALIGNED
from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS
from engines.untrusted_files import shown

if TYPE_CHECKING:
    from torch import nn

ImageU8 = NDArray[np.uint8]

SHIPPED = Path(__file__).with_name("weights")
REGIONS = ("lips", *FACE_REGIONS, *FRAME_REGIONS, ALIGNED)
FRAME_AND_LAST = ("image", "image")  # inputs of a generator that also receives its picture of the frame before
_FIXED = ("lips", ALIGNED)  # a style for these works on no other region
OUTPUTS = ("change", "picture", "planes")
FACE_SIZE_WH = (256, 256)
FRAME_SIZE_WH = (448, 256)  # for whole frames: 7:4 crops little of 16:9
PLANES_FACE_SIZE_WH = (192, 192)  # planes are enlarged without loss of sharpness
PLANES_FRAME_SIZE_WH = (256, 144)  # bodies are drawn coarsely, each head finely
GRAPH_KINDS = ("onnx", "tflite")  # generators that are graphs of other programs, in files of these suffixes


@dataclass(frozen=True)
class Style:
    """One trained generator and how it is applied.

    Attributes:
        generator: Name in `engines.generators.registry`; for an imported graph one of `GRAPH_KINDS`.
        region: "lips", "face", "head", "frame", "person", or "aligned" of a face swap.
        size_wh: Size of the generator's input, pixels.
        output: "change", to be added to the crop; "picture", the finished crop; or "planes" (`engines.drawing`).
        usual_bgr: Mean lip colour (0..255) of the training data; None for other regions.
        mask: Where it paints in a face or head: "usual" (the region's mask), "face" or "square".
        graph: How pictures go into an imported graph and come out; None for generators of this program.
    """

    name: str
    generator: str
    weights: Path
    region: str
    size_wh: tuple[int, int]
    output: str
    usual_bgr: tuple[float, float, float] | None
    card: dict[str, Any]
    mask: str = "usual"
    graph: GraphSettings | None = None

    @property
    def mask_kind(self) -> str:
        """The kind of `engines.regions.masks.region_mask`: the region's own, or the style's choice for faces."""
        return self.region if self.mask == "usual" or self.region in FRAME_REGIONS else self.mask

    @functools.cached_property  # asked for each crop, and finding a spec lists a folder
    def sees_last_picture(self) -> bool:
        """Whether the generator also receives the picture that it returned for the frame before."""
        return self.graph is None and registry.generator_spec(self.generator).inputs == FRAME_AND_LAST

    @property
    def input_wh(self) -> tuple[int, int]:
        """Size of an engine's input, pixels: `size_wh`, or twice as high with the last picture; see `engine_input`."""
        width, height = self.size_wh
        return width, height * (2 if self.sees_last_picture else 1)

    def engine_input(self, crop_bgr: ImageU8, *, last_bgr: ImageU8 | None) -> ImageU8:
        """Return what an engine of the style receives for a crop: the crop, for some generators above the last picture.

        Args:
            crop_bgr: (H, W, 3) uint8 BGR at `size_wh`.
            last_bgr: The picture that the style gave for the frame before, of the same shape; None for a first frame,
                which gets grey instead, as in training.
        """
        if not self.sees_last_picture:
            return crop_bgr
        if last_bgr is None or not self.card.get("memory", True):  # trained without, for comparison
            last_bgr = np.full_like(crop_bgr, 128)
        return np.concatenate((crop_bgr, last_bgr))

    @property
    def licence(self) -> str:
        """What is known of the licence in one line: of imported styles what the user said."""
        data = self.card.get("data")
        terms = data.get("terms") if isinstance(data, dict) else None
        return str(self.card.get("licence") or terms or "not stated")

    @property
    def covers(self) -> bool:
        """Whether the style hides the face, so that the privacy policy applies; a face swap shows one."""
        return self.output != "change" and not self.swaps

    @property
    def swaps(self) -> bool:
        """Whether the style puts another person's face in the place of the own one."""
        return self.region == ALIGNED

    @property
    def replaces_shipped(self) -> bool:
        """Whether it is the user's own and has the name of a shipped style."""
        return self.weights.parent != SHIPPED and (SHIPPED / f"{self.name}.json").is_file()

    @property
    def needs_person(self) -> bool:
        """Whether the style needs the person mask."""
        return self.region in ("head", "person") or (self.covers and self.region == "face")

    @property
    def arguments(self) -> dict[str, Value]:
        """The generator's constructor arguments as the card states them; they identify engines in the cache."""
        if self.graph is not None:  # its OpenVINO graph is made for one size
            return {**self.graph.as_card(), "size": "{}x{}".format(*self.size_wh)}
        arguments: dict[str, Value] = self.card.get("generator_args", {})
        return arguments

    @property
    def step_px(self) -> int:
        """The number of pixels that width and height must be multiples of."""
        return 1 if self.graph else registry.generator_spec(self.generator).multiple_px(self.arguments)

    def on(self, region: str) -> Style:
        """Return the style applied to another region, for example "person" instead of "head".

        Raises LookError if the region is unknown, or only one of the two regions is "lips".
        """
        if region == self.region:
            return self
        if region not in REGIONS or {region, self.region} & set(_FIXED):
            usable = self.region if self.region in _FIXED else ", ".join(REGIONS[1:-1])
            raise LookError(f"style {self.name!r} on region {region!r}", "it cannot work there", f"use {usable}")
        if self.graph is not None:
            return replace(self, region=region)
        if self.output == "planes":
            size_wh = PLANES_FRAME_SIZE_WH if region in FRAME_REGIONS else PLANES_FACE_SIZE_WH
        else:  # a style that works on smaller faces than usual also works on smaller frames
            usual_wh, other_wh = (
                FRAME_SIZE_WH if one in FRAME_REGIONS else FACE_SIZE_WH for one in (self.region, region)
            )
            steps = (max(1, side * self.size_wh[1] // (usual_wh[1] * self.step_px)) for side in other_wh)
            size_wh = next(steps) * self.step_px, next(steps) * self.step_px
        return replace(self, region=region, size_wh=size_wh)

    def load_generator(self) -> nn.Module:
        """Return the PyTorch module with its weights, in FP32 on the CPU, in evaluation mode.

        Raises:
            EngineError: The arguments, the size or the weights do not fit the generator, or a weight is not finite.
        """
        if self.graph is not None:
            got = f"it is an imported {self.generator} graph, which PyTorch does not run"
            raise EngineError(f"PyTorch network of style {self.name}", got, "use another style")
        with shapes_only():  # the file is compared with the shapes before any memory is allocated
            net = self._empty_generator()
        return load_weights(net, self.weights).eval()

    def _empty_generator(self) -> nn.Module:
        try:
            net = registry.fresh_generator(self.generator, self.arguments)
        except ValueError as error:
            got = f"{self.generator} does not take {shown(self.arguments)} ({error})"
            raise EngineError(f"style {self.name}", got, "train the style again, or correct its card") from error
        width, height = self.size_wh
        if width % self.step_px or height % self.step_px:
            got = f"its {self.generator} takes multiples of {self.step_px} pixels, "
            got += f"the region {self.region} gives {width}x{height}"
            raise EngineError(f"style {self.name}", got, "use another region, or another generator")
        return net

    def weights_digest(self) -> str:
        """Return the SHA-256 of the weights file. Raises EngineError if it cannot be read."""
        with os_errors(f"weights {self.weights}", "reinstall veneer", EngineError):
            return file_digest(self.weights)

    def source_digest(self) -> str:
        """Return the SHA-256 of the generator's source and of every `engines.generators` module that it imports.

        For an imported graph it is that of the code that adapts its input and output.
        """
        if self.graph is not None:
            return file_digest(Path(__file__).parent / "runtime" / "openvino" / "graph_adapter.py")
        return registry.source_digest(self.generator)
