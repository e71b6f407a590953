"""The discriminators of the translation networks give what a computation in NumPy gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.numpy_layers import Array, convolved, instance, linear, scattered, values, weight_of
from torch import nn

from engines.discriminators.attention_critic import GLOBAL_LAYERS, LOCAL_LAYERS, AttentionCritic
from engines.discriminators.conditional_critic import ConditionalCritic
from engines.discriminators.multi_scale import MultiScaleCritic
from engines.discriminators.n_layer import PatchCritic
from engines.generators.weights_file import shapes_only
from engines.training.metrics.model_cost import parameters

pytestmark = pytest.mark.usefixtures("one_thread")


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x)


def judged(x: Array, critic: PatchCritic, padding: int) -> list[Array]:
    """The features and logits of a PatchGAN; pictures in -1..1."""
    found, last = [], len(critic.steps) - 1
    for i, step in enumerate(critic.steps):
        x = convolved(x, step.get_submodule("0"), stride=2 if i < last else 1, mode="constant", padding=padding)
        x = leaky(instance(x) if i > 0 else x)
        found.append(x)
    return [*found, convolved(x, critic.verdict, mode="constant", padding=padding)]


def nearly(one: list[Array], other: Any) -> bool:
    return all(np.abs(a - values(b)).max() < 1e-4 for a, b in zip(one, other, strict=True))


def pictures(count: int, side: int = 32) -> list[torch.Tensor]:
    torch.manual_seed(4)
    return [torch.rand(2, 3, side, side) for _ in range(count)]


@pytest.mark.parametrize("padding", [1, 2])
def test_patch_discriminator_has_the_papers_layers(padding: int) -> None:
    critic = scattered(PatchCritic(2, 4, padding=padding))
    assert isinstance(critic, PatchCritic)
    both = pictures(2)
    expected = judged(np.concatenate([values(one) for one in both], 1) * 2 - 1, critic, padding)
    assert nearly(expected, critic(*both))


def test_discriminators_judge_three_scales() -> None:
    critic = scattered(MultiScaleCritic(1, 4))
    assert isinstance(critic, MultiScaleCritic)
    (rgb,) = pictures(1, 64)
    x = values(rgb)
    for one, found in zip(critic.critics, critic(rgb), strict=True):
        assert isinstance(one, PatchCritic) and nearly(judged(x * 2 - 1, one, 2), found)
        side = x.shape[-1]
        near = [np.arange(side)[max(0, i - 1) : i + 2] for i in range(0, side, 2)]  # only pixels of the picture count
        x = np.stack(
            [np.stack([x[:, :, rows][..., columns].mean((2, 3)) for columns in near], -1) for rows in near], -2
        )


def test_a_discriminator_receives_the_class() -> None:
    critic = scattered(ConditionalCritic(3, 4))
    assert isinstance(critic, ConditionalCritic)
    (rgb,), label = pictures(1), torch.eye(3)[:2]
    shown = 1 / (1 + np.exp(-linear(values(label), critic.label)))
    both = np.concatenate([values(rgb), np.broadcast_to(shown[:, :, None, None], rgb.shape)], 1)
    assert nearly(judged(both * 2 - 1, critic.critic, 1), critic(rgb, label))


@pytest.mark.parametrize(("layers", "side"), [(LOCAL_LAYERS, 32), (GLOBAL_LAYERS, 96)])
def test_ugatit_discriminator_attends(layers: int, side: int) -> None:
    critic = AttentionCritic(layers, 4)
    for _ in range(1500):  # in training mode each access improves the estimate of the largest singular value
        for layer in (*critic.steps, critic.by_mean, critic.by_most, critic.verdict):
            assert layer.weight is not None
    scattered(critic)  # evaluation mode
    (rgb,) = pictures(1, side)
    x = values(rgb) * 2 - 1
    for i, step in enumerate(critic.steps):
        x = leaky(convolved(x, step, stride=2 if i < layers - 2 else 1, padding=1))
    classes = np.concatenate([linear(x.mean((2, 3)), critic.by_mean), linear(x.max((2, 3)), critic.by_most)], 1)
    weights = [
        values(one.get_parameter("parametrizations.weight.original")) for one in (critic.by_mean, critic.by_most)
    ]
    x = np.concatenate([x * weight[:, :, None, None] for weight in weights], 1)
    x = leaky(convolved(x, critic.narrow))
    assert weight_of(critic.verdict).shape == (1, 4 * 2 ** (layers - 2), 4, 4)
    assert nearly([convolved(x, critic.verdict, padding=1), classes], critic(rgb))


@pytest.mark.parametrize(
    ("critic", "published"),
    [
        (lambda: PatchCritic(1), 2_764_737),  # pytorch-CycleGAN-and-pix2pix, netD basic
        (lambda: PatchCritic(2), 2_767_809),
    ],
)
def test_sizes_of_discriminators_are_the_published_ones(critic: Any, published: int) -> None:
    with shapes_only():
        net: nn.Module = critic()
        assert parameters(net) == published
