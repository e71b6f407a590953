"""CycleGAN's generator: the residual network that most free face filters of its time were trained with."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import ResidualBlock, conv, normed


class CycleGan(nn.Module):
    """ResNet-9: c7s1-64, d128, d256, nine R256, u128, u64, c7s1-3.

    Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV
    2017 (arXiv:1703.10593), appendix 7.2 "Generator architectures", for pictures of 256x256; 11.38 million weights.
    The 56.8 GMAC that "GAN Compression" (Li et al., 2020, arXiv:2003.08951, table 2) gives count transposed
    convolutions by their output, products with inserted zeros included; 49.6 are computed.

    Args:
        channels: of the first layer.
        blocks: residual blocks; 9 for 256x256 and larger.
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
        """The picture in 0..1; RGB, H and W multiples of 4."""
        x = self.to_half(self.first(rgb * 2 - 1))  #    N, 2C, H/2, W/2
        x = self.body(self.to_quarter(x))  #            N, 4C, H/4, W/4
        x = self.from_half(self.from_quarter(x))  #     N,  C, H,   W
        picture: Tensor = self.out(x).tanh()  #         N,  3, H,   W
        return (picture + 1) / 2
