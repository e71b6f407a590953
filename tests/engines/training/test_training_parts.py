"""Parts of the training: how pairs are varied, how they are parted into folds, the optimiser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from engines.training.data.picture_pairs import split_folds
from engines.training.methods import lips
from engines.training.optimisers.soap import Soap


def test_pairs_are_mirrored_and_lit_alike() -> None:
    crop = torch.rand(64, 3, 30, 90)
    dice = torch.Generator().manual_seed(0)
    recipe = replace(lips.Recipe(), lit_share=0.5)
    lit, painted = lips._augmented(crop, crop * 0.5, recipe, dice)
    assert torch.allclose(lit * 0.5, painted, atol=1e-6)
    as_was = (lit == crop).flatten(1).all(1)
    mirrored = (lit == crop.flip(3)).flatten(1).all(1)
    darkest = (lit.flatten(1).amax(1) < 0.6).sum()
    assert as_was.any()
    assert mirrored.any()
    assert darkest > 3


def test_folds_hold_every_picture_once_and_keep_twins_together() -> None:
    dice = np.random.default_rng(0)
    pictures = dice.integers(0, 256, (20, 30, 90, 3), np.uint8)
    for i in range(5):
        pictures[i + 10] = np.clip(pictures[i].astype(int) // 2 + dice.integers(0, 9, pictures[i].shape), 0, 255)
    parts = split_folds(pictures, 4, seed=1)
    assert sorted(i for part in parts for i in part) == list(range(20))
    assert all((i in part) == (i + 10 in part) for part in parts for i in range(5))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == split_folds(pictures, 4, seed=1) != split_folds(pictures, 4, seed=2)


def test_soap_solves_what_is_badly_scaled() -> None:
    torch.manual_seed(0)
    seen = torch.randn(256, 8) @ torch.diag(torch.logspace(0, -2, 8)) @ torch.randn(8, 8)
    wanted = seen @ torch.randn(8, 4) + 0.5
    layer = torch.nn.Linear(8, 4)
    optimizer = Soap(layer.parameters(), lr=0.1)
    first = 0.0
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        loss = F.mse_loss(layer(seen), wanted)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-4 * first
