"""Pix2PixHd: the generator of pix2pixHD with its local enhancer (Wang et al., CVPR 2018)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.layers import ResidualBlock, conv, normed
from engines.generators.pix2pixhd_net import Pix2PixHdGlobal
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="pix2pixhd",
    network="Pix2PixHd",
    paper="Wang et al. 2018, arXiv:1711.11585",
    arguments={
        "channels": Argument(32, 4, 256),
        "steps": Argument(5, 2, 7),
        "blocks": Argument(9, 1, 64),
        "local_blocks": Argument(3, 1, 64),
    },
    value_range=(-1, 1),
    step_px="steps",
    method="pix2pixhd",
    benchmarked=False,
)


class Pix2PixHd(nn.Module):
    """The network {G1, G2}: a global generator at half the resolution, enclosed by a local enhancer.

    Wang, Liu, Zhu, Tao, Kautz, Catanzaro, CVPR 2018 (arXiv:1711.11585), section 3.2, figure 3 and appendix "Generator
    architectures". The last layer of the global generator is left out: its features are added to the enhancer's.

    Args:
        channels: Channels of the enhancer's first layer (32 in the paper); the global generator has twice as many.
        steps: How many times the picture is halved, once of them for the global generator (5 in the paper).
        blocks: Residual blocks of the global generator (9 in the paper).
        local_blocks: Residual blocks of the enhancer (3 in the paper).
    """

    def __init__(self, channels: int = 32, steps: int = 5, blocks: int = 9, local_blocks: int = 3) -> None:
        super().__init__()
        c = channels
        self.coarse = Pix2PixHdGlobal(2 * c, steps - 1, blocks)
        self.coarse.out = nn.Identity()  # never called: the features are used
        self.down = nn.Sequential(
            normed(conv(3, c, 7, bias=True)), normed(conv(c, 2 * c, 3, 2, bias=True, reflect=False))
        )
        self.body = nn.Sequential(*(ResidualBlock(2 * c, bias=True) for _ in range(local_blocks)))
        self.up = normed(nn.ConvTranspose2d(2 * c, c, 3, 2, 1, output_padding=1))
        self.out = conv(c, 3, 7, bias=True)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1."""
        half = F.avg_pool2d(rgb, 3, 2, 1, count_include_pad=False)  # N,  3, H/2, W/2
        x = self.down(rgb) + self.coarse.features(half)  #            N, 2C, H/2, W/2
        x = self.up(self.body(x))  #                                  N,  C, H,   W
        return self.out(x).tanh()  # type: ignore[no-any-return]  #     N,  3, H,   W
