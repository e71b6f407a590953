"""Losses of generative adversarial networks: one objective for the generator and its discriminators.

Logits are float tensors of any shape, high for real pictures; `kind` is one of `GAN_KINDS`; losses are scalar tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

GAN_KINDS = ("vanilla", "lsgan", "wgan", "wgan-gp", "hinge")
_SLOPE_WEIGHT = 10.0  # of the gradient penalty: Gulrajani et al., arXiv:1704.00028
_CLIP = 0.01  # largest weight of a WGAN critic: Arjovsky et al., arXiv:1701.07875, algorithm 1
_SPECTRAL = (nn.Conv2d, nn.Linear)


def generator_loss(logits_fake: Tensor, kind: str) -> Tensor:
    """Return the generator's adversarial loss, a scalar, from logits of any shape for its pictures."""
    if kind == "vanilla":
        return F.softplus(-logits_fake).mean()  # the non-saturating form of Goodfellow et al., arXiv:1406.2661
    if kind == "lsgan":
        return (logits_fake - 1).square().mean()  # Mao et al., arXiv:1611.04076, equation 9
    return -logits_fake.mean()  # Arjovsky et al., arXiv:1701.07875; Miyato et al., arXiv:1802.05957, equation 17


def discriminator_loss(logits_fake: Tensor, logits_real: Tensor, kind: str) -> Tensor:
    """Return the discriminator's loss, a scalar, from logits of any shape, without the penalties of `Objective`."""
    if kind == "vanilla":
        return (F.softplus(logits_fake) + F.softplus(-logits_real)).mean() / 2
    if kind == "lsgan":
        return (logits_fake.square() + (logits_real - 1).square()).mean() / 2
    if kind == "hinge":
        return (F.relu(1 + logits_fake) + F.relu(1 - logits_real)).mean()  # Miyato et al., equation 16
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


def r1_penalty(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return the mean squared slope of the critic at real pictures (Mescheder et al., arXiv:1801.04406, equation 9)."""
    at = real.detach().clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()


@dataclass(frozen=True, slots=True)
class Objective:
    """The adversarial objective of a training.

    A critic maps pictures to one or several tensors of logits; their losses are added.

    Attributes:
        kind: One of `GAN_KINDS`.
        r1: Weight of the R1 penalty, gamma / 2 in its paper; 0 for none.
    """

    kind: str
    r1: float = 0.0

    @property
    def needs_independent_pictures(self) -> bool:
        """Whether the critic must judge each picture by itself, without normalisation over a batch."""
        return self.kind == "wgan-gp" or self.r1 > 0

    def for_generator(self, logits_fake: Sequence[Tensor]) -> Tensor:
        """Return the generator's loss."""
        return torch.stack([generator_loss(one.float(), self.kind) for one in logits_fake]).sum()

    def for_critic(self, logits_fake: Sequence[Tensor], logits_real: Sequence[Tensor]) -> Tensor:
        """Return the critic's loss without penalties."""
        pairs = zip(logits_fake, logits_real, strict=True)
        return torch.stack([discriminator_loss(fake.float(), real.float(), self.kind) for fake, real in pairs]).sum()

    def penalties(self, critic: Callable[[Tensor], Sequence[Tensor]], fake: Tensor, real: Tensor) -> Tensor:
        """Return the penalties of the critic's slope; zero if the objective has none.

        Args:
            critic: In FP32, and not wrapped for several devices: the slope is differentiated twice.
        """

        def verdict(pictures: Tensor) -> Tensor:
            return torch.stack([one.flatten(1).mean(1) for one in critic(pictures)]).sum(0)

        total = real.new_zeros(())
        if self.kind == "wgan-gp":
            share = torch.rand((len(real), 1, 1, 1), device=real.device)
            total = total + _SLOPE_WEIGHT * gradient_penalty(verdict, fake, real, share)
        if self.r1:
            total = total + self.r1 * r1_penalty(verdict, real)
        return total

    @torch.no_grad()
    def limit(self, critics: Iterable[nn.Module]) -> None:
        """Clip the critics' weights after a step, if the objective is WGAN with clipping."""
        if self.kind == "wgan":
            for critic in critics:
                for weight in critic.parameters():
                    weight.clamp_(-_CLIP, _CLIP)


def spectrally_normed(net: nn.Module) -> nn.Module:
    """Divide all weights of a critic by their largest singular value, in place (Miyato et al., arXiv:1802.05957)."""
    for layer in list(net.modules()):
        if isinstance(layer, _SPECTRAL):
            parametrizations.spectral_norm(layer)
    return net


@contextmanager
def held(*nets: nn.Module) -> Iterator[None]:
    """Compute no gradients of these networks' weights for what is computed inside."""
    weights = [weight for net in nets for weight in net.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
