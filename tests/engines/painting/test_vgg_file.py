"""VGG weights from the file forms in which they are published, and files that are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.io import savemat
from support.cli_parts import call
from support.vgg_parts import NAMES, PLACES, vgg_layers

from engines.painting.vgg_file import load_vgg
from engines.painting.vgg_network import VggNetwork


def write_vgg(path: Path) -> Path:
    """Write the same network in the form that belongs to the file's name."""
    layers = vgg_layers()
    if path.suffix == ".mat":
        entries = np.empty((1, len(layers)), object)
        for i, (weight, bias) in enumerate(layers):
            parts = np.empty((1, 2), object)
            parts[0, 0], parts[0, 1] = weight.transpose(2, 3, 1, 0), bias[:, None]
            entries[0, i] = {"type": "conv", "name": f"conv{NAMES[i]}", "weights": parts}
        savemat(path, {"layers": entries})
    elif path.suffix == ".npz":
        stems = [f"block{name[0]}_conv{name[2]}" for name in NAMES]
        first = layers[0][0][:, ::-1], layers[0][1]  # Keras's files take BGR
        arrays = dict(zip(stems, [first, *layers[1:]], strict=True))
        half = {f"{stem}.{part}": one.astype(np.float16) for stem, pair in arrays.items()
                for part, one in zip(("weight", "bias"), pair, strict=True)}  # fmt: skip
        np.savez(path, **half)  # type: ignore[arg-type]
    else:
        std = np.array((0.229, 0.224, 0.225), np.float32)[None, :, None, None] * 255
        first = layers[0][0] * std, layers[0][1]
        named = {f"features.{place}.{part}": torch.tensor(one)
                 for place, pair in zip(PLACES, [first, *layers[1:]], strict=True)
                 for part, one in zip(("weight", "bias"), pair, strict=True)}  # fmt: skip
        save_file(named, path) if path.suffix == ".safetensors" else torch.save(named, path)
    return path


@pytest.mark.parametrize("name", ["vgg.mat", "vgg.npz", "vgg.safetensors", "vgg.pth"])
def test_each_form_gives_the_same_features(name: str, tmp_path: Path) -> None:
    done = call("models", "add", "vgg", write_vgg(tmp_path / name))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("VGG-16 up to conv5_1: its layers respond to the built-in portrait")
    torch.manual_seed(0)
    rgb = torch.rand(1, 3, 32, 32)
    found = VggNetwork(load_vgg(), "conv5_1", "max")(rgb, ("conv1_1", "conv5_1"))
    mean = torch.tensor((123.68, 116.779, 103.939)).view(3, 1, 1)
    x = rgb * 255 - mean
    for i, (weight, bias) in enumerate(vgg_layers()):
        if i and NAMES[i].endswith("1"):
            x = torch.nn.functional.max_pool2d(x, 2)
        x = torch.nn.functional.conv2d(x, torch.tensor(weight), torch.tensor(bias), padding=1).relu()
    expected, got = x / x.mean(), found["conv5_1"] / found["conv5_1"].mean()
    assert torch.allclose(got, expected, atol=0.2), float((got - expected).abs().max())  # they are kept as float16


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"a.weight": np.zeros((4, 3, 3, 3), "f4"), "a.bias": np.zeros(4, "f4")}, "its 1 convolutions are not"),
        ({"a": np.zeros(3, np.int64)}, "its 0 convolutions are not"),
        ({"features.1.running_mean": np.zeros(4, "f4")}, "it has batch normalisation"),
    ],
)
def test_another_network_is_refused_in_one_line(arrays: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **arrays)  # type: ignore[arg-type]
    done = call("models", "add", "vgg", tmp_path / "net.npz")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert words in done.stderr


@pytest.mark.parametrize("name", ["gone.mat", "text.mat", "text.npz", "text.pth", "text.safetensors"])
def test_unreadable_vgg_files_give_one_line(name: str, tmp_path: Path) -> None:
    if not name.startswith("gone"):
        (tmp_path / name).write_text("not a network")
    done = call("models", "add", "vgg", tmp_path / name)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and name in done.stderr


def test_untrained_weights_are_refused(tmp_path: Path) -> None:
    named = {f"conv{name}.{part}": one for name, (weight, bias) in zip(NAMES, vgg_layers(), strict=True)
             for part, one in (("weight", weight - weight.mean()), ("bias", bias))}  # fmt: skip
    np.savez(tmp_path / "vgg.npz", **named)  # type: ignore[arg-type]
    done = call("models", "add", "vgg", tmp_path / "vgg.npz")
    assert done.returncode == 2 and "name a trained VGG" in done.stderr
