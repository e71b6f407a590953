"""ConditionalCritic: a discriminator that also receives the class (Mirza & Osindero, 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.discriminators.n_layer import PatchCritic


class ConditionalCritic(nn.Module):
    """A PatchGAN that receives the picture and a learned map of the class.

    Mirza, Osindero, 2014 (arXiv:1411.1784), section 3.2: the discriminator receives the condition as a further input.

    Args:
        classes: Number of classes.
        channels: Channels of the first layer.
        norm: Whether layers are normalised.
    """

    def __init__(self, classes: int, channels: int = 64, *, norm: bool = True) -> None:
        super().__init__()
        self.label = nn.Linear(classes, 3)
        self.critic = PatchCritic(2, channels, norm=norm)

    def forward(self, picture_rgb: Tensor, label: Tensor) -> list[Tensor]:
        """Return features and, last, logits of RGB (N, 3, H, W) in 0..1 and classes (N, classes), one-hot."""
        shown = self.label(label)[:, :, None, None].expand_as(picture_rgb)  # N, 3, H, W
        found: list[Tensor] = self.critic(picture_rgb, torch.sigmoid(shown))
        return found
