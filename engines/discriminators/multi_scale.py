"""MultiScaleCritic: the three discriminators of pix2pixHD (Wang et al., CVPR 2018)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.discriminators.n_layer import PatchCritic


class MultiScaleCritic(nn.Module):
    """Networks of one architecture that judge the picture at full, half and quarter size.

    Wang, Liu, Zhu, Tao, Kautz, Catanzaro, CVPR 2018 (arXiv:1711.11585), section 3.2 "Multi-scale discriminators".

    Args:
        inputs: Pictures that are concatenated.
        channels: Channels of the first layer (64 in the paper).
        scales: Number of discriminators (3 in the paper).
        norm: Whether layers are normalised.
    """

    def __init__(self, inputs: int = 2, channels: int = 64, scales: int = 3, *, norm: bool = True) -> None:
        super().__init__()
        self.critics = nn.ModuleList(PatchCritic(inputs, channels, norm=norm, padding=2) for _ in range(scales))

    def forward(self, *pictures_rgb: Tensor) -> list[list[Tensor]]:
        """Return for each scale the features of each layer and, last, the logits; the pictures as for `PatchCritic`."""
        found, pictures = [], list(pictures_rgb)
        for critic in self.critics:
            found.append(critic(*pictures))
            pictures = [F.avg_pool2d(one, 3, 2, 1, count_include_pad=False) for one in pictures]
        return found
