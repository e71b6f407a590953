"""What StyleGAN and StyleGAN2 share: the mapping network, the mean style, the noise of each layer."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from engines.generators.noise_layers import EqualLinear, halvings, joined, pixel_norm

NOISES = ("none", "constant", "random")


class PixelNorm(nn.Module):
    """`pixel_norm` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape with features on the second axis."""
        return pixel_norm(x)


class Noise(nn.Module):
    """Adds noise with a learned strength, one for all channels or one for each."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """X (N, C, H, W) to the same shape; noise (N or 1, 1, H, W)."""
        return x if noise is None else x + self.weight[:, None, None] * noise


class Styled(nn.Module):
    """A generator of a mapping network and a synthesis network; a subclass defines `synthesis`.

    Karras et al., "A Style-Based Generator Architecture for GANs", CVPR 2019 (arXiv:1812.04948), sections 2 and 3.

    Args:
        first: The first layer with noise: 0, or 1 if the constant input receives none.

    Attributes:
        level: Blocks in use, as in `PgGan`.
        average_w: Mean style of the training, (latent,), for truncation; zeros if it is not known.
    """

    def __init__(self, latent: int, side_px: int, classes: int, mapping: int, *, first: int) -> None:
        super().__init__()
        self.classes, self.latent, self.steps = classes, latent, halvings(side_px)
        self.level = float(self.steps)
        self.layers = 2 * self.steps + 2  # styles: two for each size
        sizes = (latent + classes, *[latent] * mapping)
        layers = (EqualLinear(into, out, rate=0.01, active=True) for into, out in itertools.pairwise(sizes))
        self.style = nn.Sequential(PixelNorm(), *layers)
        self.register_buffer("average_w", torch.zeros(latent))
        self.noises = nn.Module()
        for i in range(self.layers - first):
            side = 4 << ((i + first) // 2)
            self.noises.register_buffer(f"noise_{i}", torch.randn(1, 1, side, side))

    def mapped(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Return styles (N, latent) of noise (N, latent) and labels (N, classes)."""
        return self.style(joined(latent, label, self.classes))  # type: ignore[no-any-return]

    def synthesis(self, styles: Tensor, noise: str = "constant") -> Tensor:
        """Return pictures (N, 3, S, S) around -1..1 of the styles of all layers (N, layers, latent)."""
        raise NotImplementedError

    def noise(self, i: int, like: Tensor, kind: str) -> Tensor | None:
        """Return the noise of a layer for features (N, C, H, W), of one of `NOISES`."""
        if kind == "random":
            return torch.randn((len(like), 1, *like.shape[2:]), device=like.device, dtype=like.dtype)
        return self.noises.get_buffer(f"noise_{i}") if kind == "constant" else None

    def forward(
        self, latent: Tensor, label: Tensor | None = None, second: Tensor | None = None, crossing: int = 0
    ) -> Tensor:
        """Return the picture (N, 3, S, S) around -1..1 of noise (N, latent) and labels (N, classes).

        Args:
            latent: Noise.
            label: Labels.
            second: Noise whose style replaces that of the layers from `crossing` on: style mixing, section 3.1.
            crossing: The first of these layers.
        """
        styles = self.mapped(latent, label)[:, None].expand(-1, self.layers, -1)
        if second is not None:
            other = self.mapped(second, label)[:, None].expand(-1, self.layers - crossing, -1)
            styles = torch.cat((styles[:, :crossing], other), 1)
        return self.synthesis(styles, "random" if self.training else "constant")

    @torch.no_grad()
    def mean_style(self, label: Tensor | None = None) -> Tensor:
        """Return the mean style, (latent,): that of the training, or of 4096 draws.

        Args:
            label: (1, classes): the mean of this label, by draws; the training's is of all labels.
        """
        average = self.get_buffer("average_w")
        if label is None and bool(average.any()):
            return average
        noise = torch.randn((4096, self.latent), generator=torch.Generator().manual_seed(0)).to(average)
        return self.mapped(noise, None if label is None else label[:1].expand(4096, -1)).mean(0)


def path_length(pictures: Tensor, styles: Tensor) -> Tensor:
    """Return the length of the gradient of each style, (N,): StyleGAN2, arXiv:1912.04958, equation 4.

    Args:
        pictures: (N, 3, H, W), computed from `styles`.
        styles: (N, layers, latent). The length is the root of the mean over the layers of the squared norms.
    """
    directions = torch.randn_like(pictures) / math.sqrt(pictures.shape[2] * pictures.shape[3])
    (slope,) = torch.autograd.grad((pictures * directions).sum(), styles, create_graph=True)
    return slope.square().sum(2).mean(1).sqrt()
