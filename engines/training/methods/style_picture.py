"""StylePicture: a live look from one picture, by perceptual losses (Johnson et al., arXiv:1603.08155)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor
from typer import Option

from engines.errors import OptionsError
from engines.painting.vgg_file import load_vgg
from engines.painting.vgg_network import VggNetwork, gram
from engines.styles import FRAME_SIZE_WH
from engines.training.data.paired_batches import PairedBatch
from engines.training.data.picture_pairs import cropped_to, read_rgb
from engines.training.generator import check_size
from engines.training.losses.pixel import temporal
from engines.training.method import Validation, register
from engines.training.methods.paired import PairedMethod
from engines.training.style_file_config import StyleFileConfig

_CONTENT_LAYER = "conv3_3"
_STYLE_LAYERS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3")
_STYLE_SIDE_PX = 256  # as large as the photos, so that strokes have the size that the live picture shows
_MAX_SAMPLES = 6
_WEIGHTS = ("content", "style", "temporal", "smooth", "keep_face")


@dataclass(frozen=True, kw_only=True)
class StylePictureConfig(StyleFileConfig):
    """Config of a look from one picture. Content and style are relative to the size of the features."""

    content: Annotated[float, Option(help="Weight of the content.", min=0)] = 1.0
    style: Annotated[float, Option(help="Weight of the style.", min=0)] = 1.0
    smooth: Annotated[float, Option(help="Weight of the total variation.", min=0)] = 0.05
    keep_face: Annotated[float, Option("--keep-face", help="Weight of eyes and mouth as on the photo.", min=0)] = 2.0
    temporal: Annotated[float, Option(help="Weight of the stability from frame to frame.", min=0)] = 2.0
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 1500
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 4
    crop_px: Annotated[int, Option("--crop", help="Side of the training crops, pixels.", min=64)] = 96
    peak_lr: Annotated[float, Option("--lr", help="Peak learning rate.", min=0)] = 3e-3
    ema_decay: float = 0.99
    warm_up_steps: int = 25
    check_every: int = 100
    max_held_out: int = 4


@register
class StylePicture(PairedMethod[StylePictureConfig]):
    """Trains on photos; the second picture of each target is the mask of eyes and mouth."""

    name = "style_picture"
    config_class = StylePictureConfig
    data_kind = "style"
    target_pictures = 2

    def prepare(self) -> None:
        """Load VGG and the style picture, and check that the generator takes the crops.

        Raises OptionsError if there is no VGG or style picture, or a size does not fit the generator.
        """
        config, parts = self.config, self.parts
        if config.style_file is None:
            raise OptionsError(f"--method {self.name}", "no style picture", "name one with --style-picture")
        style_rgb = cropped_to(read_rgb(config.style_file), (_STYLE_SIDE_PX, _STYLE_SIDE_PX))
        self._network = VggNetwork(load_vgg(), _STYLE_LAYERS[-1], "max").to(parts.fabric.device)
        with torch.no_grad():
            found = self._network(self._tensor(style_rgb[None]), _STYLE_LAYERS)
            self._grams = {name: gram(one) for name, one in found.items()}
        for size_wh in (FRAME_SIZE_WH, (config.crop_px, config.crop_px)):
            check_size(parts.averages["generator"], size_wh, config, parts.fabric.device)

    def _direct_losses(self, output: Tensor, after: Tensor, batch: PairedBatch | None) -> dict[str, Tensor]:
        config, photo, face = self.config, after[:, :3], after[:, 3:4]
        shift_xy = None if batch is None else batch.shift_xy
        count = len(output) if shift_xy is None else len(shift_xy)  # the rest are second views of the same photos
        found = self._network(output[:count].clamp(-0.1, 1.1), _STYLE_LAYERS)
        with torch.no_grad():
            wanted = self._network(photo[:count], (_CONTENT_LAYER,))[_CONTENT_LAYER]
        parts = [_relative(gram(found[name]).mean(0, keepdim=True), one) for name, one in self._grams.items()]
        losses = {"content": _relative(found[_CONTENT_LAYER], wanted), "style": torch.stack(parts).mean()}
        losses["smooth"] = _slopes(output).mean()
        if config.keep_face:
            kept = (output - photo).abs().mean(1, keepdim=True) + 2 * _slopes(output - photo)
            losses["keep_face"] = (face * kept).sum() / (face.sum() + 1)
        if config.temporal and shift_xy is not None:
            losses["temporal"] = temporal(output, torch.from_numpy(shift_xy).to(output.device))
        return losses

    @torch.inference_mode()
    def validate(self) -> Validation:
        """Score the averaged generator on held-out photos by the weighted losses; the lowest sum is kept."""
        config, pairs = self.config, self.held_out
        outputs = list(self.outputs(pairs.before_rgb))
        after = np.stack([pairs.after_rgb[i] for i in range(len(pairs))])
        losses = self._direct_losses(self._tensor(np.stack(outputs)), self._tensor(after), None)
        scores = {name: float(loss) for name, loss in losses.items()}
        scores["cost"] = sum(getattr(config, name) * value for name, value in scores.items())
        count = min(_MAX_SAMPLES, len(pairs))
        samples = [[pairs.before_rgb[i] for i in range(count)], outputs[:count]]
        summary = f"held-out cost {scores['cost']:.3f}, style {scores['style']:.3f}, content {scores['content']:.3f}"
        return Validation(scores, "cost", higher_is_better=False, samples=samples, summary=summary)

    def card(self) -> dict[str, Any]:
        """Return size, output, data, the style picture and the losses for the style card."""
        config, pairs = self.config, self.data
        assert config.style_file is not None
        return {
            "size_wh": list(FRAME_SIZE_WH),
            "output": config.output,
            "style_picture": {"file": config.style_file.name, "sha256": self.config.style_sha256},
            "data": self.describe_data(f"{len(pairs)} photos, {len(self.held_out)} held out"),
            "losses": {name: getattr(config, name) for name in _WEIGHTS if getattr(config, name)},
        }


def _relative(got: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared difference in relation to what is wanted."""
    return (got - wanted).square().mean() / (wanted.square().mean() + 1e-8)


def _slopes(pictures: Tensor) -> Tensor:
    """Return the sum of both absolute slopes, averaged over colours, (N, 1, H, W); the last row and column are 0."""
    across = torch.nn.functional.pad((pictures[..., 1:] - pictures[..., :-1]).abs(), (0, 1))
    down = torch.nn.functional.pad((pictures[..., 1:, :] - pictures[..., :-1, :]).abs(), (0, 0, 0, 1))
    return (across + down).mean(1, keepdim=True)
