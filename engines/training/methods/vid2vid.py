"""vid2vid for live faces: a generator that sees its own last picture (after Wang et al., NeurIPS 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from typer import Option

from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.training.data.paired_batches import PairedBatch, PairedBatches
from engines.training.gan_config import init_normal
from engines.training.generator import build_generator
from engines.training.losses.pixel import temporal
from engines.training.method import Presets, Validation, register
from engines.training.methods.pix2pix import PairedGan, Pix2PixConfig

_CLIP_FRAMES, _CLIPS = 8, 6


@dataclass(frozen=True, kw_only=True)
class Vid2VidConfig(Pix2PixConfig):
    """Config of the temporal method: section 3.1 of arXiv:1808.06601, with a loss along the known flow.

    Attributes:
        memory: Whether the generator receives its last picture; without, it receives grey, for comparison.
    """

    generator: Annotated[str, Option(help="Network: vid2vid.")] = "vid2vid"
    adversarial: Annotated[float, Option(help="Weight of the discriminator; 0 for none.", min=0)] = 0.0
    l1: Annotated[float, Option(help="Weight of the colour difference.", min=0)] = 1.0
    gradient: Annotated[float, Option(help="Weight of the image gradients' difference.", min=0)] = 0.5
    temporal: Annotated[float, Option(help="Weight of the difference along the flow.", min=0)] = 2.0
    memory: Annotated[bool, Option("--memory/--no-memory", help="Whether the last picture is an input.")] = True
    webcam: Annotated[float, Option(help="Degradation of the inputs as by a webcam.", min=0, max=1)] = 0.6

    def __post_init__(self) -> None:
        if generator_spec(self.generator).inputs != ("image", "image"):
            raise OptionsError(f"generator {self.generator!r}", "it does not receive its last picture", "use vid2vid")
        if not self.temporal:
            do = "use a weight above 0, or --method pix2pix"
            raise OptionsError("--temporal 0", "the method trains on pairs of frames by this loss", do)
        super().__post_init__()

    @property
    def needed_inputs(self) -> tuple[str, ...]:
        """Inputs that the generator must have."""
        return ("image", "image")


@register
class Vid2Vid(PairedGan[Vid2VidConfig]):
    """Two frames for each place: the second is drawn with the picture of the first; differences along the flow."""

    name = "vid2vid"
    config_class = Vid2VidConfig
    presets: ClassVar[Presets] = {
        "tiny": {"generator_args": {"channels": 12, "blocks": 3}, "crop_px": 96, "steps": 8_000, "batch": 4,
                 "check_every": 500},
        "light": {"generator_args": {"channels": 32, "blocks": 6}, "crop_px": 128, "steps": 50_000, "batch": 8},
        "paper": {"generator_args": {"channels": 64, "blocks": 9}, "crop_px": 256, "steps": 200_000, "batch": 4},
    }  # fmt: skip

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator, and the discriminator if the adversarial loss has a weight."""
        return (
            super().networks() if self.config.adversarial else {"generator": init_normal(build_generator(self.config))}
        )

    def prepare(self) -> None:
        """Load nothing: the network takes two images of any multiple of 4 pixels."""

    def step(self, batch: PairedBatch) -> dict[str, float]:
        """Draw the first frames, then the second frames with the first ones' pictures as the last frame."""
        if batch.shift_xy is None:
            raise OptionsError("--batch 1", "it trains on pairs of frames", "use --batch 2 or more")
        before, after = self._tensor(batch.before_rgb), self._tensor(batch.after_rgb)
        count, generator = len(batch.shift_xy), self.parts.wrapped["generator"]
        first = generator(before[:count], torch.full_like(before[:count], 0.5)).float()
        second = generator(before[count:], self._last(first.detach())).float()
        return self._learn(before, torch.cat((first, second)), after, batch)

    def validate(self) -> Validation:
        """Score pictures as paired training does, and the flicker of clips that move."""
        validation = super().validate()
        flicker = self._flicker()
        scores = {**validation.scores, "flicker_of_255": flicker}
        summary = f"{validation.summary}, flicker {flicker:.2f} of 255"
        return Validation(scores, validation.metric, samples=validation.samples, summary=summary)

    @torch.inference_mode()
    def _flicker(self) -> float:
        """Return the mean difference between pictures of moving clips along their flow, of 255.

        The clips are crops of held-out pictures that move by known shifts, spoiled as by a webcam in each frame.
        """
        size = min(self.config.crop_px, min(self.held_out.size_wh) - 16) // 4 * 4
        source = PairedBatches(
            pairs=self.held_out, batch=2 * _CLIPS, crop_px=size, webcam=self.config.webcam, relit=0, turned=0,
            grid_px=1, seed=self.config.seed, two_views=True, rank=0,
        )  # fmt: skip
        net, found = self.parts.averages["generator"], []
        for number in range(_CLIP_FRAMES):
            batch = source[number]
            assert batch.shift_xy is not None
            frames, count = self._tensor(batch.before_rgb), len(batch.shift_xy)
            first = net(frames[:count], torch.full_like(frames[:count], 0.5)).float()
            second = net(frames[count:], self._last(first)).float()
            shift_xy = torch.from_numpy(batch.shift_xy).to(frames.device)
            found.append(float(temporal(torch.cat((first, second)), shift_xy)) * 255)
        return float(np.mean(found))

    def card(self) -> dict[str, Any]:
        """Return the card of paired training, and whether the last picture is an input."""
        return super().card() | {"memory": self.config.memory}

    def _last(self, picture: Tensor) -> Tensor:
        """Return what the generator receives as its last picture."""
        return picture if self.config.memory else torch.full_like(picture, 0.5)

    def _picture(self, generator: Any, before: Tensor) -> Tensor:
        """Return the pictures of first frames."""
        output: Tensor = generator(before, torch.full_like(before, 0.5)).float()
        return output
