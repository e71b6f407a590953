"""UGatIt: the full generator of U-GAT-IT (Kim et al., ICLR 2020)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.ugatit_net import UGatItLight

SPEC = GeneratorSpec(
    name="ugatit",
    network="UGatIt",
    paper="Kim et al. 2020, arXiv:1907.10830",
    arguments={
        "channels": Argument(64, 4, 256),
        "blocks": Argument(4, 1, 64),
        "side_px": Argument(256, 16, 1024),
        "edge_levels": Argument(0.0, 0.0, 255.0),
    },
    value_range=(-1, 1),
    step_px=4,
    method="ugatit",
    benchmarked=False,
)


class UGatIt(UGatItLight):
    """U-GAT-IT whose scale and shift are computed from all pixels of the feature maps (section 2.1.1).

    Kim, Kim, Kang, Lee, ICLR 2020 (arXiv:1907.10830), generator's table in the appendix: 278,959,808 parameters at 256
    pixels. For pictures of another size, the maps are averaged to the size that the weights belong to.

    Args:
        channels: Channels of the first layer (64 in the paper).
        blocks: Residual blocks before the attention, and as many after it (4 in the paper).
        side_px: Width and height of the pictures that the weights belong to (256 in the paper).
        edge_levels: As for UGatItLight.
    """

    def __init__(self, channels: int = 64, blocks: int = 4, side_px: int = 256, edge_levels: float = 0.0) -> None:
        super().__init__(channels, blocks, edge_levels)
        self.side = side_px // 4
        self.style[0] = nn.Linear(self.side**2 * 4 * channels, 4 * channels, bias=False)

    def features(self, x: Tensor) -> Tensor:
        """Return all pixels of the feature maps in one row, (N, C, H, W) to (N, C * side * side)."""
        if x.shape[2:] != (self.side, self.side):
            x = F.adaptive_avg_pool2d(x, self.side)
        return x.flatten(1)
