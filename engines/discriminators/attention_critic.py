"""AttentionCritic: the discriminators of U-GAT-IT (Kim et al., ICLR 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

LOCAL_LAYERS, GLOBAL_LAYERS = 5, 7


class AttentionCritic(nn.Module):
    """Convolutions with spectral normalisation, class activation attention, and one logit per patch.

    Kim, Kim, Kang, Lee, ICLR 2020 (arXiv:1907.10830), section 2.1.2 and the discriminators' tables in the appendix. The
    weights of the two classifiers, over the maps' means and maxima, weight the maps.

    Args:
        layers: `LOCAL_LAYERS` or `GLOBAL_LAYERS`: the local one judges smaller patches.
        channels: Channels of the first layer (64 in the paper).
    """

    def __init__(self, layers: int = LOCAL_LAYERS, channels: int = 64) -> None:
        super().__init__()
        wide = [3, *(channels * 2**i for i in range(layers - 1))]
        self.steps = nn.ModuleList(
            spectral_norm(nn.Conv2d(wide[i], wide[i + 1], 4, 2 if i < layers - 2 else 1)) for i in range(layers - 1)
        )
        self.by_mean = spectral_norm(nn.Linear(wide[-1], 1, bias=False))
        self.by_most = spectral_norm(nn.Linear(wide[-1], 1, bias=False))
        self.narrow = nn.Conv2d(2 * wide[-1], wide[-1], 1)
        self.verdict = spectral_norm(nn.Conv2d(wide[-1], 1, 4, bias=False))

    def forward(self, picture_rgb: Tensor) -> list[Tensor]:
        """Return the logits of the patches and of both classifiers, (N, 1, h, w) and (N, 2), of RGB (N, 3, H, W)."""
        x = picture_rgb * 2 - 1  #                                            N,  3, H, W
        for step in self.steps:
            x = F.leaky_relu(step(_padded(x)), 0.2)  #                        N,  C, H/2, W/2 ...
        # The maps are weighted before the spectral normalisation, as in the authors' program.
        mean, most = (one.get_parameter("parametrizations.weight.original") for one in (self.by_mean, self.by_most))
        classes = torch.cat((self.by_mean(x.mean((2, 3))), self.by_most(x.amax((2, 3)))), 1)  # N, 2
        x = torch.cat((x * mean[:, :, None, None], x * most[:, :, None, None]), 1)  #          N, 2C, h, w
        x = F.leaky_relu(self.narrow(x), 0.2)  #                              N,  C, h, w
        return [self.verdict(_padded(x)), classes]


def _padded(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="reflect")
