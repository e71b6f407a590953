"""Vid2Vid: a generator that also sees its own last frame, after vid2vid (Wang et al., NeurIPS 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from engines.generators.layers import ResidualBlock, conv
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.translation_layers import decoder, encoder

SPEC = GeneratorSpec(
    name="vid2vid",
    network="Vid2Vid",
    paper="after Wang et al. 2018, arXiv:1808.06601",
    arguments={"channels": Argument(32, 4, 256), "blocks": Argument(6, 1, 64)},
    inputs=("image", "image"),
    value_range=(-1, 1),
    step_px=4,
    method="vid2vid",
    benchmarked=False,
)


class Vid2Vid(nn.Module):
    """Two encoders, one for the frame and one for the last picture, whose features are added; then a residual network.

    Wang, Liu, Zhu, Liu, Tao, Kautz, Catanzaro, "Video-to-Video Synthesis", NeurIPS 2018 (arXiv:1808.06601), section
    3.1: a frame is generated from the photo and from the last generated frames. Here it is one last frame, which is not
    warped in the network: live faces move little from frame to frame, and the loss compares along the flow instead.

    Args:
        channels: Channels of the first layers.
        blocks: Residual blocks at a quarter of the resolution.
    """

    def __init__(self, channels: int = 32, blocks: int = 6) -> None:
        super().__init__()
        c = channels
        self.see, self.remember = encoder(c), encoder(c)
        self.body = nn.Sequential(*(ResidualBlock(4 * c, bias=True) for _ in range(blocks)))
        self.up = decoder(c)
        self.out = conv(c, 3, 7, bias=True)

    def forward(self, rgb: Tensor, last_rgb: Tensor | None = None) -> Tensor:
        """Return the picture of a frame.

        Args:
            rgb: The frame, (N, 3, H, W) RGB in -1..1. Without `last_rgb` (engines), (N, 3, 2H, W): the frame above
                its last picture.
            last_rgb: The picture of the frame before, of the same shape and range; zeros for the first frame.

        Returns:
            (N, 3, H, W) in -1..1.
        """
        if last_rgb is None:
            height = rgb.shape[2] // 2
            rgb, last_rgb = rgb[:, :, :height], rgb[:, :, height:]  # N, 3, H, W each
        x = self.see(rgb) + self.remember(last_rgb)  #  N, 4C, H/4, W/4
        x = self.up(self.body(x))  #                    N,  C, H,   W
        return self.out(x).tanh()  # type: ignore[no-any-return]  # N, 3, H, W
