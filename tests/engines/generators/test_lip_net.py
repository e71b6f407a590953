"""The lip generator and its shipped weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.root import ROOT

from calibration.evaluation.student import Student
from engines.generators.lip_net import LipNet
from engines.style_lookup import load_style
from engines.training.data.lip_pairs import load_lip_pairs
from engines.training.metrics.psnr import psnr_db

WEIGHTS = ROOT / "engines" / "weights"
BARS_DB = {"lips-glaze": 27.0, "lips-bright": 29.5}
SHIPPED = sorted(BARS_DB)


def shipped(name: str) -> LipNet:
    net = LipNet()
    net.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"), strict=True)
    return net.eval()


def card(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_an_untrained_network_changes_nothing() -> None:
    crop = torch.rand(2, 3, 30, 90)
    assert LipNet()(crop).shape == crop.shape
    assert not LipNet()(crop).any()


def test_layers_are_three_by_three_with_24_45_and_3_channels() -> None:
    shapes = [tuple(weight.shape) for weight in LipNet().parameters() if weight.ndim == 4]
    assert shapes == [(24, 3, 3, 3), (45, 24, 3, 3), (3, 45, 3, 3)]


@pytest.mark.parametrize("size_hw", [(30, 90), (1, 1), (61, 187)])
def test_the_output_has_the_size_of_the_input(size_hw: tuple[int, int]) -> None:
    crop = torch.rand(1, 3, *size_hw)
    with torch.inference_mode():
        assert shipped("lips-glaze")(crop).shape == crop.shape


def test_the_field_of_view_is_seven_pixels() -> None:
    crop = torch.rand(1, 3, 30, 90)
    other = crop.clone()
    other[0, :, 15, 40] = 1 - other[0, :, 15, 40]
    with torch.inference_mode():
        net = shipped("lips-glaze")
        moved = (net(crop) - net(other)).abs().amax((0, 1)) > 1e-5
    rows, columns = np.nonzero(moved.numpy())
    assert (rows.min(), rows.max()) == (12, 18)
    assert (columns.min(), columns.max()) == (37, 43)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_match_their_card(name: str) -> None:
    assert all(bool(torch.isfinite(weight).all()) for weight in shipped(name).parameters())
    digest = hashlib.sha256((WEIGHTS / f"{name}.safetensors").read_bytes()).hexdigest()
    assert card(name)["weights_sha256"] == digest
    assert card(name)["parameters"] == sum(weight.numel() for weight in LipNet().parameters())


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_states_data_terms_and_held_out_score(name: str) -> None:
    content = card(name)
    assert content["name"] == name
    assert content["scores"]["cv_psnr_db"] >= BARS_DB[name]
    assert content["scores"]["folds"] == 5
    assert "Kalafinaian/ai_lips_makeup" in content["data"]["terms"]
    assert content["data"]["pictures_included"] is False
    assert {"seed", "epochs", "date", "gmac"} <= content.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_change_of_any_flat_colour_is_bounded(name: str) -> None:
    colours = torch.tensor([[r, g, b] for r in (0.0, 0.5, 1.0) for g in (0.0, 0.5, 1.0) for b in (0.0, 0.5, 1.0)])
    with torch.inference_mode():
        change = shipped(name)(colours[:, :, None, None].expand(-1, -1, 30, 90))
    assert bool(torch.isfinite(change).all())
    assert float(change.abs().max()) < 4


@pytest.mark.data
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_style_reaches_its_cards_score(name: str, data_dir: Path) -> None:
    (pairs,) = load_lip_pairs(data_dir / "lips", name.removeprefix("lips-"))
    assert card(name)["data"]["pixels_sha256"] == pairs.digest()
    student = Student(load_style(name))
    both = zip(pairs.before_rgb, pairs.after_rgb, strict=True)
    mean_db = float(np.mean([psnr_db(student.apply_rgb(crop_rgb), painted_rgb) for crop_rgb, painted_rgb in both]))
    assert mean_db >= BARS_DB[name]
    assert mean_db == pytest.approx(card(name)["scores"]["seen_psnr_db"], abs=0.05)


@pytest.mark.data
@pytest.mark.parametrize("name", SHIPPED)
def test_in_half_the_light_the_change_is_smaller_too(name: str, data_dir: Path) -> None:
    (pairs,) = load_lip_pairs(data_dir / "lips", name.removeprefix("lips-"))
    crop = torch.from_numpy(pairs.before_rgb.transpose(0, 3, 1, 2).copy()).float() / 255
    with torch.inference_mode():
        net = shipped(name)
        full, half = (float(net(crop * gain).abs().mean()) for gain in (1.0, 0.5))
    assert 0.35 * full < half < 0.7 * full
