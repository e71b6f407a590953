"""Autoencoder and VAE: a generator learns to return its input, through a latent of few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, cast

from torch import Tensor, nn
from typer import Option

from engines.errors import OptionsError
from engines.generators.autoencoder_net import Autoencoder as Network
from engines.training.data.paired_batches import PairedBatch
from engines.training.method import register
from engines.training.methods.paired import PairedConfig, PairedMethod

_MEASURED = 256  # pictures


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(PairedConfig):
    """Config of both. Name one folder with --before and --after, or degraded pictures with --before."""

    generator: Annotated[str, Option(help="Network: autoencoder.")] = "autoencoder"
    divergence: Annotated[float, Option(help="Weight of the latents' divergence, if variational.", min=0)] = 0.5
    gradient: Annotated[float, Option(help="Weight of the image gradients' difference.", min=0)] = 0.0
    temporal: Annotated[float, Option(help="Weight of the stability from frame to frame.", min=0)] = 0.0
    webcam: Annotated[float, Option(help="Degradation of the inputs as by a webcam.", min=0, max=1)] = 0.0
    relit: Annotated[float, Option(help="Share of relit pictures.", min=0, max=1)] = 0.0
    crop_px: Annotated[int, Option("--crop", help="Side of the training crops, pixels.", min=16)] = 256
    peak_lr: Annotated[float, Option("--lr", help="Peak learning rate.", min=0)] = 1e-3
    turned: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generator != "autoencoder":
            raise OptionsError(f"--generator {self.generator}", "it has no latent", "leave it out")


class Reconstruction(PairedMethod[Any]):
    """Adds the divergence of the latents, if they are variational."""

    def export(self) -> nn.Module:
        """Return the generator; after the first step with mean and covariance of the latents of training pictures."""
        net = cast("Network", super().export())
        if self.parts.step:
            source = self.dataset(0)
            net.measure_latents(self._tensor(source[i].before_rgb) for i in range(-(-_MEASURED // self.config.batch)))
        return net

    def _direct_losses(self, output: Tensor, after: Tensor, batch: PairedBatch) -> dict[str, Tensor]:
        losses = super()._direct_losses(output, after, batch)
        mean, log_variance = self.parts.networks["generator"].moments  # type: ignore[misc]
        if log_variance is not None:
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
            losses["divergence"] = divergence.sum(1).mean() / after[0].numel()  # in relation to a value of the picture
        return losses


@register
class Autoencoder(Reconstruction):
    """The plain form."""

    name = "autoencoder"
    config_class = AutoencoderConfig
