"""VGG as a fixed network of features, with the user's weights."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engines.painting.vgg_file import VggWeights

_LARGE = 600_000  # pixels
_STRIP = 300_000  # pixels
_Answer = tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]  # output, activations, Gram matrices


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

    def forward(self, rgb: Tensor, wanted: Collection[str], grams: Collection[str] = ()) -> dict[str, Tensor]:
        """Return activations after ReLU by the names of their layers.

        Args:
            rgb: (N, 3, H, W) in 0..1.
            wanted: Layers whose activations (N, C, h, w) are returned.
            grams: Layers whose Gram matrices (N, C, C) are returned instead, which needs less memory.

        The first two blocks of large pictures run in strips of rows. For the gradient each strip is computed again, so
        that other activations than those of `wanted` are in memory for one strip at a time.
        """
        x = ((rgb - self.get_buffer("mean")) / self.get_buffer("std")).contiguous(memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        large = rgb.shape[0] * rgb.shape[2] * rgb.shape[3] > _LARGE
        blocks = sorted({name[4] for name in self.names})
        for block in blocks:
            names = [name for name in self.names if name[4] == block]
            run = partial(self._block, names, block == blocks[-1], frozenset(wanted), frozenset(grams))
            x, *some = _in_strips(run, len(names), x) if large and block in "12" else run(x, slice(None))
            found |= some[0] | some[1]
        return found

    def _block(
        self, names: list[str], last: bool, wanted: Collection[str], grams: Collection[str], x: Tensor, own: slice
    ) -> _Answer:
        """Return the pooled output of a block, or of the last block its output, and activations and Gram matrices.

        Of a strip only its `own` rows are returned and count in Gram matrices; the others are those of its neighbours.
        """
        kept, products = {}, {}
        for name in names:
            x = F.conv2d(x, self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias"), padding=1)
            x = F.relu(x, inplace=True)
            if name in wanted:
                kept[name] = x[:, :, own]
            if name in grams:
                products[name] = gram(x[:, :, own])
        x = x[:, :, own]
        return x if last else self.pool(x), kept, products


def _in_strips(run: Callable[[Tensor, slice], _Answer], reach: int, x: Tensor) -> _Answer:
    """Run a block on strips of rows, each with as many rows of its neighbours as the block has layers."""
    height, width = x.shape[2:]
    rows = max(2, _STRIP // (x.shape[0] * width) // 2 * 2)
    shares, answers = [], []
    for top in range(0, max(1, height - 1), rows):
        end = top + rows if height - top - rows > 1 else height  # one row alone cannot be pooled
        first = max(0, top - reach)
        shares.append((end - top) / height)
        strip, own = x[:, :, first : end + reach], slice(top - first, end - first)
        answers.append(checkpoint(run, strip, own, use_reentrant=False))
    outputs, kept, products = zip(*answers, strict=True)
    return (
        torch.cat(outputs, 2),
        {name: torch.cat([one[name] for one in kept], 2) for name in kept[0]},
        {name: sum(share * one[name] for share, one in zip(shares, products, strict=True)) for name in products[0]},
    )


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrices (N, C, C) of features (N, C, H, W), divided by the number of places."""
    count, channels, height, width = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(count, height * width, channels)  # no copy of channels-last features
    return torch.stack([one.mT @ one for one in flat]) / (height * width)  # quicker than a product of batches
