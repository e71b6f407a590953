"""Paired training of networks that return the planes of a drawing (`engines.drawing.plane_set`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from typer import Option

from engines.drawing.medium import MEDIA
from engines.drawing.plane_set import SHADE_RANGE
from engines.training.data.paired_batches import PairedBatch
from engines.training.generator import as_pictures
from engines.training.losses.pixel import l1
from engines.training.method import Validation, register
from engines.training.methods.paired import Paired, PairedConfig
from engines.training.metrics.psnr import mean_psnr_db
from engines.training.teachers import PLANES_GENERATOR

_TRAINED_SOFT = 0.25  # half the width of the tones' transitions in the loss: wider than drawn, for its gradient


@dataclass(frozen=True, kw_only=True)
class DecompositionConfig(PairedConfig):
    """Config of the training of planes. The weights of the losses are those of paired training, on six planes.

    Attributes:
        min_scale: Small pictures are learned too: they are seen when whole frames are drawn.
    """

    generator: Annotated[str, Option(help=f"Network that returns planes: {PLANES_GENERATOR}.")] = PLANES_GENERATOR
    output: str = "planes"
    drawn: Annotated[float, Option(help="Weight of the difference of the drawings.", min=0)] = 1.0
    min_scale: float = 0.4
    turned: float = 0.5


@register
class Decomposition(Paired):
    """Supervised learning of colour, shade, ink and hair; what counts is the drawing that they become."""

    name = "decomposition"
    config_class = DecompositionConfig
    config: DecompositionConfig
    target_pictures = 2

    def _generator_losses(self, before: Tensor, output: Tensor, after: Tensor, batch: PairedBatch) -> dict[str, Tensor]:
        losses = super()._generator_losses(before, output, after, batch)
        if self.config.drawn:
            losses["drawn"] = l1(as_cel(output, _TRAINED_SOFT), as_cel(after, _TRAINED_SOFT))
        return losses

    def validate(self) -> Validation:
        """Score the averaged generator on the held-out pairs: PSNR of the drawings without features, dB."""
        shown = [self._drawings(pictures) for pictures in (self.outputs(self.held_out.before_rgb), self._targets())]
        before = [self.held_out.before_rgb[i] for i in range(len(self.held_out))]
        unpainted_db = mean_psnr_db(before, shown[1])
        scores = {"held_out_psnr_db": mean_psnr_db(*shown), "unpainted_psnr_db": unpainted_db}
        chosen = np.linspace(0, len(before) - 1, min(6, len(before))).round().astype(int).tolist()
        samples = [[pictures[i] for i in chosen] for pictures in (before, shown[1], shown[0])]
        summary = f"held-out PSNR {scores['held_out_psnr_db']:.2f} dB (unpainted {unpainted_db:.2f} dB)"
        return Validation(scores, "held_out_psnr_db", min_improvement=0.005, samples=samples, summary=summary)

    def _targets(self) -> list[Any]:
        return [self.held_out.after_rgb[i] for i in range(len(self.held_out))]

    def _drawings(self, planes: Any) -> list[Any]:
        with torch.inference_mode():
            return [as_pictures(as_cel(self._tensor(one[None]), MEDIA["cel"].tone_soft))[0] for one in planes]

    def _picture(self, generator: Any, before: Tensor) -> Tensor:
        return at_full_size(generator(before).float())


def at_full_size(output: Tensor) -> Tensor:
    """Return six planes (N, 6, H, W), RGB, shade, ink and hair, of a network's output (N, 12, H/2, W/2)."""
    flat = F.interpolate(output[:, :4], scale_factor=2, mode="bilinear", align_corners=False)  # N, 4, H, W
    fine = F.pixel_shuffle(output[:, 4:], 2)  #                                                  N, 2, H, W
    return torch.cat((flat[:, :3], fine, flat[:, 3:]), 1)


def as_cel(planes: Tensor, soft: float) -> Tensor:
    """Return the drawing, (N, 3, H, W) RGB 0..1, of planes (N, 6, H, W), without outlines and features."""
    medium = MEDIA["cel"]
    low, high = SHADE_RANGE
    shade = low + (high - low) * planes[:, 3:4]
    tones = [torch.tensor(bgr[::-1], device=planes.device).view(1, 3, 1, 1) for bgr in medium.tone_bgr]
    gain = tones[0].expand(len(planes), 3, *planes.shape[2:])
    for edge, below, tone in zip(medium.tone_edges, tones, tones[1:], strict=False):
        gain = gain + (tone - below) * _rise(shade, edge - soft, edge + soft)
    cover = medium.ink * _rise(planes[:, 4:5], 0.25, 0.75)
    return planes[:, :3] * gain * (1 - cover * (1 - medium.ink_bgr[0]))


def _rise(values: Tensor, start: float, end: float) -> Tensor:
    part = ((values - start) / (end - start)).clamp(0, 1)
    return part * part * (3 - 2 * part)
