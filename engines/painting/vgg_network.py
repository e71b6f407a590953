"""VGG as a fixed network of features, with the user's weights."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engines.painting.vgg_file import VggWeights

_SAVING_ABOVE = 600_000  # pixels


class VggNetwork(nn.Module):
    """The features of VGG (Simonyan & Zisserman, arXiv:1409.1556). The weights are buffers: they are never trained.

    Args:
        weights: See `engines.painting.vgg_file`.
        last: Name of the last layer to compute, as in "conv5_1".
        pooling: "average", which paints more evenly (Gatys et al., section 2), or "max".
    """

    def __init__(self, weights: VggWeights, last: str, pooling: str = "average") -> None:
        super().__init__()
        self.names = weights.names[: weights.names.index(last) + 1]
        self.pool = partial(F.avg_pool2d if pooling == "average" else F.max_pool2d, kernel_size=2)
        for name, (weight, bias) in zip(self.names, weights.layers, strict=False):
            self.register_buffer(f"{name}_weight", weight.contiguous(memory_format=torch.channels_last))
            self.register_buffer(f"{name}_bias", bias)
        self.register_buffer("mean", torch.tensor(weights.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(weights.std).view(3, 1, 1))

    def forward(self, rgb: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        """Return the activations after ReLU, (N, C, H, W), of some layers for RGB (N, 3, H, W) in 0..1.

        Of large pictures the first two blocks are computed again for the gradient, which halves the memory.
        """
        x = ((rgb - self.get_buffer("mean")) / self.get_buffer("std")).contiguous(memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        saving = rgb.requires_grad and rgb.shape[0] * rgb.shape[2] * rgb.shape[3] > _SAVING_ABOVE
        blocks = sorted({name[4] for name in self.names})
        for block in blocks:
            names = [name for name in self.names if name[4] == block]
            run = partial(self._block, names, set(wanted))
            x, *kept = checkpoint(run, x, use_reentrant=False) if saving and block in "12" else run(x)
            found |= dict(zip([name for name in names if name in wanted], kept, strict=True))
        return found

    def _block(self, names: list[str], wanted: set[str], x: Tensor) -> tuple[Tensor, ...]:
        if names[0] != "conv1_1":
            x = self.pool(x)
        kept = []
        for name in names:
            x = F.conv2d(x, self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias"), padding=1)
            x = F.relu(x, inplace=True)
            if name in wanted:
                kept.append(x)
        return x, *kept


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrices (N, C, C) of features (N, C, H, W), divided by the number of places."""
    count, channels, height, width = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(count, height * width, channels)  # no copy of channels-last features
    return torch.stack([one.mT @ one for one in flat]) / (height * width)  # quicker than a product of batches
