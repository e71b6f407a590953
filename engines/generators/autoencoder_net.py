"""Autoencoder: pictures through a latent of few numbers and back, plain or variational."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="autoencoder",
    network="Autoencoder",
    paper="Hinton & Salakhutdinov 2006; variational: Kingma & Welling 2014, arXiv:1312.6114",
    arguments={
        "side": Argument(64, 16, 256),
        "filters": Argument("32,64,64,64,64", 1, 1024),
        "kernels": Argument("3", 1, 15),
        "strides": Argument("1,2,2,2,1", 1, 4),
        "latent": Argument(200, 1, 4096),
        "batch_norm": Argument(True),
        "dropout": Argument(False),
        "variational": Argument(False),
    },
    method="autoencoder",
    optimiser="adamw",
    benchmarked=False,
)
_LEAK, _DROPPED = 0.3, 0.25


class ConvEncoder(nn.Module):
    """Convolutions with LeakyReLU, then a dense layer to the latent.

    Args:
        channels: Of the picture.
        side: Width and height of the picture.
        filters: Output channels of each convolution; its kernel and stride are in the next two.
        latent: Numbers of the latent.
        variational: A second dense layer returns the logarithms of the latent's variances.
    """

    def __init__(
        self, channels: int, side: int, filters: Sequence[int], kernels: Sequence[int], strides: Sequence[int],
        latent: int, *, batch_norm: bool = False, dropout: bool = False, variational: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = []
        for into, out, kernel, stride in zip((channels, *filters), filters, kernels, strides, strict=False):
            layers.append(nn.Conv2d(into, out, kernel, stride, kernel // 2))
            layers += _after(out, batch_norm, dropout)
            side = (side - 1) // stride + 1
        self.shape = (filters[-1], side, side)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.mean = nn.Linear(filters[-1] * side * side, latent)
        self.log_variance = nn.Linear(filters[-1] * side * side, latent) if variational else None

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean and the logarithm of the variance, (N, latent) each, of pictures (N, C, side, side)."""
        flat = self.layers(pictures)
        return self.mean(flat), None if self.log_variance is None else self.log_variance(flat)


class ConvDecoder(nn.Module):
    """The mirror of a `ConvEncoder`: a dense layer and transposed convolutions, then the sigmoid.

    Args:
        shape: Channels, height and width at the encoder's end; the others are the encoder's.
    """

    def __init__(
        self, channels: int, shape: tuple[int, int, int], filters: Sequence[int], kernels: Sequence[int],
        strides: Sequence[int], latent: int, *, batch_norm: bool = False, dropout: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape = shape
        self.dense = nn.Linear(latent, shape[0] * shape[1] * shape[2])
        outs = [*filters[-2::-1], channels]
        layers: list[nn.Module] = []
        for into, out, kernel, stride in zip(filters[::-1], outs, kernels[::-1], strides[::-1], strict=True):
            layers += _after(into, batch_norm, dropout) if layers else []
            layers.append(nn.ConvTranspose2d(into, out, kernel, stride, kernel // 2, output_padding=stride - 1))
        self.layers = nn.Sequential(*layers, nn.Sigmoid())

    def forward(self, latents: Tensor) -> Tensor:
        """Return pictures (N, C, side, side) in 0..1 of latents (N, latent)."""
        return self.layers(self.dense(latents).unflatten(1, self.shape))  # type: ignore[no-any-return]


class Autoencoder(nn.Module):
    """An encoder and a decoder of 1 to 8 convolutions each. Pictures are resized to the network's side and back.

    Args:
        side: Width and height inside the network, a multiple of the product of the strides.
        filters: Output channels of each convolution, with commas between them.
        kernels: Width and height of each convolution's filters, odd numbers; one number holds for all.
        strides: Step of each convolution; one number holds for all.
        latent: Numbers of the latent (`z_dim`).
        batch_norm: Batch normalisation after each LeakyReLU.
        dropout: A quarter of the values is dropped after each layer in training.
        variational: Latents are drawn in training around the encoder's mean with its variance.
    """

    def __init__(
        self, side: int = 64, filters: str = "32,64,64,64,64", kernels: str = "3", strides: str = "1,2,2,2,1",
        latent: int = 200, batch_norm: bool = True, dropout: bool = False, variational: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.side, self.latent = side, latent
        wide, odd, steps = _layers(side, filters, kernels, strides)
        options = {"batch_norm": batch_norm, "dropout": dropout}
        self.encoder = ConvEncoder(3, side, wide, odd, steps, latent, variational=variational, **options)
        self.decoder = ConvDecoder(3, self.encoder.shape, wide, odd, steps, latent, **options)
        self.moments: tuple[Tensor, Tensor | None] | None = None  # of the last batch in training
        self.centre: Tensor
        self.covariance: Tensor
        self.register_buffer("centre", torch.zeros(latent))
        self.register_buffer("covariance", torch.eye(latent))

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the pictures (N, 3, H, W) in 0..1 that the latents of RGB (N, 3, H, W) in 0..1 stand for."""
        small = F.interpolate(rgb, (self.side, self.side), mode="bilinear", align_corners=False)
        mean, log_variance = self.encoder(small)
        if self.training:
            self.moments = mean, log_variance
            if log_variance is not None:
                mean = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        picture = self.decoder(mean)
        return F.interpolate(picture, rgb.shape[2:], mode="bilinear", align_corners=False)

    @torch.no_grad()
    def measure_latents(self, batches: Iterable[Tensor]) -> None:
        """Keep the mean and the covariance of the latents of pictures, each (N, 3, H, W) in 0..1."""
        smalls = (F.interpolate(rgb, (self.side, self.side), mode="bilinear", align_corners=False) for rgb in batches)
        means, log_variances = zip(*map(self.encoder, smalls), strict=True)
        found = torch.cat(means).float()  # N, latent
        off = found - found.mean(0)
        self.centre.copy_(found.mean(0))
        self.covariance.copy_(off.T @ off / len(off))
        if self.encoder.log_variance is not None:
            self.covariance.diagonal().add_(torch.cat(log_variances).float().exp().mean(0))


class LatentDecoder(nn.Module):
    """The decoder of an `Autoencoder`, as a network from noise.

    Args:
        autoencoder: Trained. Noise becomes latents with the mean and the covariance of those in its training.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder, self.latent = autoencoder, autoencoder.latent
        values, vectors = torch.linalg.eigh(autoencoder.covariance)
        self.spread = vectors * values.clamp(min=0).sqrt()  # its square is the covariance

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """Return pictures (N, 3, side, side) in 0..1 of noise (N, latent) of unit variance; there are no labels."""
        latents = self.autoencoder.centre + noise @ self.spread.T  # N, latent
        return self.autoencoder.decoder(latents)  # type: ignore[no-any-return]


def _layers(side: int, filters: str, kernels: str, strides: str) -> tuple[list[int], list[int], list[int]]:
    """Return filters, kernels and strides of each convolution. Raises ValueError if they do not fit each other."""
    wide, odd, steps = ([int(one) for one in text.split(",")] for text in (filters, kernels, strides))
    odd, steps = (one * len(wide) if len(one) == 1 else one for one in (odd, steps))
    if not len(wide) == len(odd) == len(steps):
        got = f"{len(wide)} filters, kernels {kernels} and strides {strides}"
        raise ValueError(f"{got} do not fit each other: one number for all, or one for each")
    if any(kernel % 2 == 0 for kernel in odd):
        raise ValueError(f"kernels {kernels} must be odd")
    if side % math.prod(steps):
        raise ValueError(f"side {side} is no multiple of {math.prod(steps)}, the product of the strides")
    return wide, odd, steps


def _after(channels: int, batch_norm: bool, dropout: bool) -> list[nn.Module]:
    """Return what follows a convolution."""
    norm: list[nn.Module] = [nn.BatchNorm2d(channels)] if batch_norm else []
    return [nn.LeakyReLU(_LEAK), *norm, *([nn.Dropout2d(_DROPPED)] if dropout else [])]
