"""FastStyle: the transformation network of Johnson et al. (ECCV 2016), as PyTorch's examples publish it."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import conv
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="fast_style",
    network="FastStyle",
    paper="Johnson et al. 2016, arXiv:1603.08155",
    arguments={"channels": Argument(32, 2, 256), "blocks": Argument(5, 1, 64)},
    step_px=4,
    benchmarked=False,
)


def _styled(layer: nn.Conv2d) -> nn.Sequential:
    """Return the layer and instance normalisation with learned scale and shift."""
    return nn.Sequential(layer, nn.InstanceNorm2d(layer.out_channels, affine=True))


class _StyledBlock(nn.Module):
    """Two 3x3 convolutions with instance normalisation, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _styled(conv(channels, channels, 3, bias=True))
        self.second = _styled(conv(channels, channels, 3, bias=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return x + self.second(self.first(x).relu())  # type: ignore[no-any-return]


class FastStyle(nn.Module):
    """The residual network of "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", section 3.1.

    Johnson, Alahi, Fei-Fei, ECCV 2016 (arXiv:1603.08155), with the changes of `fast_neural_style` in
    https://github.com/pytorch/examples: instance normalisation (arXiv:1607.08022), padding by reflection, and nearest
    neighbours before a convolution instead of transposed convolutions. 1,679,235 parameters.

    Args:
        channels: Channels of the first layer (32 in the program).
        blocks: Residual blocks (5 in the program).
    """

    def __init__(self, channels: int = 32, blocks: int = 5) -> None:
        super().__init__()
        c = channels
        self.first = _styled(conv(3, c, 9, bias=True))
        self.to_half = _styled(conv(c, 2 * c, 3, 2, bias=True))
        self.to_quarter = _styled(conv(2 * c, 4 * c, 3, 2, bias=True))
        self.body = nn.Sequential(*(_StyledBlock(4 * c) for _ in range(blocks)))
        self.doubled = nn.Upsample(scale_factor=2)
        self.from_quarter = _styled(conv(4 * c, 2 * c, 3, bias=True))
        self.from_half = _styled(conv(2 * c, c, 3, bias=True))
        self.out = conv(c, 3, 9, bias=True)
        nn.init.constant_(self.out.bias, 0.5)  # type: ignore[arg-type]

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in 0..1 of RGB (N, 3, H, W) in 0..1; in training it is not clipped."""
        x = self.to_half(self.first(rgb).relu()).relu()  #   N, 2C, H/2, W/2
        x = self.body(self.to_quarter(x).relu())  #          N, 4C, H/4, W/4
        x = self.from_quarter(self.doubled(x)).relu()  #     N, 2C, H/2, W/2
        x = self.from_half(self.doubled(x)).relu()  #        N,  C, H,   W
        picture: Tensor = self.out(x)  #                     N,  3, H,   W
        return picture if self.training else picture.clamp(0, 1)
