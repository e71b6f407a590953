"""StyleGan2: the style-based generator with weight demodulation."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.noise_layers import EqualLinear, blur, doubled, feature_widths, lrelu
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.style_layers import Noise, Styled

SPEC = GeneratorSpec(
    name="stylegan2",
    network="StyleGan2",
    paper="Karras et al. 2020, arXiv:1912.04958",
    arguments={
        "latent": Argument(512, 2, 1024),
        "side_px": Argument(64, 8, 1024),
        "channels": Argument(512, 4, 1024),
        "classes": Argument(0, 0, 1000),
        "mapping": Argument(8, 1, 8),
        "multiplier": Argument(2, 1, 2),
        "taper_px": Argument(32, 4, 1024),
    },
    inputs=("latent",),
    value_range=(-1, 1),
    output_size="fixed",
    method="stylegan2",
    benchmarked=False,
)


class Modulated(nn.Module):
    """A convolution whose weights are scaled by the style, and demodulated: section 2.2, equations 1 and 3.

    Scaling the input maps by the style and the output maps by the demodulation gives the same values as scaling the
    weights, and all pictures of a batch share one convolution.

    Args:
        up: Whether the size is doubled.
        demodulated: Whether each output map is divided by the expected deviation.
    """

    def __init__(
        self, into: int, out: int, size: int, latent: int, *, up: bool = False, demodulated: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out, into, size, size))
        self.modulation = EqualLinear(latent, into, start=1.0)
        self.scale, self.up, self.demodulated = 1 / math.sqrt(into * size**2), up, demodulated

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X (N, into, H, W) to (N, out, H, W) or twice the size; style (N, latent)."""
        weight, scales = self.weight[0] * self.scale, self.modulation(style)
        x = x * scales[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # N, out, 2H + 1, 2W + 1
            x = blur(x, 1) * 4  #                                           N, out, 2H, 2W
        else:
            x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)  #       N, out, H, W
        if self.demodulated:
            x = x * self.demodulation(scales)[:, :, None, None]
        return x

    def demodulation(self, scales: Tensor) -> Tensor:
        """Return the factors of the output maps, (N, out), for scales of the input maps, (N, into)."""
        energy = (self.weight[0] * self.scale).square().sum((2, 3))  # out, into
        return (F.linear(scales.square(), energy) + 1e-8).rsqrt()


class Bias(nn.Module):
    """A bias for each channel, then leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return lrelu(x + self.bias[:, None, None])


class StyledConv(nn.Module):
    """A modulated convolution, noise, bias and leaky ReLU (figure 2d)."""

    def __init__(self, into: int, out: int, latent: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = Modulated(into, out, 3, latent, up=up)
        self.noise, self.activate = Noise(), Bias(out)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return the convolved features; `forward` of the network adds noise and `activate`."""
        return self.conv(x, style)  # type: ignore[no-any-return]


class ToRgb(nn.Module):
    """Features to colours, without demodulation."""

    def __init__(self, into: int, latent: int) -> None:
        super().__init__()
        self.conv = Modulated(into, 3, 1, latent, demodulated=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """X (N, C, H, W) to (N, 3, H, W)."""
        return self.conv(x, style) + self.bias  # type: ignore[no-any-return]


class Constant(nn.Module):
    """The learned input at 4x4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class StyleGan2(Styled):
    """Modulated convolutions, and a sum of colours over all sizes.

    Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020 (arXiv:1912.04958): section 2.2
    (weight demodulation), section 4.1 and figure 7b (output skips). The modules have the names of rosinality's program,
    https://github.com/rosinality/stylegan2-pytorch.

    Args:
        latent: Numbers of noise and of a style.
        side_px: Width and height of the picture, a power of two.
        channels: Features of the smallest sizes (512 in the paper).
        classes: Length of the labels that are appended to the noise; 0 for none.
        mapping: Layers of the mapping network (8 in the paper).
        multiplier: 2 for 512 features at 64 pixels as in the paper's configuration F; 1 for half of them from there on.
        taper_px: Size from which on features are halved with each doubling (32 in the paper).
    """

    def __init__(
        self,
        latent: int = 512,
        side_px: int = 64,
        channels: int = 512,
        classes: int = 0,
        mapping: int = 8,
        multiplier: int = 2,
        taper_px: int = 32,
    ) -> None:
        super().__init__(latent, side_px, classes, mapping, first=1)
        wide = feature_widths(channels, self.steps, taper_px, multiplier)
        self.input = Constant(wide[0])
        self.conv1, self.to_rgb1 = StyledConv(wide[0], wide[0], latent), ToRgb(wide[0], latent)
        convs = []
        for into, out in itertools.pairwise(wide):
            convs += [StyledConv(into, out, latent, up=True), StyledConv(out, out, latent)]
        self.convs = nn.ModuleList(convs)
        self.to_rgbs = nn.ModuleList([ToRgb(width, latent) for width in wide[1:]])

    def synthesis(self, styles: Tensor, noise: str = "constant") -> Tensor:
        """Return pictures (N, 3, S, S) around -1..1 of the styles of all layers (N, layers, latent)."""
        x = self.input.input.repeat(len(styles), 1, 1, 1)  #                  N, C, 4, 4
        for i, layer in enumerate((self.conv1, *self.convs)):
            x = layer(x, styles[:, i])  #                                        N, C', H, W
            x = layer.activate(layer.noise(x, self.noise(i, x, noise)))
            if i == 0:
                picture = self.to_rgb1(x, styles[:, 1])  #                       N, 3, 4, 4
            elif i % 2 == 0:
                picture = doubled(picture) + self.to_rgbs[i // 2 - 1](x, styles[:, i + 1])  # N, 3, H, W
        return picture  # type: ignore[no-any-return]
