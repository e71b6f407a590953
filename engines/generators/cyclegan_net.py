"""CycleGan: the ResNet-9 generator of Zhu et al. (ICCV 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import ResidualBlock, conv, normed
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="cyclegan",
    network="CycleGan",
    paper="ResNet-9 of Zhu et al. 2017, arXiv:1703.10593",
    arguments={"channels": Argument(64, 4, 256), "blocks": Argument(9, 1, 64)},
    value_range=(-1, 1),
    step_px=4,
    benchmarked=False,
)


class CycleGan(nn.Module):
    """The residual network c7s1-64, d128, d256, nine R256, u128, u64, c7s1-3.

    Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV
    2017 (arXiv:1703.10593), appendix 7.2 "Generator architectures": 11.38 million parameters, 49.6 GMAC at 256x256.
    "GAN Compression" (Li et al., 2020, arXiv:2003.08951, table 2) gives 56.8 GMAC, because it counts the products
    with the inserted zeros of transposed convolutions.

    Args:
        channels: Channels of the first layer (64 in the paper).
        blocks: Residual blocks (9 in the paper for 256x256 and larger).
    """

    def __init__(self, channels: int = 64, blocks: int = 9) -> None:
        super().__init__()
        c = channels
        self.first = normed(conv(3, c, 7, bias=True))
        self.to_half = normed(conv(c, 2 * c, 3, 2, bias=True, reflect=False))
        self.to_quarter = normed(conv(2 * c, 4 * c, 3, 2, bias=True, reflect=False))
        self.body = nn.Sequential(*(ResidualBlock(4 * c, bias=True) for _ in range(blocks)))
        self.from_quarter = normed(nn.ConvTranspose2d(4 * c, 2 * c, 3, stride=2, padding=1, output_padding=1))
        self.from_half = normed(nn.ConvTranspose2d(2 * c, c, 3, stride=2, padding=1, output_padding=1))
        self.out = conv(c, 3, 7, bias=True)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1."""
        x = self.to_half(self.first(rgb))  #         N, 2C, H/2, W/2
        x = self.body(self.to_quarter(x))  #         N, 4C, H/4, W/4
        x = self.from_half(self.from_quarter(x))  #  N,  C, H,   W
        return self.out(x).tanh()  # type: ignore[no-any-return]  # N, 3, H, W
