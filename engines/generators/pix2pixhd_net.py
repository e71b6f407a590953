"""Pix2PixHdGlobal: the global generator of pix2pixHD (Wang et al., CVPR 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import ResidualBlock, conv, normed
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="pix2pixhd_global",
    network="Pix2PixHdGlobal",
    paper="Wang et al. 2018, arXiv:1711.11585",
    arguments={"channels": Argument(64, 4, 256), "depth": Argument(4, 1, 6), "blocks": Argument(9, 1, 64)},
    value_range=(-1, 1),
    step_px="depth",
    method="pix2pixhd",
    benchmarked=False,
)


class Pix2PixHdGlobal(nn.Module):
    """The network G1: c7s1-64, d128 to d1024, nine R1024, u512 to u64, c7s1-3.

    Wang, Liu, Zhu, Tao, Kautz, Catanzaro, "High-Resolution Image Synthesis and Semantic Manipulation with Conditional
    GANs", CVPR 2018 (arXiv:1711.11585), section 3.2 and appendix "Generator architectures". Photos replace its label
    maps: there are no instance maps.

    Args:
        channels: Channels of the first layer (64 in the paper).
        depth: How many times the picture is halved (4 in the paper).
        blocks: Residual blocks (9 in the paper).
    """

    def __init__(self, channels: int = 64, depth: int = 4, blocks: int = 9) -> None:
        super().__init__()
        wide = [channels * 2**i for i in range(depth + 1)]
        down = [normed(conv(wide[i], wide[i + 1], 3, 2, bias=True, reflect=False)) for i in range(depth)]
        self.down = nn.Sequential(normed(conv(3, channels, 7, bias=True)), *down)
        self.body = nn.Sequential(*(ResidualBlock(wide[-1], bias=True) for _ in range(blocks)))
        up = (nn.ConvTranspose2d(wide[i], wide[i - 1], 3, 2, 1, output_padding=1) for i in range(depth, 0, -1))
        self.up = nn.Sequential(*map(normed, up))
        self.out: nn.Module = conv(channels, 3, 7, bias=True)

    def features(self, rgb: Tensor) -> Tensor:
        """Return the features before the last layer, (N, C, H, W), of RGB (N, 3, H, W) in -1..1."""
        x = self.body(self.down(rgb))  #                  N, 16C, H/16, W/16
        return self.up(x)  # type: ignore[no-any-return]  # N, C, H,    W

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1."""
        return self.out(self.features(rgb)).tanh()  # type: ignore[no-any-return]  # N, 3, H, W
