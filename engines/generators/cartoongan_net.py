"""CartoonGan: the generator of Chen, Lai and Liu (CVPR 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import conv
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.translation_layers import Translator

SPEC = GeneratorSpec(
    name="cartoongan",
    network="CartoonGan",
    paper="Chen et al. 2018, CVPR, CartoonGAN",
    arguments={"channels": Argument(64, 4, 256), "blocks": Argument(8, 1, 64)},
    value_range=(-1, 1),
    step_px=4,
    benchmarked=False,
)
_EPSILON = 1e-9  # of the published program


def _scaled(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, eps=_EPSILON, affine=True)


class _CartoonBlock(nn.Module):
    """Two 3x3 convolutions with scaled instance normalisation, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(conv(channels, channels, 3, bias=True), _scaled(channels), nn.ReLU())
        self.second = nn.Sequential(conv(channels, channels, 3, bias=True), _scaled(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return x + self.second(self.first(x))  # type: ignore[no-any-return]


def _stage(change: nn.Module, channels: int) -> nn.Sequential:
    """Return a layer that halves or doubles the picture, a 3x3 convolution, normalisation and ReLU."""
    return nn.Sequential(change, nn.Conv2d(channels, channels, 3, padding=1), _scaled(channels), nn.ReLU())


class CartoonGan(Translator):
    """The network of "CartoonGAN: Generative Adversarial Networks for Photo Cartoonization", figure 2.

    Chen, Lai, Liu, CVPR 2018. Layers, padding and the small constant of the normalisation are those of
    https://github.com/Yijunmaverick/CartoonGAN-Test-Pytorch-Torch, which publishes the authors' weights.

    Args:
        channels: Channels of the first layer (64 in the paper).
        blocks: Residual blocks (8 in the paper).
    """

    def __init__(self, channels: int = 64, blocks: int = 8) -> None:
        super().__init__()
        c = channels
        self.first = nn.Sequential(conv(3, c, 7, bias=True), _scaled(c), nn.ReLU())
        self.to_half = _stage(nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), 2 * c)
        self.to_quarter = _stage(nn.Conv2d(2 * c, 4 * c, 3, stride=2, padding=1), 4 * c)
        self.body = nn.Sequential(*(_CartoonBlock(4 * c) for _ in range(blocks)))
        self.from_quarter = _stage(nn.ConvTranspose2d(4 * c, 2 * c, 3, 2, 1, 1), 2 * c)
        self.from_half = _stage(nn.ConvTranspose2d(2 * c, c, 3, 2, 1, 1), c)
        self.out = conv(c, 3, 7, bias=True)
