"""Parts of residual networks that translate pictures at a quarter of their resolution."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import conv, normed


class Translator(nn.Module):
    """The order of the layers of CycleGAN's residual generator, which other networks build from other layers."""

    first: nn.Module
    to_half: nn.Module
    to_quarter: nn.Module
    body: nn.Module
    from_quarter: nn.Module
    from_half: nn.Module
    out: nn.Module

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1."""
        x = self.to_half(self.first(rgb))  #         N, 2C, H/2, W/2
        x = self.body(self.to_quarter(x))  #         N, 4C, H/4, W/4
        x = self.from_half(self.from_quarter(x))  #  N,  C, H,   W
        return self.out(x).tanh()  # type: ignore[no-any-return]  # N, 3, H, W


def encoder(channels: int) -> nn.Sequential:
    """Return the layers from (N, 3, H, W) to (N, 4 * channels, H/4, W/4)."""
    down = (conv(wide, 2 * wide, 3, 2, bias=True, reflect=False) for wide in (channels, 2 * channels))
    return nn.Sequential(normed(conv(3, channels, 7, bias=True)), *map(normed, down))


def decoder(channels: int) -> nn.Sequential:
    """Return the layers from (N, 4 * channels, H/4, W/4) to (N, channels, H, W)."""
    up = (nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1) for wide in (4 * channels, 2 * channels))
    return nn.Sequential(*map(normed, up))
