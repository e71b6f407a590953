"""Losses of generative adversarial networks.

Logits are float tensors of any shape, high for real pictures; `kind` is one of `GAN_KINDS`; losses are scalar tensors.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

GAN_KINDS = ("vanilla", "lsgan", "wgan-gp")


def generator_loss(logits_fake: Tensor, kind: str) -> Tensor:
    """Return the generator's adversarial loss, a scalar, from logits of any shape for its pictures."""
    if kind == "vanilla":
        return F.softplus(-logits_fake).mean()  # the non-saturating form of Goodfellow et al., arXiv:1406.2661
    if kind == "lsgan":
        return (logits_fake - 1).square().mean()  # Mao et al., arXiv:1611.04076, equation 9
    return -logits_fake.mean()  # Arjovsky et al., arXiv:1701.07875


def discriminator_loss(logits_fake: Tensor, logits_real: Tensor, kind: str) -> Tensor:
    """Return the discriminator's loss, a scalar, from logits of any shape; for "wgan-gp" add `gradient_penalty`."""
    if kind == "vanilla":
        return (F.softplus(logits_fake) + F.softplus(-logits_real)).mean() / 2
    if kind == "lsgan":
        return (logits_fake.square() + (logits_real - 1).square()).mean() / 2
    return (logits_fake - logits_real).mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], fake: Tensor, real: Tensor, share: Tensor) -> Tensor:
    """Return the mean squared distance of the critic's slope from 1 (Gulrajani et al., arXiv:1704.00028, equation 3).

    Args:
        critic: Maps pictures to logits.
        fake: The generator's pictures, (N, 3, H, W) RGB float, 0..1.
        real: Pictures of the same shape.
        share: (N, 1, 1, 1) in 0..1, the point between the two at which the slope is taken.
    """
    between = torch.lerp(fake.detach(), real, share).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    lengths: Tensor = slope.flatten(1).norm(dim=1)
    return (lengths - 1).square().mean()
