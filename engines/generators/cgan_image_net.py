"""ConditionalImageGan: a conditional generator that receives an image and a class."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import ResidualBlock, conv
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.translation_layers import decoder, encoder

SPEC = GeneratorSpec(
    name="cgan_image",
    network="ConditionalImageGan",
    paper="after Mirza, Osindero 2014, arXiv:1411.1784",
    arguments={"classes": Argument(10, 1, 1000), "channels": Argument(32, 4, 256), "blocks": Argument(4, 1, 64)},
    value_range=(-1, 1),
    step_px=4,
    method="cgan",
    benchmarked=False,
)


class ConditionalImageGan(nn.Module):
    """A residual network whose features receive one learned shift for each class.

    Mirza, Osindero, "Conditional Generative Adversarial Nets", 2014 (arXiv:1411.1784), section 3.2: generator and
    discriminator receive the condition as a further input. Here it is an image and a class, as in section 4.2, where
    features of an image are the condition.

    Args:
        classes: Number of classes.
        channels: Channels of the first layer.
        blocks: Residual blocks at a quarter of the resolution.
    """

    def __init__(self, classes: int = 10, channels: int = 32, blocks: int = 4) -> None:
        super().__init__()
        c = channels
        self.down = encoder(c)
        self.label = nn.Linear(classes, 4 * c, bias=False)
        self.body = nn.Sequential(*(ResidualBlock(4 * c, bias=True) for _ in range(blocks)))
        self.up = decoder(c)
        self.out = conv(c, 3, 7, bias=True)

    def forward(self, rgb: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1.

        Args:
            label: (N, classes), one-hot; None for the last class, as in a style.
        """
        shift = self.label.weight[None, :, -1] if label is None else self.label(label)  # N, 4C
        x = self.down(rgb) + shift[:, :, None, None]  #                N, 4C, H/4, W/4
        x = self.up(self.body(x))  #                                   N,  C, H,   W
        return self.out(x).tanh()  # type: ignore[no-any-return]  #    N,  3, H,   W
