"""The lip generator: three small convolutions that say how a lip crop changes when it is painted."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

_MIDDLE = 0.5
_SPREAD = 8.0  # colours 0..1 become -4..4: with it the training reaches in 60 epochs what takes 150 with 2


class LipNet(nn.Module):
    """A fully convolutional network of 24, 45 and 3 channels, 3x3 each, without down-sampling.

    It predicts the change, not the picture: `painted = crop + net(crop)`. Its 7x7 field of view and the zero padding
    let it run on a crop of any size; it was trained on 90x30. The layers are those of ai_lips_makeup (Kalafinaian,
    2019), with ELU between them (Clevert et al., 2016, arXiv:1511.07289). A fresh network changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 24, 3, padding=1)
        self.mix = nn.Conv2d(24, 45, 3, padding=1)
        self.paint = nn.Conv2d(45, 3, 3, padding=1)
        nn.init.zeros_(self.paint.weight)
        nn.init.zeros_(self.paint.bias)  # type: ignore[arg-type]

    def forward(self, crop_rgb: Tensor) -> Tensor:
        """The change of each colour, on the scale of the input (RGB, 0..1); not clipped."""
        x = (crop_rgb - _MIDDLE) * _SPREAD  # N,  3, H, W
        x = F.elu(self.look(x))  #            N, 24, H, W
        x = F.elu(self.mix(x))  #             N, 45, H, W
        change: Tensor = self.paint(x)  #     N,  3, H, W
        return change
