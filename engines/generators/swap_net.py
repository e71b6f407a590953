"""SwapNet: a face through a narrow latent, decoded as another person's."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.layers import IdentityBlock
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="swap_net",
    network="SwapNet",
    paper="this project; one encoder and two decoders after Naruniec et al. 2020, doi:10.1111/cgf.14062",
    arguments={
        "side": Argument(96, 32, 512),
        "channels": Argument(20, 4, 128),
        "latent": Argument(256, 8, 4096),
        "blocks": Argument(1, 0, 8),
    },
    method="face_swap",
    optimiser="adamw",
    benchmarked=False,
)
_LEAK, _HALVINGS = 0.1, 4


class SwapEncoder(nn.Module):
    """Four convolutions with stride 2, a dense layer to the latent and one back, and one enlargement.

    The dense layers mix all places of the face: without them the shape of the person would pass through.

    Args:
        side: Width and height of the pictures, a multiple of 16.
        channels: Of the first convolution; twice as many after each halving.
        latent: Numbers of the latent.
    """

    def __init__(self, side: int, channels: int, latent: int) -> None:
        super().__init__()
        widths = [3, *(channels << level for level in range(_HALVINGS))]
        pairs = itertools.pairwise(widths)
        convs = [one for into, out in pairs for one in (nn.Conv2d(into, out, 4, 2, 1), nn.LeakyReLU(_LEAK))]
        self.convs = nn.Sequential(*convs, nn.Flatten())
        self.small = side >> _HALVINGS
        self.width = 4 * channels
        self.to_latent = nn.Linear(8 * channels * self.small**2, latent)
        self.from_latent = nn.Linear(latent, self.width * self.small**2)
        self.up = Enlargement(self.width, self.width)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return what both decoders take, (N, 4 C, S/8, S/8), of RGB (N, 3, S, S)."""
        x = self.from_latent(self.to_latent(self.convs(rgb)))
        return self.up(x.unflatten(1, (self.width, self.small, self.small)))  # type: ignore[no-any-return]


class SwapDecoder(nn.Module):
    """Enlarges what the encoder returns to a picture of one person.

    Args:
        channels: Those of the encoder.
        blocks: Residual blocks at a quarter of the picture's resolution.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        body = (IdentityBlock(2 * channels) for _ in range(blocks))
        self.layers = nn.Sequential(Enlargement(4 * channels, 2 * channels), *body, Enlargement(2 * channels, channels))
        self.out = nn.Conv2d(channels, 12, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return pictures (N, 3, S, S) in 0..1 of features (N, 4 C, S/8, S/8)."""
        return F.pixel_shuffle(self.out(self.layers(features)), 2).sigmoid()


class Enlargement(nn.Sequential):
    """A 3x3 convolution that computes all four pixels of each square (Shi et al. 2016, arXiv:1609.05158)."""

    def __init__(self, into: int, out: int) -> None:
        conv = nn.Conv2d(into, 4 * out, 3, padding=1)
        super().__init__(conv, nn.LeakyReLU(_LEAK), nn.PixelShuffle(2))
        first = conv.weight.data[::4]  # equal pixels at first: no pattern of squares
        conv.weight.data.copy_(first.repeat_interleave(4, 0))


class SwapNet(nn.Module):
    """The encoder and the decoder of one person. Pictures are resized to the network's side and back.

    Args:
        side: Width and height inside the network, a multiple of 16.
        channels: Of the first convolution and of the last one.
        latent: Numbers of the latent.
        blocks: Residual blocks of the decoder.
    """

    def __init__(self, side: int = 96, channels: int = 20, latent: int = 256, blocks: int = 1) -> None:
        super().__init__()
        if side % (1 << _HALVINGS):
            raise ValueError(f"side {side} is not a multiple of {1 << _HALVINGS}")
        self.side = side
        self.encoder = SwapEncoder(side, channels, latent)
        self.decoder = SwapDecoder(channels, blocks)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the person's picture (N, 3, H, W) in 0..1 of aligned faces, RGB (N, 3, H, W) in 0..1."""
        small = F.interpolate(rgb, (self.side, self.side), mode="bilinear", align_corners=False)
        picture = self.decoder(self.encoder(small))
        return F.interpolate(picture, rgb.shape[2:], mode="bilinear", align_corners=False)
