"""U-GAT-IT's light generator: attention maps, and a normalisation that the picture's own features steer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.generators.layers import Attention, ResidualBlock, SteeredBlock, conv, doubled, layer_instance_norm, normed


class _AdaLin(nn.Module):
    """Adaptive layer-instance normalisation: scale and shift come from outside (section 2.1.1, equation 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return layer_instance_norm(x, self.rho) * gamma[:, :, None, None] + beta[:, :, None, None]


class UGatItLight(nn.Module):
    """The generator of U-GAT-IT, with the light way to its scale and shift.

    Kim, Kim, Kang, Lee, "U-GAT-IT: Unsupervised Generative Attentional Networks with Adaptive Layer-Instance
    Normalization for Image-to-Image Translation", ICLR 2020 (arXiv:1907.10830): section 2.1.1 and the generator's
    table in the appendix. The light version, in the authors' program, makes the scale and the shift from the mean of
    each feature map instead of from all their pixels, which takes 268 million weights away.

    Args:
        channels: of the first layer (64 in the paper).
        blocks: residual blocks before and after the attention, each (4 in the paper).
    """

    def __init__(self, channels: int = 64, blocks: int = 4) -> None:
        super().__init__()
        c, deep = channels, 4 * channels
        self.encode = nn.Sequential(
            normed(conv(3, c, 7)), normed(conv(c, 2 * c, 3, 2)), normed(conv(2 * c, deep, 3, 2)),
            *(ResidualBlock(deep, bias=False) for _ in range(blocks)),
        )  # fmt: skip
        self.attend = Attention(deep)
        linear = [nn.Linear(deep, deep, bias=False) for _ in range(4)]
        self.style = nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU())
        self.gamma, self.beta = linear[2:]
        self.decode = nn.ModuleList(SteeredBlock(deep, _AdaLin) for _ in range(blocks))
        self.enlarge = nn.Sequential(doubled(deep, 2 * c), doubled(2 * c, c))
        self.out = conv(c, 3, 7)

    def forward(self, rgb: Tensor) -> Tensor:
        """The picture in 0..1; RGB, H and W multiples of 4."""
        x = self.attend(self.encode(rgb * 2 - 1))  #         N, 4C, H/4, W/4
        style = self.style(x.mean((2, 3)))  #                N, 4C
        gamma, beta = self.gamma(style), self.beta(style)  # N, 4C each
        for block in self.decode:
            x = block(x, gamma, beta)  #                     N, 4C, H/4, W/4
        x = self.enlarge(x)  #                               N,  C, H,   W
        picture: Tensor = self.out(x).tanh()  #              N,  3, H,   W
        return (picture + 1) / 2
