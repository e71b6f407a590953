"""AutoRetouch: the retouching generator of Shafaei, Little and Schmidt (WACV 2021)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.first_norm(self.first(x)), 0.2)
        return x + self.second_norm(self.second(inner))  # type: ignore[no-any-return]


class AutoRetouch(nn.Module):
    """A residual network at half resolution under one full-resolution skip.

    Shafaei, Little, Schmidt, "AutoRetouch: Automatic Professional Face Retouching", WACV 2021, section 4: the first
    layer keeps full resolution, so skin keeps its pores; the body sees a wide part of the face. Much dearer than
    ToonNet: for graphics processors.

    Args:
        channels: of the first layer (64 in the paper); twice as many in the body.
        blocks: residual blocks in the body (15 in the paper).
        change: 0: return the finished picture, 1: return the change on the scale of the input.
    """

    step_px = 2  # width and height are multiples of it

    def __init__(self, channels: int = 64, blocks: int = 15, change: int = 0) -> None:
        super().__init__()
        self.change = bool(change)
        self.first = nn.Conv2d(3, channels, 7, padding=3)
        self.down = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.body = nn.Sequential(*(_Block(2 * channels) for _ in range(blocks)))
        self.narrow = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """The picture in 0..1, or its change in -1..1; RGB, H and W even."""
        first = F.leaky_relu(self.first(rgb * 2 - 1), 0.2)  #  N,  C, H,   W
        x = F.leaky_relu(self.down(first), 0.2)  #             N, 2C, H/2, W/2
        x = F.leaky_relu(self.narrow(self.body(x)), 0.2)  #    N,  C, H/2, W/2
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)  # N, C, H, W
        out = self.out(first + x).tanh()  #                    N,  3, H,   W
        return out if self.change else (out + 1) / 2  # type: ignore[no-any-return]
