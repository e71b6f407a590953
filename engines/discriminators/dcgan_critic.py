"""DcganCritic: the convolutional discriminator of DCGAN."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.noise_layers import Verdict, halvings


class DcganCritic(nn.Module):
    """Strided convolutions down to 4x4, batch normalisation in all but the first, leaky ReLU.

    Radford, Metz, Chintala, ICLR 2016 (arXiv:1511.06434), section 3. Labels are compared with the last features, see
    `Verdict`.

    Args:
        side_px: Width and height of the pictures, a power of two.
        channels: Features of the first layer; each further layer has twice as many.
        classes: Length of the labels; 0 for none.
        norm: Whether layers are normalised over the batch.
    """

    def __init__(self, side_px: int = 64, channels: int = 128, classes: int = 0, *, norm: bool = True) -> None:
        super().__init__()
        steps = halvings(side_px)
        wide = [3, *(channels << i for i in range(steps))]
        self.convs = nn.ModuleList([nn.Conv2d(into, out, 4, 2, 1) for into, out in itertools.pairwise(wide)])
        normed = (norm and i > 0 for i in range(steps))
        self.norms = nn.ModuleList(
            [nn.BatchNorm2d(width) if one else nn.Identity() for width, one in zip(wide[1:], normed, strict=True)]
        )
        for layer in self.convs:
            nn.init.normal_(layer.get_parameter("weight"), 0, 0.02)
        self.verdict = Verdict(16 * wide[-1], classes)

    def forward(self, picture_rgb: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (N, 1 or 1 + classes) of RGB (N, 3, S, S) in 0..1 and labels (N, classes); see `Verdict`."""
        x = picture_rgb * 2 - 1  #                          N, 3, S, S
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), 0.2)  #         N, C, S/2, S/2 to N, C * S / 8, 4, 4
        return self.verdict(x.flatten(1), label)  # type: ignore[no-any-return]
