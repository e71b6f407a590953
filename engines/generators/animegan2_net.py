"""AnimeGan2: the light drawing generator of AnimeGANv2 (Chen, 2020)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.layers import conv
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="animegan2",
    network="AnimeGan2",
    paper="Chen 2020, github.com/TachibanaYoshino/AnimeGANv2",
    arguments={"aligned": Argument(False)},
    value_range=(-1, 1),
    step_px=4,
    benchmarked=False,
)


def _normed(layer: nn.Conv2d) -> nn.Sequential:
    """Return the layer, layer normalisation and leaky ReLU."""
    return nn.Sequential(layer, nn.GroupNorm(1, layer.out_channels), nn.LeakyReLU(0.2))


class _Halved(nn.Module):
    """A 3x3 convolution at stride 2, padded by reflection at the right and lower border only."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.conv = _normed(nn.Conv2d(into, out, 3, stride=2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H/2, W/2)."""
        return self.conv(F.pad(x, (0, 1, 0, 1), mode="reflect"))  # type: ignore[no-any-return]


class _Inverted(nn.Module):
    """An inverted residual block: expand, depthwise 3x3, project (Sandler et al., arXiv:1801.04381, section 3.3)."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        wide = 2 * into
        each = nn.Conv2d(wide, wide, 3, padding=1, padding_mode="reflect", groups=wide)
        narrow = nn.Sequential(conv(wide, out, 1), nn.GroupNorm(1, out))
        self.inner = nn.Sequential(_normed(conv(into, wide, 1)), _normed(each), narrow)
        self.added = into == out

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H, W)."""
        inner: Tensor = self.inner(x)
        return x + inner if self.added else inner


class AnimeGan2(nn.Module):
    """The generator of AnimeGANv2, which is published as a program; its predecessor has a paper.

    Chen, Liu, Chen, "AnimeGAN: A Novel Lightweight GAN for Photo Animation", ISICA 2019, section 3.1, and
    https://github.com/TachibanaYoshino/AnimeGANv2: fewer parameters (8.17 MB in FP32 according to its README), and
    layer instead of instance normalisation.

    Args:
        aligned: Enlarge with the corner pixels in place (`align_corners`), as `face2paint` of
            https://github.com/bryandlee/animegan2-pytorch does; its `test.py` and the original program do not.
    """

    def __init__(self, aligned: bool = False) -> None:
        super().__init__()
        self.aligned = aligned
        self.to_half = nn.Sequential(_normed(conv(3, 32, 7)), _Halved(32, 64), _normed(conv(64, 64, 3)))
        self.to_quarter = nn.Sequential(_Halved(64, 128), _normed(conv(128, 128, 3)))
        blocks = (_Inverted(128, 256), *(_Inverted(256, 256) for _ in range(3)))
        self.body = nn.Sequential(_normed(conv(128, 128, 3)), *blocks, _normed(conv(256, 128, 3)))
        self.back_to_half = nn.Sequential(_normed(conv(128, 128, 3)), _normed(conv(128, 128, 3)))
        self.back_to_full = nn.Sequential(_normed(conv(128, 64, 3)), _normed(conv(64, 64, 3)), _normed(conv(64, 32, 7)))
        self.out = conv(32, 3, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1."""
        x = self.to_half(rgb)  #                     N,  64, H/2, W/2
        x = self.body(self.to_quarter(x))  #         N, 128, H/4, W/4
        x = self.back_to_half(self._doubled(x))  #  N, 128, H/2, W/2
        x = self.back_to_full(self._doubled(x))  #  N,  32, H,   W
        return self.out(x).tanh()  # type: ignore[no-any-return]  # N, 3, H, W

    def _doubled(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 2H, 2W), bilinear."""
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=self.aligned)
