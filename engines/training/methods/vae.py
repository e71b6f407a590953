"""The variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114)."""

from __future__ import annotations

from dataclasses import dataclass

from engines.training.method import register
from engines.training.methods.autoencoder import AutoencoderConfig, Reconstruction


@dataclass(frozen=True, kw_only=True)
class VaeConfig(AutoencoderConfig):
    """Config of the variational form."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "generator_args", {**self.generator_args, "variational": True})


@register
class Vae(Reconstruction):
    """Latents are drawn around the encoder's mean, and are held close to the unit normal distribution."""

    name = "vae"
    config_class = VaeConfig
