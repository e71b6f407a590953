"""The options of `veneer paint`, which are read without PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from typer import Option

from engines.errors import OptionsError
from engines.option_fields import check_ranges

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
OPTIMISERS = ("lbfgs", "adam")
_OF_FAST = ("fast", "size", "strokes", "also", "colours", "only", "seed")
POOLING = ("average", "max")
_COARSEST_PX, _SHARE_OF_FINER = 640, 0.25  # pictures up to this side are painted at once; share of the iterations


@dataclass(frozen=True, kw_only=True)
class PaintOptions:
    """Options of `veneer paint`."""

    fast: Annotated[bool, Option("--fast", help="Paint in one pass, by `veneer models add transfer`.")] = False
    size: Annotated[int, Option(help="Longer side of the painting, pixels.", min=64, max=4096)] = 512
    iterations: Annotated[int, Option(help="Iterations; finer levels get a quarter each.", min=1, max=100_000)] = 300
    optimiser: Annotated[str, Option(help=f"{' or '.join(OPTIMISERS)}.")] = "lbfgs"
    content: Annotated[float, Option(help="Weight of the content (alpha).", min=0)] = 1.0
    style: Annotated[float, Option(help="Weight of the style (beta).", min=0)] = 100.0
    layers: Annotated[str, Option(help="Weights of the five style layers.")] = "0.2,0.2,0.2,0.2,0.2"
    smooth: Annotated[float, Option(help="Weight of the total variation.", min=0)] = 0.1
    noise: Annotated[float, Option(help="Share of noise in the first picture.", min=0, max=1)] = 0.6
    strokes: Annotated[float, Option(help="Size of the style pictures, in sizes of the photo.", min=0.1, max=4)] = 1.0
    pooling: Annotated[str, Option(help=f"{' or '.join(POOLING)}.")] = "average"
    colours: Annotated[str, Option(help="Colours of the style, or of the photo.")] = "style"
    only: Annotated[str, Option(help="Paint only the person, or only the room.", show_default="everything")] = ""
    also: Annotated[tuple[str, ...], Option(metavar="FILE[=WEIGHT]", help="A further style picture; repeatable.")] = ()
    preview: Annotated[Path | None, Option(metavar="FILE", help="Write the picture so far here as well.")] = None
    preview_every: Annotated[int, Option(help="Iterations between two previews.", min=1)] = 25
    seed: Annotated[int, Option(help="Seed of the noise.", min=0, max=2**32 - 1)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        for name, value, known in (
            ("optimiser", self.optimiser, OPTIMISERS),
            ("pooling", self.pooling, POOLING),
            ("colours", self.colours, ("style", "photo")),
            ("only", self.only, ("", "person", "room")),
        ):
            if value not in known:
                raise OptionsError(
                    f"--{name} {value}", "there is no such value", f"use {' or '.join(filter(None, known))}"
                )
        ignored = [
            one.name for one in fields(self) if one.name not in _OF_FAST and getattr(self, one.name) != one.default
        ]
        if self.fast and ignored:
            option = "--" + ignored[0].replace("_", "-")
            raise OptionsError(f"--fast and {option}", "a painting in one pass has no such option", "leave it out")
        if not self.content + self.style:
            raise OptionsError("--content 0 --style 0", "nothing is left to paint", "give one of them a weight")
        _ = self.layer_weights

    @property
    def levels(self) -> list[tuple[int, int]]:
        """The longer side and the iterations of each level, coarse to fine."""
        sides = [self.size]
        while sides[0] > _COARSEST_PX:
            sides.insert(0, round(sides[0] / 2))
        finer = max(1, round(self.iterations * _SHARE_OF_FINER))
        return [(side, finer if i else self.iterations) for i, side in enumerate(sides)]

    @property
    def layer_weights(self) -> tuple[float, ...]:
        """The weights of the style layers. Raises OptionsError if they are not five numbers of 0 or more."""
        try:
            weights = tuple(float(one) for one in self.layers.split(","))
        except ValueError:
            weights = ()
        if len(weights) != len(STYLE_LAYERS) or not all(0 <= one < math.inf for one in weights) or not sum(weights):
            do = f"write five numbers, as in 0.2,0.2,0.2,0.2,0.2, for {', '.join(STYLE_LAYERS)}"
            raise OptionsError(f"--layers {self.layers}", "not five weights", do)
        return weights
