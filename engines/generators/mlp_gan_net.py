"""MlpGan: the first generative adversarial network, of fully connected layers."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.noise_layers import joined
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="mlp_gan",
    network="MlpGan",
    paper="Goodfellow et al. 2014, arXiv:1406.2661",
    arguments={
        "latent": Argument(100, 1, 1024),
        "side_px": Argument(28, 8, 128),
        "channels": Argument(256, 4, 4096),
        "classes": Argument(0, 0, 1000),
    },
    inputs=("latent",),
    output_size="fixed",
    method="gan",
    benchmarked=False,
)


class MlpGan(nn.Module):
    """Three fully connected layers from noise to all pixels.

    Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014 (arXiv:1406.2661), section 5: rectifiers and, at the
    output, a sigmoid.

    Args:
        latent: Numbers of noise.
        side_px: Width and height of the picture.
        channels: Units of the first layer; the second has twice as many.
        classes: Length of the labels that are appended to the noise (Mirza, Osindero, arXiv:1411.1784); 0 for none.
    """

    def __init__(self, latent: int = 100, side_px: int = 28, channels: int = 256, classes: int = 0) -> None:
        super().__init__()
        self.latent, self.side_px, self.classes = latent, side_px, classes
        self.first = nn.Linear(latent + classes, channels)
        self.second = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(2 * channels, 3 * side_px**2)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the picture (N, 3, S, S) in 0..1 of noise (N, latent) and labels (N, classes)."""
        x = self.first(joined(latent, label, self.classes)).relu()  # N, C
        x = self.second(x).relu()  #                                  N, 2C
        x = self.out(x).sigmoid()  #                                  N, 3 * S * S
        return x.unflatten(1, (3, self.side_px, self.side_px))  # type: ignore[no-any-return]
