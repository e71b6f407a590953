"""Style cards of the user: accepted content, and one-line errors for invalid content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engines import paths
from engines.errors import EngineError, LookError
from engines.generators.toon_net import ToonNet
from engines.style_lookup import load_style

CARD: dict[str, Any] = {
    "generator": "toon_net",
    "generator_args": {"channels": 8, "deep": 8, "blocks": 1},
    "region": "head",
    "size_wh": [256, 256],
    "output": "picture",
}


def _written(**changed: Any) -> Path:
    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(ToonNet(**CARD["generator_args"]).state_dict(), folder / "mine.safetensors")
    (folder / "mine.json").write_text(json.dumps({**CARD, **changed}))
    return folder / "mine.json"


def test_a_users_style_is_loaded_as_its_card_says(veneer_home: Path) -> None:
    _written()
    style = load_style("mine")
    assert (style.region, style.size_wh, style.output, style.covers) == ("head", (256, 256), "picture", True)
    with torch.no_grad():
        assert style.load_generator()(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)
    assert style.on("person").size_wh == (448, 256) and style.on("face").size_wh == (256, 256)


@pytest.mark.parametrize(
    "changed",
    [
        {"generator": "os"},
        {"region": "everywhere"},
        {"region": "lips", "lips_mean_bgr": [1, 2, 3]},
        {"output": "both"},
        {"size_wh": [1e999, 256]},
        {"size_wh": [256]},
        {"size_wh": [4, 4]},
        {"generator_args": {"channels": "16"}},
        {"generator_args": {"channels": 200000}},
        {"generator_args": {"channels": -4}},
        {"generator_args": {"channels": True}},
        {"generator_args": {"change": 2}},
        {"generator_args": {"foo": 1}},
        {"generator_args": None},
        {"generator_args": [16]},
    ],
)
def test_an_invalid_card_is_reported_in_one_line(veneer_home: Path, changed: dict[str, Any]) -> None:
    _written(**changed)
    with pytest.raises(LookError, match=r"style card .*mine\.json"):
        load_style("mine")


def test_a_deeply_nested_card_is_reported_in_one_line(veneer_home: Path) -> None:
    _written().write_text("[" * 100_000)
    with pytest.raises(LookError, match="style card"):
        load_style("mine")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"generator_args": {"channels": 16}}, "not usable"),
        ({"size_wh": [250, 250]}, "multiples of 8"),
    ],
)
def test_weights_or_size_that_do_not_fit_are_one_line(veneer_home: Path, changed: dict[str, Any], message: str) -> None:
    _written(**changed)
    with pytest.raises(EngineError, match=message):
        load_style("mine").load_generator()


def test_other_regions_get_a_size_in_proportion(veneer_home: Path) -> None:
    _written(generator="pix2pix", generator_args={"channels": 4, "depth": 7})
    assert load_style("mine").on("person").size_wh == (384, 256), "multiples of 128"
    assert load_style("sketch").on("frame").size_wh == (336, 192)
    assert load_style("sketch").on("frame").on("head").size_wh == (192, 192)
