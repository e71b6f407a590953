"""AutoRetouch: the retouching generator of Shafaei, Little and Schmidt (WACV 2021)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="autoretouch",
    network="AutoRetouch",
    paper="Shafaei et al., WACV 2021",
    arguments={"channels": Argument(64, 4, 256), "blocks": Argument(15, 1, 64), "change": Argument(False)},
    outputs=("picture", "change"),
    value_range=(-1, 1),
    step_px=2,
)


class _Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        inner = F.leaky_relu(self.first_norm(self.first(x)), 0.2)
        return x + self.second_norm(self.second(inner))  # type: ignore[no-any-return]


class AutoRetouch(nn.Module):
    """A residual network at half resolution with one skip connection at full resolution.

    Shafaei, Little, Schmidt, "AutoRetouch: Automatic Professional Face Retouching", WACV 2021, section 4. The skip
    keeps skin texture; the body has a wide field of view. Intended for GPUs: far slower than ToonNet.

    Args:
        channels: Channels of the first layer (64 in the paper); twice as many in the body.
        blocks: Residual blocks in the body (15 in the paper).
        change: Return the change on a scale of 0..1 instead of the finished picture.
    """

    def __init__(self, channels: int = 64, blocks: int = 15, change: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 7, padding=3)
        self.down = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.body = nn.Sequential(*(_Block(2 * channels) for _ in range(blocks)))
        self.narrow = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture or its change, (N, 3, H, W) in -1..1, of RGB (N, 3, H, W) in -1..1."""
        first = F.leaky_relu(self.first(rgb), 0.2)  #        N,  C, H,   W
        x = F.leaky_relu(self.down(first), 0.2)  #           N, 2C, H/2, W/2
        x = F.leaky_relu(self.narrow(self.body(x)), 0.2)  #  N,  C, H/2, W/2
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)  # N, C, H, W
        return self.out(first + x).tanh()  # type: ignore[no-any-return]  # N, 3, H, W
