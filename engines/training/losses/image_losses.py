"""The parts of the loss, each switched off by the weight 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.errors import OptionsError
from engines.training.data.aligned import NPZ_UNREADABLE

Weights = NDArray[np.float32]


def l1(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of two batches (N, 3, H, W)."""
    return (made - wanted).abs().mean()


def gradient(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of the steps between neighbouring pixels, along x plus along y."""
    off = made - wanted
    return (off[..., 1:] - off[..., :-1]).abs().mean() + (off[..., 1:, :] - off[..., :-1, :]).abs().mean()


def temporal(made: Tensor, shift_xy: Tensor) -> Tensor:
    """How differently two views of the same places were drawn.

    Args:
        made: (N, 3, H, W); picture i + N/2 shows at p what picture i shows at p + shift.
        shift_xy: (N/2, 2) pixels.

    Each view is moved half the way, so that both are softened alike by the parts of a pixel: were only one of them
    softened, the best answer would be a soft drawing.
    """
    first, second = made[: len(shift_xy)], made[len(shift_xy) :]
    height, width = made.shape[2:]
    off = _moved(first, shift_xy / 2) - _moved(second, -shift_xy / 2)
    reach = int(shift_xy.abs().max().ceil()) // 2 + 1
    return off[..., reach : height - reach, reach : width - reach].abs().mean()


def _moved(pictures: Tensor, by_xy: Tensor) -> Tensor:
    """At p what the picture shows at p + by, bilinear."""
    height, width = pictures.shape[2:]
    scale = torch.tensor([2 / width, 2 / height], device=by_xy.device, dtype=torch.float32)
    theta = torch.zeros((len(pictures), 2, 3), device=by_xy.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, :, 2] = by_xy * scale
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


# VGG-19 up to relu3_1, Simonyan & Zisserman, arXiv:1409.1556, table 1, column E: (out, in), True: halve the picture
_VGG_LAYERS = ((64, 3, False), (64, 64, True), (128, 64, False), (128, 128, True), (256, 128, False))
_KEPT = (0, 2, 4)  # relu1_1, relu2_1, relu3_1


class VggFeatures(nn.Module):
    """VGG-19's features at relu1_1, relu2_1 and relu3_1.

    Args:
        file: npz with `N.weight` and `N.bias` in the order of the layers: a 1x1 convolution that takes RGB 0..1 to what
            the network was trained on, then the five 3x3 convolutions.

    Raises:
        OptionsError: not readable, or of other shapes.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        arrays = _arrays(file)
        shapes = [(3, 3, 1, 1), *((out, into, 3, 3) for out, into, _ in _VGG_LAYERS)]
        got = [weight.shape for weight, _ in arrays]
        if got != shapes or any(bias.shape != weight.shape[:1] for weight, bias in arrays):
            asked = f"VGG-19 up to relu3_1 in {file}"
            raise OptionsError(asked, f"its layers have the shapes {got}", f"wanted {shapes}")
        for i, (weight, bias) in enumerate(arrays):
            self.register_buffer(f"weight{i}", torch.from_numpy(weight.astype(np.float32)))
            self.register_buffer(f"bias{i}", torch.from_numpy(bias.astype(np.float32)))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """(N, 3, H, W) RGB 0..1 -> (N, 64, H, W), (N, 128, H/2, W/2), (N, 256, H/4, W/4)."""
        x = F.conv2d(rgb, self.get_buffer("weight0"), self.get_buffer("bias0"))
        kept = []
        for i, (_, _, halves) in enumerate(_VGG_LAYERS):
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.relu(F.conv2d(x, self.get_buffer(f"weight{i + 1}"), self.get_buffer(f"bias{i + 1}")))
            if i in _KEPT:
                kept.append(x)
            if halves:
                x = F.max_pool2d(x, 2)
        return kept


def _arrays(file: Path) -> list[tuple[Weights, Weights]]:
    try:
        with np.load(file, allow_pickle=False) as kept:
            order = sorted({int(key.split(".")[0]) for key in kept.files})
            arrays = [(kept[f"{i}.weight"], kept[f"{i}.bias"]) for i in order]
        if not all(array.dtype.kind == "f" for layer in arrays for array in layer):
            raise ValueError("not all of its numbers are floats")
    except (OSError, *NPZ_UNREADABLE) as error:
        do = "name an npz of VGG-19 weights with --vgg"
        raise OptionsError(f"VGG-19 weights {file}", str(error) or type(error).__name__, do) from error
    return arrays


def perceptual(vgg: VggFeatures, made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of the features, over the mean size of the wanted ones, averaged over the layers.

    After Johnson et al., arXiv:1603.08155, section 3.2; relative, so that each layer counts the same.
    """
    with torch.no_grad():
        goals = vgg(wanted)
    parts = [(got - goal).abs().mean() / (goal.abs().mean() + 1e-6) for got, goal in zip(vgg(made), goals, strict=True)]
    return torch.stack(parts).mean()


def adversarial(verdict_on_made: Tensor, kind: str) -> Tensor:
    """What the generator pays for being found out; verdicts are logits of any shape."""
    if kind == "vanilla":
        return F.softplus(-verdict_on_made).mean()  # the non-saturating form of Goodfellow et al., arXiv:1406.2661
    if kind == "lsgan":
        return (verdict_on_made - 1).square().mean()  # Mao et al., arXiv:1611.04076, equation 9
    return -verdict_on_made.mean()  # Arjovsky et al., arXiv:1701.07875


def judging(verdict_on_made: Tensor, verdict_on_wanted: Tensor, kind: str) -> Tensor:
    """What the discriminator pays; for "wgan-gp" add `gradient_penalty`."""
    if kind == "vanilla":
        return (F.softplus(verdict_on_made) + F.softplus(-verdict_on_wanted)).mean() / 2
    if kind == "lsgan":
        return (verdict_on_made.square() + (verdict_on_wanted - 1).square()).mean() / 2
    return (verdict_on_made - verdict_on_wanted).mean()


def gradient_penalty(judge: nn.Module, before: Tensor, made: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
    """How far the judge's slope is from 1 between the two pictures (Gulrajani et al., arXiv:1704.00028, equation 3).

    Args:
        judge: takes (before, picture).
        before: what both pictures were made from, (N, 3, H, W).
        made: by the generator.
        wanted: by the teacher.
        share: (N, 1, 1, 1) in 0..1, where between the two.
    """
    between = torch.lerp(made.detach(), wanted, share).requires_grad_(True)
    verdict = judge(before, between)
    (slope,) = torch.autograd.grad(verdict.sum(), between, create_graph=True)
    lengths: Tensor = slope.flatten(1).norm(dim=1)
    return (lengths - 1).square().mean()
