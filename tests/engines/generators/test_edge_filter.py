"""The filter that ends networks for flat drawings: areas become even, edges stay, and it equals its NumPy form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.numpy_layers import Array, values

from engines.generators.edge_filter import flattened
from engines.generators.registry import fresh_generator

pytestmark = pytest.mark.usefixtures("one_thread")


def computed(picture: Array, edge: float) -> Array:
    """The filter for one picture (3, H, W), pixel by pixel."""
    height, width = picture.shape[1:]
    for step in (1, 2):
        out = np.empty_like(picture)
        for y, x in itertools.product(range(height), range(width)):
            rows = [min(max(y + step * by, 0), height - 1) for by in (-1, 0, 1)]
            columns = [min(max(x + step * by, 0), width - 1) for by in (-1, 0, 1)]
            found = picture[:, rows][:, :, columns].reshape(3, 9)
            weights = np.exp(-((found - picture[:, y, x, None]) ** 2).sum(0) / (2 * edge**2))
            out[:, y, x] = (found * weights).sum(1) / weights.sum()
        picture = out
    return picture


def test_a_tiny_edge_leaves_the_picture() -> None:
    pictures = torch.rand(1, 3, 8, 8)
    assert torch.equal(flattened(pictures, 1e-30), pictures)


def test_the_filter_equals_its_numpy_form() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(2, 3, 7, 9)
    expected = np.stack([computed(values(one), 0.3) for one in pictures])
    assert np.abs(values(flattened(pictures, 0.3)) - expected).max() < 1e-6


def halves(noise: float) -> NDArray[np.float32]:
    """A dark and a light half with noise, (1, 3, 32, 32)."""
    rng = np.random.default_rng(0)
    return np.float32(0.2 + 0.6 * (np.arange(32) >= 16)) + rng.normal(0, noise, (1, 3, 32, 32)).astype(np.float32)


def test_areas_become_even_and_an_edge_stays() -> None:
    before = halves(0.01)
    after = flattened(torch.from_numpy(before), 14 / 255).numpy()
    assert after[..., :16].std() < 0.25 * before[..., :16].std()
    across = after.mean((0, 1, 2))
    assert across[15] < 0.22 and across[16] > 0.78


@pytest.mark.parametrize("name", ["ugatit_light", "ugatit", "photo2cartoon"])
def test_published_networks_have_no_filter_unless_asked(name: str) -> None:
    arguments = {"channels": 4, "blocks": 1} | ({"side_px": 32} if name == "ugatit" else {})
    nets = [fresh_generator(name, arguments | extra).eval() for extra in ({}, {"edge_levels": 20.0})]
    nets[1].load_state_dict(nets[0].state_dict())
    rgb = torch.from_numpy(halves(0.02))
    with torch.inference_mode():
        plain, even = (net(rgb) for net in nets)
        logits = nets[1](rgb, with_logits=True)[1]
    assert torch.allclose(even, flattened(plain, 20 / 255), atol=1e-6) and not torch.equal(plain, even)
    assert logits.shape == (1, 2)
