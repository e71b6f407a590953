"""MlpCritic: the discriminator of the first generative adversarial network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.noise_layers import joined


class MlpCritic(nn.Module):
    """Three fully connected layers from all pixels to a logit.

    Goodfellow et al., NeurIPS 2014 (arXiv:1406.2661), section 5; labels are further inputs, as in Mirza, Osindero
    (arXiv:1411.1784), section 3.2.

    Args:
        side_px: Width and height of the pictures.
        channels: Units of the second layer; the first has twice as many.
        classes: Length of the labels; 0 for none.
    """

    def __init__(self, side_px: int = 28, channels: int = 256, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.first = nn.Linear(3 * side_px**2 + classes, 2 * channels)
        self.second, self.out = nn.Linear(2 * channels, channels), nn.Linear(channels, 1)

    def forward(self, picture_rgb: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (N, 1) of RGB (N, 3, S, S) in 0..1 and labels (N, classes)."""
        x = joined((picture_rgb * 2 - 1).flatten(1), label, self.classes)  # N, 3 * S * S
        x = F.leaky_relu(self.first(x), 0.2)  #                              N, 2C
        logits: Tensor = self.out(F.leaky_relu(self.second(x), 0.2))  #      N, 1
        return logits
