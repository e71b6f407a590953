"""PlaneNet: reduces a photo to the planes of a drawing (`engines.drawing.plane_set`) in a few milliseconds on a CPU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.layers import IdentityBlock
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="plane_net",
    network="PlaneNet",
    paper="this project; sub-pixel convolution of Shi et al. 2016, arXiv:1609.05158",
    arguments={
        "channels": Argument(8, 4, 256),
        "quarter": Argument(24, 4, 256),
        "deep": Argument(48, 4, 256),
        "deepest": Argument(64, 4, 256),
        "blocks": Argument(2, 1, 64),
    },
    outputs=("planes",),
    output_size="half",
    step_px=16,
    method="decomposition",
    optimiser="soap",
)


class PlaneNet(nn.Module):
    """A fully convolutional U-Net of residual blocks at 1/4, 1/8 and 1/16 of the picture's resolution.

    - Planes are flat, so most of the network works at a low resolution. At 1/2 there are few, narrow layers: thin
      layers at a high resolution are limited by memory bandwidth.
    - The output stays at 1/2 of the resolution: the colour is enlarged with the drawing, and shade and ink come as 2x2
      squares of pixels (sub-pixel convolution: Shi et al., 2016, section 3), which are cheap to rearrange as bytes.
    - No normalisation over the picture: one part never changes the tone of another.

    Args:
        channels: Channels at 1/2 of the resolution.
        quarter: Channels at 1/4.
        deep: Channels at 1/8.
        deepest: Channels at 1/16.
        blocks: Residual blocks at 1/8 and at 1/16. Each at 1/16 extends the field of view by 64 pixels.
    """

    def __init__(
        self, channels: int = 8, quarter: int = 24, deep: int = 48, deepest: int = 64, blocks: int = 2
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 4, stride=2, padding=1)
        self.to_quarter = nn.Conv2d(channels, quarter, 3, stride=2, padding=1)
        self.quarter_in = IdentityBlock(quarter)
        self.to_eighth = nn.Conv2d(quarter, deep, 3, stride=2, padding=1)
        self.eighth = nn.Sequential(*(IdentityBlock(deep) for _ in range(blocks)))
        self.to_sixteenth = nn.Conv2d(deep, deepest, 3, stride=2, padding=1)
        self.sixteenth = nn.Sequential(*(IdentityBlock(deepest) for _ in range(blocks)))
        self.from_sixteenth = nn.ConvTranspose2d(deepest, deep, 2, stride=2)
        self.from_eighth = nn.ConvTranspose2d(deep, quarter, 2, stride=2)
        self.quarter_out = IdentityBlock(quarter)
        self.from_quarter = nn.ConvTranspose2d(quarter, channels, 2, stride=2)
        self.half_out = nn.Conv2d(channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, 12, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return planes, (N, 12, H/2, W/2) in 0..1, of RGB (N, 3, H, W) in 0..1.

        The channels are those of `engines.drawing.plane_set.planes_of`; they are not clipped.
        """
        x2 = F.relu(self.stem(rgb))  #                                 N,  C, H/2,  W/2
        x4 = self.quarter_in(F.relu(self.to_quarter(x2)))  #           N,  Q, H/4,  W/4
        x8 = self.eighth(F.relu(self.to_eighth(x4)))  #                N,  D, H/8,  W/8
        x16 = self.sixteenth(F.relu(self.to_sixteenth(x8)))  #         N, DD, H/16, W/16
        x8 = F.relu(x8 + self.from_sixteenth(x16))  #                  N,  D, H/8,  W/8
        x4 = self.quarter_out(F.relu(x4 + self.from_eighth(x8)))  #    N,  Q, H/4,  W/4
        x2 = F.relu(x2 + self.from_quarter(x4))  #                     N,  C, H/2,  W/2
        return self.out(F.relu(self.half_out(x2)))  # type: ignore[no-any-return]  # N, 12, H/2, W/2
