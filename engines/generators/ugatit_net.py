"""UGatItLight: the light generator of U-GAT-IT (Kim et al., ICLR 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.generators.edge_filter import flattened
from engines.generators.layers import Attention, ResidualBlock, SteeredBlock, conv, doubled, layer_instance_norm, normed
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="ugatit_light",
    network="UGatItLight",
    paper="Kim et al. 2020, arXiv:1907.10830",
    arguments={
        "channels": Argument(64, 4, 256),
        "blocks": Argument(4, 1, 64),
        "edge_levels": Argument(0.0, 0.0, 255.0),
    },
    value_range=(-1, 1),
    step_px=4,
    method="ugatit",
    benchmarked=False,
)


class _AdaLin(nn.Module):
    """AdaLIN: layer-instance normalisation with given scale and shift (section 2.1.1, equation 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """x (N, C, H, W) to the same shape; gamma and beta: (N, C)."""
        return layer_instance_norm(x, self.rho) * gamma[:, :, None, None] + beta[:, :, None, None]


class UGatItLight(nn.Module):
    """An encoder, class activation attention, and a decoder normalised by AdaLIN.

    Kim, Kim, Kang, Lee, "U-GAT-IT: Unsupervised Generative Attentional Networks with Adaptive Layer-Instance
    Normalization for Image-to-Image Translation", ICLR 2020 (arXiv:1907.10830), section 2.1.1 and the generator's
    table in the appendix. The light version of the authors' program computes scale and shift from the mean of each
    feature map instead of from all pixels, which saves 268 million parameters.

    Args:
        channels: Channels of the first layer (64 in the paper).
        blocks: Residual blocks before the attention, and as many after it (4 in the paper).
        edge_levels: Difference of colours that counts as an edge for a filter that makes areas even, levels of 0..255;
            0, as in the paper, for no filter.
    """

    def __init__(self, channels: int = 64, blocks: int = 4, edge_levels: float = 0.0) -> None:
        super().__init__()
        self.edge = edge_levels / 127.5
        c, deep = channels, 4 * channels
        down = (normed(conv(3, c, 7)), normed(conv(c, 2 * c, 3, 2)), normed(conv(2 * c, deep, 3, 2)))
        self.encode = nn.Sequential(*down, *(ResidualBlock(deep, bias=False) for _ in range(blocks)))
        self.attend = Attention(deep)
        linear = [nn.Linear(deep, deep, bias=False) for _ in range(4)]
        self.style = nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU())
        self.gamma, self.beta = linear[2:]
        self.decode = nn.ModuleList(SteeredBlock(deep, _AdaLin) for _ in range(blocks))
        self.enlarge = nn.Sequential(doubled(deep, 2 * c), doubled(2 * c, c))
        self.out = conv(c, 3, 7)

    def forward(self, rgb: Tensor, with_logits: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1.

        Args:
            with_logits: Return the logits of the attention's classifiers too, (N, 2): training needs them.
        """
        encoded = self.encode(rgb)  #                        N, 4C, H/4, W/4
        x = self.attend(encoded)  #                          N, 4C, H/4, W/4
        style = self.style(self.features(x))  #              N, 4C
        gamma, beta = self.gamma(style), self.beta(style)  # N, 4C each
        for block in self.decode:
            x = block(x, gamma, beta)  #                     N, 4C, H/4, W/4
        picture = flattened(self.out(self.enlarge(x)).tanh(), self.edge)  # N, 3, H, W
        return (picture, self.attend.logits(encoded)) if with_logits else picture

    def features(self, x: Tensor) -> Tensor:
        """Return what scale and shift are computed from: the mean of each feature map, (N, C, H, W) to (N, C)."""
        return x.mean((2, 3))
