"""Networks from noise: the parameters of the published programs, and their layers computed a second time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from engines.generators.noise_layers import (
    EqualConv,
    EqualLinear,
    Verdict,
    blur,
    doubled,
    feature_widths,
    with_deviation,
)  # fmt: skip
from engines.generators.registry import fresh_generator
from engines.generators.style_layers import path_length
from engines.generators.stylegan2_net import Modulated
from engines.generators.stylegan_net import adain
from engines.generators.weights_file import shapes_only
from engines.training.metrics.model_cost import parameters

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("name", "arguments", "published"),
    [
        ("stylegan2", {"side_px": 1024}, 30_370_060),
        ("stylegan2", {"side_px": 1024, "multiplier": 1}, 24_900_764),
        ("stylegan", {"side_px": 1024}, 26_219_627),  # the paper says 26.2 million
        ("pggan", {"side_px": 1024}, 23_086_795),  # table 2 of the paper: 23.1 million
        ("mlp_gan", {}, 101 * 256 + 257 * 512 + 513 * 3 * 28 * 28),
        ("dcgan", {}, 16 * (100 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 3 + 2 * 1920),
        ("dcgan", {"side_px": 32, "channels": 64}, 16 * (100 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3 + 2 * 448),
    ],
)
def test_noise_networks_have_the_published_sizes(name: str, arguments: dict[str, Any], published: int) -> None:
    with shapes_only():
        assert parameters(fresh_generator(name, arguments)) == published


@pytest.mark.parametrize("name", ["dcgan", "pggan", "stylegan", "stylegan2"])
def test_sides_that_are_no_power_of_two_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="side_px 48 is not a power of two"):
        fresh_generator(name, {"side_px": 48})


def test_equalised_layers_apply_the_constant_of_he() -> None:
    torch.manual_seed(0)
    linear, conv = EqualLinear(6, 4, rate=0.01, start=2.0), EqualConv(3, 5, 3)
    assert torch.allclose(linear.weight.std(), torch.tensor(100.0), rtol=0.3)
    x = torch.randn(2, 6)
    assert torch.allclose(linear(x), x @ linear.weight.T * (0.01 / math.sqrt(6)) + 0.02, atol=1e-6)
    rgb = torch.randn(1, 3, 5, 5)
    assert torch.allclose(conv(rgb), F.conv2d(rgb, conv.weight / math.sqrt(27), padding=1), atol=1e-6)


def test_features_are_halved_from_a_size_on() -> None:
    assert feature_widths(512, 8) == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert feature_widths(512, 5, multiplier=2) == [512, 512, 512, 512, 512, 256]
    assert feature_widths(96, 4, taper_px=8) == [96, 96, 48, 24, 12]


def test_the_verdict_is_that_of_the_projection_discriminator() -> None:
    torch.manual_seed(0)
    verdict, x, label = Verdict(8, 3), torch.randn(4, 8), F.one_hot(torch.tensor([0, 2, 1, 2]), 3).float()
    assert verdict.label is not None
    embedding = verdict.label.weight.T / math.sqrt(3)  # classes, features
    told = x @ embedding.T / math.sqrt(8)
    assert torch.allclose(verdict(x, label)[:, 1:], told, atol=1e-5)
    projected = verdict.logit(x) + (told * label).sum(1, keepdim=True)
    assert torch.allclose(verdict(x, label)[:, :1], projected, atol=1e-5)
    assert torch.equal(verdict(x), verdict.logit(x))


def test_adain_gives_each_map_the_mean_and_spread_of_its_style() -> None:
    torch.manual_seed(0)
    x, style = 5 * torch.randn(2, 3, 32, 32) + 7, torch.randn(2, 6)
    styled = adain(x, style)
    assert torch.allclose(styled.mean((2, 3)), style[:, 3:], atol=1e-4)
    assert torch.allclose(styled.std((2, 3), correction=0), (style[:, :3] + 1).abs(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("up", [False, True])
def test_demodulated_weights_have_unit_length(up: bool) -> None:
    """Equation 3: the weights of each picture are scaled, normalised and convolved one picture at a time."""
    torch.manual_seed(0)
    layer, x, style = Modulated(3, 4, 3, 8, up=up), torch.randn(2, 3, 6, 6), torch.randn(2, 8)
    expected = []
    for one, scales in zip(x, layer.modulation(style), strict=True):
        weight = layer.weight[0] / math.sqrt(27) * scales[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            row = torch.tensor((1.0, 3.0, 3.0, 1.0)) / 4
            wide = F.conv_transpose2d(one[None], weight.transpose(0, 1), stride=2)
            expected.append(F.conv2d(F.pad(wide, (1, 1, 1, 1)), (row[:, None] * row).expand(4, 1, 4, 4), groups=4))
        else:
            expected.append(F.conv2d(one[None], weight, padding=1))
    assert torch.allclose(layer(x, style), torch.cat(expected), atol=1e-5)


def test_pictures_are_doubled_as_by_inserted_zeros() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 5, 5)
    zeros = torch.zeros(1, 2, 10, 10)
    zeros[:, :, ::2, ::2] = x
    assert torch.allclose(doubled(x), 4 * blur(F.pad(zeros, (2, 1, 2, 1)), 0), atol=1e-5)


def test_deviation_over_a_group_is_one_map() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 3, 4, 4)
    shown = with_deviation(x)
    for first in range(2):  # the groups are pictures 0 2 4 6 and 1 3 5 7
        group = x[first::2].double().numpy()
        expected = float(((group - group.mean(0)) ** 2).mean(0).__pow__(0.5).mean())
        assert torch.allclose(shown[first::2, 3], torch.full((4, 4, 4), expected), atol=1e-5)
    assert torch.equal(shown[:, :3], x) and with_deviation(x[:7]).shape == (7, 4, 4, 4)


def test_path_length_is_that_of_the_jacobian() -> None:
    """For pictures that depend linearly on the style, the mean square length is known from the matrix."""
    torch.manual_seed(0)
    matrix, styles = torch.randn(3 * 4 * 4, 5), torch.randn(4000, 1, 5, requires_grad=True)
    lengths = path_length((styles[:, 0] @ matrix.T).unflatten(1, (3, 4, 4)), styles)
    assert torch.allclose(lengths.square().mean(), matrix.square().sum() / 16, rtol=0.05)


def test_growing_networks_fade_their_blocks_in() -> None:
    torch.manual_seed(0)
    for name in ("pggan", "stylegan"):
        net: Any = fresh_generator(name, {"side_px": 16, "channels": 8, "latent": 4}).eval()
        noise, made = torch.randn(2, 4), {}
        for level in (0.0, 0.5, 1.0, 2.0):
            net.level = level
            made[level] = net(noise)
        assert [picture.shape[-1] for picture in made.values()] == [4, 8, 8, 16]
        older = F.interpolate(made[0.0], scale_factor=2)
        assert torch.allclose(made[0.5], (older + made[1.0]) / 2, atol=1e-5)
