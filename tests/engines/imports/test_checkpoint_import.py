"""Checkpoints of other programs become styles that draw the same pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.foreign_networks import NETWORKS, Foreign, cyclegan

from engines.errors import OptionsError
from engines.imports.checkpoint_fit import MismatchError
from engines.imports.checkpoint_import import import_checkpoint
from engines.imports.style_files import remove_style
from engines.imports.style_import import ImportRequest, import_as_style
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style, own_names

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE_WH = (96, 64)


def imported(path: Path, program: str, content: Any, **options: Any) -> str:
    """Save a checkpoint and import it as the style "mine"; return what was said."""
    torch.save(content, path)
    return import_checkpoint("mine", path, program=program, **{"region": "frame", "size_wh": SIZE_WH, **options})


def picture_of(portrait_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(portrait_bgr[64:128, 180:276])


def agree(portrait_bgr: NDArray[np.uint8], network: Foreign) -> None:
    """The style "mine" draws what the network draws: at most 1/255 of mean error, at least 45 dB."""
    bgr = picture_of(portrait_bgr)
    rgb = torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).permute(2, 0, 1)[None] / 255
    expected = network(rgb)[0].permute(1, 2, 0).numpy()[..., ::-1] * 255
    engine = open_engine(load_style("mine"), runtime="torch")
    error = engine.infer(bgr[None])[0] - expected
    assert expected.std() > 5, "the network draws something"
    # U-GAT-IT normalises with the variance of samples, ours with that of all pixels: 0.1 % here, 0.01 % at 256x256.
    assert np.abs(error).mean() <= 0.5 and np.sqrt(np.square(error).mean()) <= 0.8  # 50 dB


@pytest.mark.parametrize("program", NETWORKS)
def test_style_draws_what_the_program_draws(program: str, tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    network = Foreign(NETWORKS[program])
    size_wh = (96, 64)
    imported(tmp_path / "net.pt", program, network.state, size_wh=size_wh)
    agree(portrait_bgr, network)


def test_animegan2_can_enlarge_with_aligned_corners(tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    network = Foreign(NETWORKS["animegan2"], aligned=1)
    imported(tmp_path / "net.pt", "animegan2", network.state, arguments=("aligned=true",))
    agree(portrait_bgr, network)


def test_full_ugatit_belongs_to_the_size_it_was_trained_at(tmp_path: Path) -> None:
    network = Foreign(NETWORKS["ugatit"], full=1)  # its tensors are made for 64x64
    said = imported(tmp_path / "net.pt", "ugatit", network.state, size_wh=(64, 64))
    assert said.startswith("net.pt is ugatit,") and load_style("mine").arguments["side_px"] == 64
    rgb = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        error = load_style("mine").load_generator()(rgb) - network(rgb)
    assert error.abs().mean() < 0.002


WRAPPED: dict[str, Any] = {
    "params": lambda state: {"params": state, "epoch": 3},
    "module": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "nested": lambda state: {"model": {"generator": state}, "optimiser": {"state": {0: {"step": torch.tensor(1.0)}}}},
    "flat": lambda state: {f"genA2B.{name}": tensor for name, tensor in state.items()},
    "half": lambda state: {name: tensor.half() for name, tensor in state.items()},
    "running statistics": lambda state: {**state, "model.2.running_mean": torch.zeros(8)},
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_nested_and_prefixed_checkpoints_are_found(wrapping: str, tmp_path: Path) -> None:
    network = Foreign(cyclegan)
    imported(tmp_path / "net.pth", "cyclegan", WRAPPED[wrapping](network.state))
    weights = load_style("mine").load_generator().state_dict()
    assert torch.allclose(weights["first.0.weight"], network.state["model.1.weight"], atol=1e-3)


def test_old_format_and_safetensors_are_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    network = Foreign(cyclegan, second=6)  # trained with dropout
    torch.save(network.state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(network.state, tmp_path / "new.safetensors")
    for name in ("old.pth", "new.safetensors"):
        import_checkpoint("mine", tmp_path / name, program="cyclegan", region="head", size_wh=(64, 64))
        assert len(load_style("mine").load_generator().state_dict()) == len(network.state)


def test_direction_is_chosen_and_named(tmp_path: Path) -> None:
    there, back = Foreign(NETWORKS["ugatit"]), Foreign(NETWORKS["ugatit"], blocks=1)
    both = {"genB2A": back.state, "genA2B": there.state}
    said = imported(tmp_path / "net.pt", "ugatit", both)
    assert said.startswith("genA2B of net.pt is ugatit_light") and "also holds genB2A" in said
    assert load_style("mine").arguments == {"channels": 8, "blocks": 2}
    imported(tmp_path / "net.pt", "ugatit", both, part="genB2A")
    assert load_style("mine").arguments == {"channels": 8, "blocks": 1}
    with pytest.raises(OptionsError, match=r"--part disGA: the checkpoint has no such part - it has 'genB2A'"):
        imported(tmp_path / "net.pt", "ugatit", both, part="disGA")


def test_card_says_where_the_style_comes_from(tmp_path: Path) -> None:
    imported(tmp_path / "net.pt", "cyclegan", Foreign(cyclegan).state, licence="MIT, by its author", region="head")
    style = load_style("mine")
    card = json.loads(style.weights.with_suffix(".json").read_text())
    assert card["source"] == "net.pt" and len(card["source_sha256"]) == len(card["weights_sha256"]) == 64
    assert (style.licence, card["imported_as"], style.region, style.covers) == (
        "MIT, by its author", "cyclegan", "head", True,
    )  # fmt: skip
    assert card["gmac"] > 0 and str(tmp_path) not in json.dumps(card)
    assert sorted(remove_style("mine")) == ["mine.json", "mine.safetensors"] and own_names() == ()


def test_misfits_are_listed_in_ten_lines_at_most(tmp_path: Path) -> None:
    state = Foreign(cyclegan).state
    lines: list[str] = []
    torch.save(state | {f"more.{i}": torch.zeros(2) for i in range(30)}, tmp_path / "net.pt")
    request = ImportRequest("mine", tmp_path / "net.pt", "cyclegan")
    with pytest.raises(MismatchError, match="30 of its tensors do not fit"):
        import_as_style(request, say=lines.append)
    assert len(lines) == 10 and lines[-1] == "  and 21 more" and "more.0 of shape 2 is not" in lines[0]
    changed = {**state, "model.4.weight": torch.zeros(16, 8, 5, 5)}
    torch.save({name: one for name, one in changed.items() if name != "model.7.bias"}, tmp_path / "net.pt")
    lines.clear()
    with pytest.raises(MismatchError, match="2 of its tensors"):
        import_as_style(request, say=lines.append)
    assert lines == [
        "  model.4.weight has the shape 16x8x5x5, expected 16x8x3x3", "  model.7.bias of shape 32 is missing",
    ]  # fmt: skip
    assert own_names() == ()


def test_checkpoint_of_another_network_names_its_layout(tmp_path: Path) -> None:
    state = Foreign(NETWORKS["fast-style"]).state
    with pytest.raises(MismatchError, match="another network's.*import it with --as fast-style"):
        imported(tmp_path / "net.pt", "cyclegan", state)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"name": "My Style"}, "not a name for a style"),
        ({"name": "toon"}, "a shipped style has this name"),
        ({"program": "cyclgan"}, "did you mean 'cyclegan'"),
        ({"program": ""}, "does not tell its network"),
        ({"region": "lips"}, "use face, head, frame, person"),
        ({"mask": "hat"}, "use usual, face, square"),
        ({"mask": "face", "region": "frame"}, "for face and head"),
        ({"size": "0x12"}, "not a size"),
        ({"size": "99999"}, "not a size"),
        ({"size": "66"}, "takes multiples of 4 pixels"),
        ({"licence": "a\nb"}, "not one line"),
        ({"arguments": ("channels=many",)}, "must be a whole number"),
        ({"file": Path("nowhere.pt")}, "there is no such file"),
    ],
)
def test_wrong_option_is_one_line(given: dict[str, Any], line: str, tmp_path: Path) -> None:
    torch.save(Foreign(cyclegan).state, tmp_path / "net.pt")
    request = {"name": "mine", "file": tmp_path / "net.pt", "program": "cyclegan", **given}
    with pytest.raises(OptionsError, match=line) as caught:
        import_as_style(ImportRequest(**request), say=print)
    assert str(caught.value).isprintable() and own_names() == ()


def test_existing_style_is_overwritten_on_request_only(tmp_path: Path) -> None:
    torch.save(Foreign(cyclegan).state, tmp_path / "net.pt")
    request = {"name": "mine", "file": tmp_path / "net.pt", "program": "cyclegan", "size": "64"}
    import_as_style(ImportRequest(**request), say=print)
    with pytest.raises(OptionsError, match="you have a style of this name"):
        import_as_style(ImportRequest(**request), say=print)
    import_as_style(ImportRequest(**request, again=True), say=print)
    assert load_style("mine").size_wh == (64, 64)
