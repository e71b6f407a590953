"""Untrusted weights are compared with the generator before they are loaded."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from engines import paths
from engines.errors import EngineError, LookError
from engines.generators.toon_net import ToonNet
from engines.looks_file import load_looks
from engines.style_lookup import load_style, style_names
from engines.styles import Style
from engines.untrusted_files import shown

CARD: dict[str, Any] = {
    "generator": "toon_net",
    "generator_args": {"channels": 4, "deep": 4, "blocks": 1},
    "region": "head",
    "size_wh": [256, 256],
    "output": "picture",
}


def state() -> dict[str, Tensor]:
    return {name: torch.ones_like(tensor) for name, tensor in ToonNet(**CARD["generator_args"]).state_dict().items()}


@pytest.fixture
def style(veneer_home: Path) -> Style:
    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text(json.dumps(CARD))
    return load_style("mine")


def without_one() -> bytes:
    return save({name: tensor for name, tensor in state().items() if name != "out.bias"})


def with_header(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not usable"),
        (b"PK\x03\x04" + bytes(100), "not usable"),
        (with_header(b"{}", 2**63), "not usable"),
        (with_header(b"{}", 99_000_000), "not usable"),
        (with_header(b"{}"), "tensors are missing"),
        (with_header(b"[" * 5000), "not usable"),
        (save(state())[:-5], "not usable"),
        (without_one(), r"1 tensors are missing, out\.bias"),
        (save({**state(), "more": torch.zeros(1)}), "not the generator's, 'more'"),
        (save({**state(), "out.bias": torch.zeros(13)}), r"out\.bias is of shape \(13,\), the generator's is \(12,\)"),
        (save({**state(), "out.bias": torch.zeros(12, dtype=torch.int8)}), "of type 'I8'"),
        (save({**state(), "out.bias": torch.full((12,), torch.nan)}), "NaN or infinity"),
        (save({**state(), "out.bias": torch.full((12,), 1e300, dtype=torch.float64)}), "NaN or infinity"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(style: Style, content: bytes, message: str) -> None:
    style.weights.write_bytes(content)
    with pytest.raises(EngineError, match=rf"weights .*mine\.safetensors: .*{message}") as caught:
        style.load_generator()
    assert str(caught.value).isprintable()


def test_half_precision_weights_are_converted_to_fp32(style: Style) -> None:
    style.weights.write_bytes(save({name: tensor.half() for name, tensor in state().items()}))
    net = style.load_generator()
    assert {tensor.dtype for tensor in net.state_dict().values()} == {torch.float32}
    assert all(bool((tensor == 1).all()) for tensor in net.state_dict().values())


def test_overwriting_the_file_leaves_a_loaded_network_alone(style: Style) -> None:
    style.weights.write_bytes(save(state()))
    net = style.load_generator()
    with style.weights.open("r+b") as file:
        file.seek(-400, os.SEEK_END)
        file.write(b"\xff" * 400)
    assert all(bool((tensor == 1).all()) for tensor in net.state_dict().values())


def test_a_file_of_gigabytes_is_not_opened(style: Style) -> None:
    with style.weights.open("wb") as file:
        file.truncate(3_000_000_000)  # a sparse file: it occupies no disk space
    with pytest.raises(EngineError, match=r"3000\.0 MB, more than 1200"):
        style.load_generator()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_at_once(style: Style, tmp_path: Path) -> None:
    os.mkfifo(style.weights)
    os.mkfifo(tmp_path / "looks.toml")
    with pytest.raises(EngineError, match="not a regular file"):
        style.load_generator()
    with pytest.raises(LookError, match="not a regular file"):
        load_looks(tmp_path / "looks.toml")


def test_a_card_of_megabytes_is_refused(style: Style) -> None:
    (paths.data_dir() / "weights" / "mine.json").write_text(json.dumps({**CARD, "about": "x" * 2_000_000}))
    with pytest.raises(LookError, match=r"2\.0 MB, more than 1"):
        load_style("mine")


@pytest.mark.parametrize("mean", [[float("nan"), 1, 2], [1, 2, 256], [-1, 2, 3], [1, 2]])
def test_an_invalid_lip_colour_is_refused(veneer_home: Path, mean: list[float]) -> None:
    folder = paths.data_dir() / "weights"
    folder.mkdir(parents=True)
    card = {"generator": "lip_net", "region": "lips", "size_wh": [90, 30], "lips_mean_bgr": mean}
    (folder / "red.json").write_text(json.dumps(card))
    with pytest.raises(LookError, match=r"style card .*red\.json: not readable"):
        load_style("red")


def test_all_shipped_weights_load() -> None:
    for name in style_names():
        net = load_style(name).load_generator()
        assert all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values())


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "../toon", "weights/../toon", ""])
def test_a_name_that_no_file_can_have_is_unknown(name: str) -> None:
    with pytest.raises(LookError, match="there is no such style"):
        load_style(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 3000, "nested too deeply"),
        ("[looks.a]\nhold_s = " + "9" * 5000, "not TOML"),
        ("[looks.a]\nhold_s = " + "9" * 400, "does not fit 64 bits"),
        ('[looks."\\u001b]0;x"]', "too long or not printable"),
        ('[looks."' + "x" * 61 + '"]', "too long or not printable"),
        ('[looks.a]\nabout = "one\\ntwo"', "one line of text"),
        ("[looks.a]\nlayers = [" + "{ style = 'shade', color = '#ff0000' }," * 33 + "]", "at most 32"),
        ("# " + "x" * 1_000_001, r"1\.0 MB, more than 1"),
        ("\ufeff\udcff", "is not UTF-8"),
    ],
)
def test_a_hostile_looks_file_is_reported_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "looks.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LookError, match=message) as caught:
        load_looks(tmp_path / "looks.toml")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


def test_any_value_is_abbreviated_in_messages() -> None:
    deep: Any = 0
    for _ in range(5000):
        deep = [deep]
    for value in ("x" * 9999, 16**9999, deep, ["x" * 99] * 99, {1: {2: {3: {}}}}, None):
        assert len(shown(value)) < 200 and shown(value).isprintable()
