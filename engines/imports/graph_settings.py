"""How a picture goes into an imported graph and comes out of it: axes, colours and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

LAYOUTS = ("nchw", "nhwc")
COLOURS = ("rgb", "bgr")
RANGES = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0), "0..255": (0.0, 255.0)}
_MAX_OUTPUTS = 64


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """The settings of one imported graph; a style card holds them under "graph".

    Attributes:
        layout: Order of the axes, one of `LAYOUTS`.
        colours: Order of the colours, one of `COLOURS`.
        input_range: Range of the input's values, one of `RANGES`.
        output_range: Range of the picture's values.
        output: Index of the output that is the picture.
        one_face: Whether the graph takes one picture a call, so that several faces are drawn one after another.
    """

    layout: str
    colours: str
    input_range: str
    output_range: str
    output: int = 0
    one_face: bool = False

    def __post_init__(self) -> None:
        allowed = (
            (self.layout, LAYOUTS),
            (self.colours, COLOURS),
            (self.input_range, RANGES),
            (self.output_range, RANGES),
        )
        for value, values in allowed:
            if value not in values:
                raise ValueError(f"{value!r} is not one of {', '.join(values)}")
        if not 0 <= self.output < _MAX_OUTPUTS:
            raise ValueError(f"there is no output {self.output}")

    def as_card(self) -> dict[str, Any]:
        """Return the settings as a part of a style card."""
        return asdict(self)


def settings_of(card: Mapping[str, Any]) -> GraphSettings:
    """Return the settings in a style card. Raises ValueError, TypeError or KeyError if they are not usable."""
    found = card["graph"]
    layout, colours = str(found["layout"]), str(found["colours"])
    input_range, output_range = str(found["input_range"]), str(found["output_range"])
    output, one_face = int(found.get("output", 0)), found.get("one_face") is True
    return GraphSettings(layout, colours, input_range, output_range, output, one_face)
