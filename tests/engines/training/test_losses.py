"""Each loss prefers what it is meant to prefer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.training.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from engines.training.losses.perceptual import VggFeatures, perceptual
from engines.training.losses.pixel import gradient, l1, temporal


def lines(side: int = 64) -> Tensor:
    """Dark lines on grey, (1, 3, side, side)."""
    picture = torch.full((1, 3, side, side), 0.7)
    picture[..., 10:12, :] = 0.1
    picture[..., :, 30:33] = 0.2
    return picture


def test_gradient_loss_prefers_a_wrong_tone_to_a_soft_line() -> None:
    target = lines()
    brighter = target + 0.1
    softer = nn.functional.avg_pool2d(nn.functional.pad(target, (1, 1, 1, 1), mode="replicate"), 3, 1)
    assert gradient(brighter, target) < 1e-6
    assert gradient(softer, target) > 0.01
    assert l1(brighter, target) > l1(softer, target)


@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.5, 0.25)])
def test_temporal_loss_is_zero_if_the_drawing_moves_along(shift: tuple[float, float]) -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")

    def drawn(dx: float, dy: float) -> Tensor:
        return (0.5 + 0.3 * torch.sin((x + dx) / 9) * torch.cos((y + dy) / 7)).expand(1, 3, 64, 64)

    moved = torch.cat((drawn(0, 0), drawn(*shift)))
    still = torch.cat((drawn(0, 0), drawn(0, 0)))
    by = torch.tensor([shift])
    assert temporal(moved, by) < 2e-3
    assert temporal(still, by) > 5 * temporal(moved, by)


def test_temporal_loss_does_not_favour_softer_lines() -> None:
    by = torch.tensor([[0.0, 1.0]])
    crisp = torch.cat((lines(), lines().roll(-1, 2)))
    assert temporal(crisp, by) < 1e-6


def vgg_file(folder: Path, *, first: int = 3) -> Path:
    rng = np.random.default_rng(0)
    shapes = [(first, 3, 1, 1), (64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 128, 3, 3), (256, 128, 3, 3)]
    arrays = {}
    for place, shape in zip((0, 2, 5, 9, 12, 16), shapes, strict=True):
        arrays[f"{place}.weight"] = (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        arrays[f"{place}.bias"] = np.zeros(shape[0], np.float32)
    np.savez(folder / "vgg.npz", **arrays)  # type: ignore[arg-type]
    return folder / "vgg.npz"


def test_perceptual_loss_grows_with_the_difference(tmp_path: Path) -> None:
    vgg, target = VggFeatures(vgg_file(tmp_path)), lines()
    assert [tuple(f.shape[1:]) for f in vgg(target)] == [(64, 64, 64), (128, 32, 32), (256, 16, 16)]
    near, far = (target + step * torch.ones_like(target) * target for step in (0.05, 0.3))
    assert perceptual(vgg, target, target) == 0
    assert perceptual(vgg, near, target) < perceptual(vgg, far, target)
    far.requires_grad_(True)
    perceptual(vgg, far, target).backward()
    assert far.grad is not None and far.grad.abs().sum() > 0
    assert not list(vgg.parameters())


def test_a_file_without_vgg_weights_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="--vgg"):
        VggFeatures(tmp_path / "none.npz")
    with pytest.raises(OptionsError, match="its layers have the shapes"):
        VggFeatures(vgg_file(tmp_path, first=4))
    (tmp_path / "text.npz").write_text("no npz")
    with pytest.raises(OptionsError, match="--vgg"):
        VggFeatures(tmp_path / "text.npz")


@pytest.mark.data
def test_published_vgg_weights_are_read(data_dir: Path) -> None:
    file = data_dir / "weights" / "vgg19_ccby_FLAGGED" / "vgg19_normalised_to_relu3_1.npz"
    features = VggFeatures(file)(lines())
    # Filter-normalised: the mean activation of every layer is about 1 on photographs (Gatys et al., 2015).
    assert all(0.05 < float(feature.mean()) < 20 for feature in features)


@pytest.mark.parametrize("kind", ["vanilla", "lsgan", "wgan-gp"])
def test_generator_and_discriminator_losses_are_opposed(kind: str) -> None:
    low, high = torch.full((2, 1, 4, 4), -1.0), torch.full((2, 1, 4, 4), 1.0)
    assert generator_loss(high, kind) < generator_loss(low, kind)
    assert discriminator_loss(low, high, kind) < discriminator_loss(high, low, kind)


def test_gradient_penalty_is_zero_for_a_slope_of_one() -> None:
    def critic(slope: float) -> Callable[[Tensor], Tensor]:
        return lambda picture: slope * picture.flatten(1).sum(1) / picture[0].numel() ** 0.5

    fake, real, share = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), torch.rand(2, 1, 1, 1)
    flat, unit = (gradient_penalty(critic(slope), fake, real, share) for slope in (0.0, 1.0))
    assert unit == pytest.approx(0, abs=1e-6)
    assert flat == pytest.approx(1)
