"""Parts of the training: augmentation of lip pairs, folds, the optimiser, the registry of methods."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.kit_parts import lip_crops
from torch.nn import functional as F

from engines.errors import OptionsError
from engines.training.data.lip_pairs import LipPairs, split_folds
from engines.training.methods import load_method, method_names
from engines.training.methods.lips import Lips, LipsConfig
from engines.training.optimisers.soap import Soap


def test_lip_pairs_are_mirrored_and_relit_alike() -> None:
    before = np.random.default_rng(0).integers(0, 256, (64, 30, 90, 3), np.uint8)
    batches = Lips(LipsConfig(batch=64, lit_share=0.5), LipPairs("x", before, before // 2 * 2, "")).dataset(0)
    lit, painted = batches[0]
    assert float((lit - painted).abs().max()) < 1.3 / 255
    assert 3 < int((lit.flatten(1).amax(1) < 0.6).sum()) < 40


def test_lip_batches_depend_on_the_step_only() -> None:
    pairs = LipPairs("x", *lip_crops(7), "")
    forwards, backwards = (Lips(LipsConfig(batch=2, seed=3), pairs).dataset(0) for _ in range(2))
    ones = [forwards[step] for step in range(9)]
    for step in (8, 3, 4):
        assert all(torch.equal(*both) for both in zip(ones[step], backwards[step], strict=True))
    assert len(ones[3][0]) == 1


def test_methods_are_found_by_name() -> None:
    assert {"paired", "lips"} <= set(method_names())
    assert load_method("paired").name == "paired"
    with pytest.raises(OptionsError, match="did you mean 'paired'"):
        load_method("pared")


def test_folds_keep_near_duplicates_together() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (20, 30, 90, 3), np.uint8)
    for i in range(5):
        pictures[i + 10] = np.clip(pictures[i].astype(int) // 2 + rng.integers(0, 9, pictures[i].shape), 0, 255)
    parts = split_folds(pictures, 4, seed=1)
    assert sorted(i for part in parts for i in part) == list(range(20))
    assert all((i in part) == (i + 10 in part) for part in parts for i in range(5))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == split_folds(pictures, 4, seed=1) != split_folds(pictures, 4, seed=2)


def test_soap_solves_an_ill_conditioned_problem() -> None:
    torch.manual_seed(0)
    seen = torch.randn(256, 8) @ torch.diag(torch.logspace(0, -2, 8)) @ torch.randn(8, 8)
    target = seen @ torch.randn(8, 4) + 0.5
    layer = torch.nn.Linear(8, 4)
    optimizer = Soap(layer.parameters(), lr=0.1)
    first = 0.0
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        loss = F.mse_loss(layer(seen), target)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-4 * first
