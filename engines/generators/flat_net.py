"""FlatNet: a ToonNet whose pictures are made even between their edges, as flat drawings are."""

from __future__ import annotations

from torch import Tensor

from engines.generators.edge_filter import flattened
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.toon_net import ToonNet

SPEC = GeneratorSpec(
    name="flat_net",
    network="FlatNet",
    paper="this project; edge-avoiding filter of Dammertz et al. 2010",
    arguments={
        "channels": Argument(16, 4, 256),
        "deep": Argument(48, 4, 256),
        "blocks": Argument(3, 1, 64),
        "edge_levels": Argument(14.0, 0.0, 255.0),
    },
    step_px=8,
    method="cyclegan",
    benchmarked=False,
)


class FlatNet(ToonNet):
    """A ToonNet followed by a filter without weights, which is a part of it in training as well.

    Args:
        channels: As for ToonNet.
        deep: As for ToonNet.
        blocks: As for ToonNet.
        edge_levels: Difference of colours that counts as an edge, levels of 0..255; 0 for no filter.
    """

    def __init__(self, channels: int = 16, deep: int = 48, blocks: int = 3, edge_levels: float = 14.0) -> None:
        super().__init__(channels, deep, blocks)
        self.edge = edge_levels / 255

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture in 0..1 (not clipped in training) of RGB (N, 3, H, W) in 0..1."""
        return flattened(super().forward(rgb), self.edge)  # N, 3, H, W
