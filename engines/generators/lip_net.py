"""LipNet: three small convolutions that predict how a lip crop changes when it is painted."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.spec import GeneratorSpec

SPEC = GeneratorSpec(
    name="lip_net",
    network="LipNet",
    paper="layers of Kalafinaian 2019, github.com/Kalafinaian/ai_lips_makeup",
    outputs=("change",),
    region="lips",
    method="lips",
)
_MIDDLE = 0.5
_SPREAD = 8.0  # maps 0..1 to -4..4; training then needs 60 epochs for what takes 150 with a factor of 2


class LipNet(nn.Module):
    """A fully convolutional network of 24, 45 and 3 channels, 3x3 each, without down-sampling.

    The output is a change: `painted = crop + net(crop)`. Crops of any size are accepted, because the field of view is
    7x7 pixels and the padding is zero; training uses 90x30. ELU follows each hidden layer (Clevert et al., 2016,
    arXiv:1511.07289). The last layer starts at zero, so that an untrained network changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 24, 3, padding=1)
        self.mix = nn.Conv2d(24, 45, 3, padding=1)
        self.paint = nn.Conv2d(45, 3, 3, padding=1)
        nn.init.zeros_(self.paint.weight)
        nn.init.zeros_(self.paint.bias)  # type: ignore[arg-type]

    def forward(self, crop_rgb: Tensor) -> Tensor:
        """Return the change (N, 3, H, W), not clipped, of RGB crops (N, 3, H, W) in 0..1."""
        x = (crop_rgb - _MIDDLE) * _SPREAD  # N,  3, H, W
        x = F.elu(self.look(x))  #            N, 24, H, W
        x = F.elu(self.mix(x))  #             N, 45, H, W
        change: Tensor = self.paint(x)  #     N,  3, H, W
        return change
