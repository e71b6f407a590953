"""ImagePool: pictures that a generator made earlier (Shrivastava et al., CVPR 2017, arXiv:1612.07828, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """A number of earlier pictures; half of the discriminator's pictures come from here.

    It is a module without weights, so that checkpoints hold its pictures. Each device has its own pictures; a run on
    several devices that is resumed continues with those of the first one.

    Args:
        size: Number of pictures (50 in CycleGAN); 0 for a pool that changes nothing.
        side_px: Width and height of the pictures.
    """

    def __init__(self, size: int, side_px: int) -> None:
        super().__init__()
        self.pictures: Tensor
        self.filled: Tensor
        self.register_buffer("pictures", torch.zeros((size, 3, side_px, side_px)))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, fakes: Tensor) -> Tensor:
        """Return pictures (N, 3, S, S) for the discriminator: the given ones, or earlier ones in their place.

        The choice follows PyTorch's random state.
        """
        size, chosen = len(self.pictures), []
        for fake in fakes.detach():
            at, replaced = int(self.filled), bool(torch.rand(()) < 0.5)
            if at < size:
                self.pictures[at] = fake
                self.filled += 1
            elif size and replaced:
                at = int(torch.randint(size, ()))
                earlier = self.pictures[at].clone()
                self.pictures[at] = fake
                fake = earlier
            chosen.append(fake)
        return torch.stack(chosen)
