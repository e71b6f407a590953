"""Styles: a generator, its weights, the region it works on, and where it comes from.

A network style is a pair of files: `NAME.safetensors` and its card `NAME.json`, which says the generator, the region
and the data. Shipped pairs lie in `engines/weights`; pairs in the user's own weights folder are styles too.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines import paths
from engines.cache.engine_cache import file_digest
from engines.errors import EngineError, LookError
from engines.generators.registry import GENERATORS, fresh_generator
from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS
from engines.text import first_line
from engines.untrusted_files import read_whole, shown
from engines.weights_file import load_weights, shapes_only

if TYPE_CHECKING:
    from torch import nn

SHIPPED = Path(__file__).with_name("weights")
REGIONS = ("lips", *FACE_REGIONS, *FRAME_REGIONS)
OUTPUTS = ("change", "picture")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_MOST_CARD_BYTES = 1_000_000
_MOST = 256  # channels, blocks: more is no generator for live pictures
FRAME_SIZE_WH = (448, 256)  # what a generator sees of a whole frame: 7:4, so next to nothing is lost of 16:9


@dataclass(frozen=True)
class Style:
    """One trained generator and how it is applied.

    Attributes:
        name: as looks name it.
        generator: module in `engines.generators`.
        weights: a safetensors file.
        region: "lips", "face", "head", "frame" or "person".
        size_wh: the crop the generator takes.
        output: "change", to be added to the crop, or "picture", the finished one.
        usual_bgr: the mean colour (0..255) of the lips it was trained on; None for other regions.
        card: what the card says: data, terms, scores, date.
    """

    name: str
    generator: str
    weights: Path
    region: str
    size_wh: tuple[int, int]
    output: str
    usual_bgr: tuple[float, float, float] | None
    card: dict[str, Any]

    @property
    def covers(self) -> bool:
        """Whether it hides the face: then a face must never be seen without it."""
        return self.output == "picture"

    @property
    def wants_person(self) -> bool:
        """Whether it matters which pixels show a person."""
        return self.region in ("head", "person") or (self.covers and self.region == "face")

    def on(self, region: str) -> Style:
        """The same style on another region: "person" or "frame" for one made for heads, and the other way round.

        Raises:
            LookError: it cannot work there.
        """
        if region == self.region:
            return self
        if region not in REGIONS or "lips" in (region, self.region):
            can = "lips" if self.region == "lips" else ", ".join(REGIONS[1:])
            raise LookError(f"style {self.name!r} on region {region!r}", "it cannot work there", f"use {can}")
        size_wh = FRAME_SIZE_WH if region in FRAME_REGIONS else (256, 256)
        return replace(self, region=region, size_wh=size_wh)

    def load_generator(self) -> nn.Module:
        """The PyTorch module with its weights, in FP32, checked tensor by tensor.

        Raises:
            EngineError: the file is no safetensors file of a reasonable size, or does not fit the generator, or is
                not finite.
        """
        with shapes_only():  # the file is held against them before any memory is taken
            net = self._fresh_generator()
        return load_weights(net, self.weights).eval()

    def _fresh_generator(self) -> nn.Module:
        arguments = self.card.get("generator_args", {})
        try:
            net = fresh_generator(self.generator, arguments)
        except ValueError as error:
            got = f"{self.generator} does not take {shown(arguments)} ({error})"
            raise EngineError(f"style {self.name}", got, "train the style again, or correct its card") from error
        step_px = int(getattr(net, "step_px", 1))
        if self.size_wh[0] % step_px or self.size_wh[1] % step_px:
            got = f"its {self.generator} takes multiples of {shown(step_px)} pixels, the region {self.region} gives "
            got += f"{self.size_wh[0]}x{self.size_wh[1]}"
            raise EngineError(f"style {self.name}", got, "use another region, or another generator")
        return net

    def weights_digest(self) -> str:
        """SHA-256 of the weights file.

        Raises:
            EngineError: it cannot be read.
        """
        try:
            return file_digest(self.weights)
        except OSError as error:
            raise EngineError(f"weights {self.weights}", error.strerror or str(error), "reinstall veneer") from error

    def source_digest(self) -> str:
        """SHA-256 of the generator's source file."""
        return file_digest(Path(__file__).parent / "generators" / f"{self.generator}.py")

    @cached_property
    def _reference(self) -> Any:
        from engines.runtime.torch.reference_engine import TorchEngine

        return TorchEngine(self, why="the reference")

    def apply_rgb(self, region_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The finished picture of one (H, W, 3) RGB crop, by the FP32 reference, rounded once."""
        made_rgb = self._reference.infer(np.ascontiguousarray(region_rgb[None, :, :, ::-1]))[0][:, :, ::-1]
        whole = made_rgb if self.output == "picture" else region_rgb + made_rgb
        return np.asarray(np.clip(np.rint(whole), 0, 255), np.uint8)


def style_names() -> tuple[str, ...]:
    """All network styles, shipped first, then the user's own."""
    names = dict.fromkeys(card.stem for folder in _folders() for card in sorted(folder.glob("*.json")))
    return tuple(names)


def _folders() -> tuple[Path, ...]:
    return SHIPPED, paths.data_dir() / "weights"


def load_style(name: str) -> Style:
    """The style of that name; the user's own wins over a shipped one of the same name.

    Raises:
        LookError: no such style, or a card that says nothing usable.
    """
    for folder in reversed(_folders()):
        card_path = folder / f"{name}.json"
        with contextlib.suppress(OSError, ValueError):  # a name that no file can have
            if card_path.is_file() and card_path.parent == folder:
                return _from_card(name, card_path)
    near = difflib.get_close_matches(name, style_names(), n=3, cutoff=0.4)
    do = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join((*style_names(), 'shade'))}"
    raise LookError(f"style {shown(name)}", "there is no such style", do)


def _from_card(name: str, card_path: Path) -> Style:
    try:
        card = json.loads(read_whole(card_path, _MOST_CARD_BYTES).decode("utf-8"))
        generator, region = str(card["generator"]), str(card.get("region", "lips"))
        width, height = (int(side) for side in card.get("size_wh", (90, 30)))
        output = str(card.get("output", "change"))
        usual_bgr = _colour(card["lips_mean_bgr"]) if region == "lips" else None
        arguments = card.get("generator_args", {})
        if not all(isinstance(value, int) and abs(value) <= _MOST for value in arguments.values()):
            raise ValueError(f"generator_args {shown(arguments)}")
    except _UNREADABLE as error:
        raise LookError(
            f"style card {card_path}", f"not readable ({first_line(error)})", "train the style again"
        ) from error
    whole = generator in GENERATORS and region in REGIONS and output in OUTPUTS
    whole = whole and (generator == "lip_net") == (region == "lips") and (region != "lips" or output == "change")
    if not whole or not (8 <= width <= 2048 and 8 <= height <= 2048):
        size = f"{shown(width)}x{shown(height)}"
        got = f"generator {shown(generator)}, region {shown(region)}, output {shown(output)}, size {size}"
        do = f"generators: {', '.join(GENERATORS)}; regions: {', '.join(REGIONS)}; outputs: {', '.join(OUTPUTS)}"
        raise LookError(f"style card {card_path}", got, do)
    weights = card_path.with_suffix(".safetensors")
    return Style(name, generator, weights, region, (width, height), output, usual_bgr, card)


def _colour(levels: Any) -> tuple[float, float, float]:
    blue, green, red = (float(level) for level in levels)
    if not all(0 <= level <= 255 for level in (blue, green, red)):
        raise ValueError(f"lips_mean_bgr {shown(levels)}")
    return blue, green, red
