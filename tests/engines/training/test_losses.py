"""Each objective asks for what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.training.losses import image_losses


def lines(side: int = 64) -> Tensor:
    """Dark lines on grey, (1, 3, side, side)."""
    picture = torch.full((1, 3, side, side), 0.7)
    picture[..., 10:12, :] = 0.1
    picture[..., :, 30:33] = 0.2
    return picture


def test_gradient_prefers_a_wrong_tone_to_a_soft_line() -> None:
    wanted = lines()
    brighter = wanted + 0.1
    softer = nn.functional.avg_pool2d(nn.functional.pad(wanted, (1, 1, 1, 1), mode="replicate"), 3, 1)
    assert image_losses.gradient(brighter, wanted) < 1e-6
    assert image_losses.gradient(softer, wanted) > 0.01
    assert image_losses.l1(brighter, wanted) > image_losses.l1(softer, wanted)


@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.5, 0.25)])
def test_temporal_is_nothing_for_a_drawing_that_moves_along(shift: tuple[float, float]) -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")

    def drawn(dx: float, dy: float) -> Tensor:
        return (0.5 + 0.3 * torch.sin((x + dx) / 9) * torch.cos((y + dy) / 7)).expand(1, 3, 64, 64)

    moved = torch.cat((drawn(0, 0), drawn(*shift)))
    still = torch.cat((drawn(0, 0), drawn(0, 0)))
    by = torch.tensor([shift])
    assert image_losses.temporal(moved, by) < 2e-3
    assert image_losses.temporal(still, by) > 5 * image_losses.temporal(moved, by)


def test_temporal_does_not_ask_for_softer_lines() -> None:
    by = torch.tensor([[0.0, 1.0]])
    crisp = torch.cat((lines(), lines().roll(-1, 2)))
    assert image_losses.temporal(crisp, by) < 1e-6


def vgg_file(folder: Path, *, first: int = 3) -> Path:
    dice = np.random.default_rng(0)
    shapes = [(first, 3, 1, 1), (64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 128, 3, 3), (256, 128, 3, 3)]
    arrays = {}
    for place, shape in zip((0, 2, 5, 9, 12, 16), shapes, strict=True):
        arrays[f"{place}.weight"] = (dice.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        arrays[f"{place}.bias"] = np.zeros(shape[0], np.float32)
    np.savez(folder / "vgg.npz", **arrays)  # type: ignore[arg-type]
    return folder / "vgg.npz"


def test_perceptual_grows_with_the_difference_and_is_learned_from(tmp_path: Path) -> None:
    vgg, wanted = image_losses.VggFeatures(vgg_file(tmp_path)), lines()
    assert [tuple(f.shape[1:]) for f in vgg(wanted)] == [(64, 64, 64), (128, 32, 32), (256, 16, 16)]
    near, far = (wanted + step * torch.ones_like(wanted) * wanted for step in (0.05, 0.3))
    assert image_losses.perceptual(vgg, wanted, wanted) == 0
    assert image_losses.perceptual(vgg, near, wanted) < image_losses.perceptual(vgg, far, wanted)
    far.requires_grad_(True)
    image_losses.perceptual(vgg, far, wanted).backward()
    assert far.grad is not None and far.grad.abs().sum() > 0
    assert not list(vgg.parameters())


def test_a_file_that_is_not_vgg_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="--vgg"):
        image_losses.VggFeatures(tmp_path / "none.npz")
    with pytest.raises(OptionsError, match="its layers have the shapes"):
        image_losses.VggFeatures(vgg_file(tmp_path, first=4))
    (tmp_path / "text.npz").write_text("no npz")
    with pytest.raises(OptionsError, match="--vgg"):
        image_losses.VggFeatures(tmp_path / "text.npz")


@pytest.mark.data
def test_the_published_vgg_weights_are_read(data_dir: Path) -> None:
    file = data_dir / "weights" / "vgg19_ccby_FLAGGED" / "vgg19_normalised_to_relu3_1.npz"
    features = image_losses.VggFeatures(file)(lines())
    # Filter-normalised: the mean activation of every layer is about 1 on photographs (Gatys et al., 2015).
    assert all(0.05 < float(feature.mean()) < 20 for feature in features)


@pytest.mark.parametrize("kind", ["vanilla", "lsgan", "wgan-gp"])
def test_generator_and_judge_want_opposite_things(kind: str) -> None:
    low, high = torch.full((2, 1, 4, 4), -1.0), torch.full((2, 1, 4, 4), 1.0)
    assert image_losses.adversarial(high, kind) < image_losses.adversarial(low, kind)
    assert image_losses.judging(low, high, kind) < image_losses.judging(high, low, kind)


def test_the_gradient_penalty_asks_for_a_slope_of_one() -> None:
    class Sum(nn.Module):
        def __init__(self, slope: float) -> None:
            super().__init__()
            self.slope = slope

        def forward(self, _before: Tensor, picture: Tensor) -> Tensor:
            return self.slope * picture.flatten(1).sum(1) / picture[0].numel() ** 0.5

    pictures = torch.rand(3, 2, 3, 8, 8)
    share = torch.rand(2, 1, 1, 1)
    flat, right = (image_losses.gradient_penalty(Sum(slope), *pictures, share) for slope in (0.0, 1.0))
    assert right == pytest.approx(0, abs=1e-6)
    assert flat == pytest.approx(1)
