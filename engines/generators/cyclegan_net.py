"""CycleGan: the ResNet-9 generator of Zhu et al. (ICCV 2017)."""

from __future__ import annotations

from torch import nn

from engines.generators.layers import ResidualBlock, conv, normed
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.translation_layers import Translator

SPEC = GeneratorSpec(
    name="cyclegan",
    network="CycleGan",
    paper="ResNet-9 of Zhu et al. 2017, arXiv:1703.10593",
    arguments={"channels": Argument(64, 4, 256), "blocks": Argument(9, 1, 64)},
    value_range=(-1, 1),
    step_px=4,
    method="cyclegan",
    benchmarked=False,
)


class CycleGan(Translator):
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
