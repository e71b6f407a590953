"""PatchCritic: the PatchGAN of CycleGAN and pix2pixHD, without a condition or with one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MAX_CHANNELS = 512


class PatchCritic(nn.Module):
    """C64-C128-C256-C512 with instance normalisation: one logit per patch.

    Zhu et al., ICCV 2017 (arXiv:1703.10593), appendix 7.2 "Discriminator architectures"; with a padding of 2 the one
    of Wang et al., CVPR 2018 (arXiv:1711.11585), appendix.

    Args:
        inputs: Pictures that are concatenated: 1, or 2 with a condition.
        channels: Channels of the first layer (64 in the paper).
        layers: Layers at stride 2 (3 in the paper: patches of 70x70).
        norm: Whether layers are normalised.
        padding: Zeros at each border (1 for CycleGAN, 2 for pix2pixHD).
    """

    def __init__(
        self, inputs: int = 1, channels: int = 64, layers: int = 3, *, norm: bool = True, padding: int = 1
    ) -> None:
        super().__init__()
        wide = [min(channels * 2**i, _MAX_CHANNELS) for i in range(layers + 1)]
        self.steps = nn.ModuleList([nn.Sequential(nn.Conv2d(3 * inputs, channels, 4, 2, padding), nn.LeakyReLU(0.2))])
        for i in range(1, layers + 1):
            halved = nn.Conv2d(wide[i - 1], wide[i], 4, 2 if i < layers else 1, padding)
            normed = nn.InstanceNorm2d(wide[i]) if norm else nn.Identity()
            self.steps.append(nn.Sequential(halved, normed, nn.LeakyReLU(0.2)))
        self.verdict = nn.Conv2d(wide[-1], 1, 4, 1, padding)

    def forward(self, *pictures_rgb: Tensor) -> list[Tensor]:
        """Return the features of each layer and, last, the logits (N, 1, H/8 - 2, W/8 - 2), high for real pictures.

        Args:
            pictures_rgb: One or several (N, 3, H, W) RGB in 0..1: conditions first.
        """
        x, found = torch.cat(pictures_rgb, 1) * 2 - 1, list[Tensor]()  # N, 3 or 6, H, W
        for step in self.steps:
            x = step(x)  #                                               N, C, H/2, W/2 to N, 8C, H/8 - 1, W/8 - 1
            found.append(x)
        return [*found, self.verdict(x)]  #                              N, 1, H/8 - 2, W/8 - 2
