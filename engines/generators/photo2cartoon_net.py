"""Photo2Cartoon: U-GAT-IT light at half its width, between hourglass networks at full resolution."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.edge_filter import flattened
from engines.generators.layers import Attention, ResidualBlock, SteeredBlock, conv, doubled, layer_instance_norm, normed
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="photo2cartoon",
    network="Photo2Cartoon",
    paper="Minivision 2020, github.com/minivision-ai/photo2cartoon",
    arguments={
        "channels": Argument(32, 4, 256),
        "blocks": Argument(4, 1, 64),
        "depth": Argument(4, 2, 8),
        "edge_levels": Argument(0.0, 0.0, 255.0),
    },
    value_range=(-1, 1),
    step_px="depth",
    method="photo2cartoon",
    benchmarked=False,
)


class _Pyramid(nn.Module):
    """Three 3x3 convolutions in sequence, whose outputs are concatenated and added to the input.

    The block of Bulat and Tzimiropoulos, "Binarized Convolutional Landmark Localizers", ICCV 2017 (arXiv:1703.00862,
    section 4), with instance normalisation before each convolution. `unused` is the 1x1 convolution for blocks whose
    numbers of channels differ: the published program creates it in all blocks, and calls it in none.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = (channels, channels // 2, channels // 4, channels // 4)
        self.steps = nn.ModuleList(
            nn.Sequential(nn.InstanceNorm2d(into), nn.ReLU(), conv(into, out, 3))
            for into, out in itertools.pairwise(wide)
        )
        self.unused = nn.Conv2d(channels, channels, 1, bias=False).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        features = [x]
        for step in self.steps:
            features.append(step(features[-1]))  # N, C/2 then C/4 then C/4, H, W
        return x + torch.cat(features[1:], 1)  #   N, C, H, W


class _Hourglass(nn.Module):
    """Down to 1/2**depth of the resolution and back, with a skip at each level (Newell et al., arXiv:1603.06937)."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.across, self.down, self.up = _Pyramid(channels), _Pyramid(channels), _Pyramid(channels)
        self.inner = _Hourglass(channels, depth - 1) if depth > 1 else _Pyramid(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        small = self.up(self.inner(self.down(F.avg_pool2d(x, 2))))  # N, C, H/2, W/2
        return self.across(x) + F.interpolate(small, scale_factor=2.0)  # type: ignore[no-any-return]  # N, C, H, W


class _Stage(nn.Module):
    """An hourglass that predicts a draft picture and adds it to its features. The last one returns the draft."""

    def __init__(self, channels: int, depth: int, *, last: bool = False) -> None:
        super().__init__()
        narrow = normed(nn.Conv2d(channels, channels, 1, bias=False))
        self.features = nn.Sequential(_Hourglass(channels, depth), _Pyramid(channels), narrow)
        self.sketch = nn.Conv2d(channels, 3, 1)
        self.last = last
        if not last:
            self.on, self.back = nn.Conv2d(channels, channels, 1), nn.Conv2d(3, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape; the last stage returns (N, 3, H, W)."""
        features = self.features(x)  #     N, C, H, W
        sketch = self.sketch(features)  #  N, 3, H, W
        return sketch if self.last else x + self.on(features) + self.back(sketch)  # type: ignore[no-any-return]


class _Blend(nn.Module):
    """A scale or shift: a learned mixture of what style and encoder features predict."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(1, channels))
        linear = [nn.Linear(channels, channels) for _ in range(3)]
        self.by_content = nn.Sequential(linear[0], nn.ReLU(), linear[1])
        self.by_style = linear[2]

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Content and style, (N, C) each, to (N, C, 1, 1)."""
        # Not torch.lerp: compiling it for one thread in FP32 crashes OpenVINO 2026.4.1.
        blended = (1 - self.share) * self.by_style(style) + self.share * self.by_content(content)  # N, C
        return blended[:, :, None, None]  # type: ignore[no-any-return]


class _SoftAdaLin(nn.Module):
    """The adaptive normalisation of U-GAT-IT with blended scale and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))
        self.gamma, self.beta = _Blend(channels), _Blend(channels)

    def forward(self, x: Tensor, content: Tensor, style: Tensor) -> Tensor:
        """x (N, C, H, W) to the same shape; content and style: (N, C)."""
        scale, shift = self.gamma(content, style), self.beta(content, style)
        return layer_instance_norm(x, self.rho) * scale + shift  # type: ignore[no-any-return]


class Photo2Cartoon(nn.Module):
    """The generator of Minivision's Photo2Cartoon (2020), which is published as a program without a paper.

    https://github.com/minivision-ai/photo2cartoon, section "Introduce" of its README: U-GAT-IT light
    (arXiv:1907.10830) with two hourglasses before the encoder, two after the decoder, and Soft-AdaLIN. It has
    3,831,079 parameters, 57,344 of which are never used (`_Pyramid.unused`).

    Args:
        channels: Channels of the first layer (32 in the program).
        blocks: Residual blocks in the encoder, and as many in the decoder.
        depth: How many times an hourglass halves the resolution.
        edge_levels: Difference of colours that counts as an edge for a filter that makes areas even, levels of 0..255;
            0, as in the program, for no filter.
    """

    def __init__(self, channels: int = 32, blocks: int = 4, depth: int = 4, edge_levels: float = 0.0) -> None:
        super().__init__()
        self.edge = edge_levels / 127.5
        c, deep = channels, 4 * channels
        self.first = nn.Sequential(normed(conv(3, c, 7)), _Stage(c, depth), _Stage(c, depth))
        self.down = nn.Sequential(normed(conv(c, 2 * c, 3, 2)), normed(conv(2 * c, deep, 3, 2)))
        self.encode = nn.ModuleList(ResidualBlock(deep, bias=False) for _ in range(blocks))
        self.attend = Attention(deep, bias=True)
        self.style = nn.Sequential(nn.Linear(deep, deep), nn.ReLU(), nn.Linear(deep, deep), nn.ReLU())
        self.decode = nn.ModuleList(SteeredBlock(deep, _SoftAdaLin) for _ in range(blocks))
        self.enlarge = nn.Sequential(doubled(deep, 2 * c), doubled(2 * c, c))
        self.finish = nn.Sequential(_Stage(c, depth), _Stage(c, depth, last=True), conv(3, 3, 7))

    def forward(self, rgb: Tensor, with_logits: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1.

        Args:
            with_logits: Return the logits of the attention's classifiers too, (N, 2): training needs them.
        """
        x = self.down(self.first(rgb))  #              N, 4C, H/4, W/4
        contents = []
        for encode in self.encode:
            x = encode(x)  #                           N, 4C, H/4, W/4
            contents.append(x.mean((2, 3)))  #         N, 4C
        logits = self.attend.logits(x) if with_logits else None  # N, 2
        x = self.attend(x)  #                          N, 4C, H/4, W/4
        style = self.style(x.mean((2, 3)))  #          N, 4C
        for decode in self.decode:
            x = decode(x, contents.pop(), style)  #    N, 4C, H/4, W/4
        picture = flattened(self.finish(self.enlarge(x)).tanh(), self.edge)  # N, 3, H, W
        return picture if logits is None else (picture, logits)
