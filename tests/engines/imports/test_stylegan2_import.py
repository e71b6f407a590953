"""StyleGAN2 checkpoints of rosinality's program are imported, and draw what that program draws."""

from __future__ import annotations

import argparse
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engines.imports.checkpoint_fit import MismatchError
from engines.imports.checkpoint_import import import_checkpoint
from engines.portraits import portrait_sampler as sampler
from engines.portraits.portrait_network import load_portraits

pytestmark = pytest.mark.usefixtures("one_thread")


class Rosinality:
    """The generator of rosinality's program, computed anew from a checkpoint with scaled weights for each picture."""

    def __init__(self, side_px: int, channels: int, latent: int, multiplier: int = 1) -> None:
        torch.manual_seed(1)
        self.steps, self.latent = side_px.bit_length() - 3, latent
        wide = [min(channels, channels * 32 * multiplier // (4 << i)) for i in range(self.steps + 1)]
        state: dict[str, torch.Tensor] = {"input.input": torch.randn(1, wide[0], 4, 4)}
        for i in range(1, 3):
            state |= {f"style.{i}.weight": torch.randn(latent, latent) * 100, f"style.{i}.bias": torch.randn(latent)}
        self._conv(state, "conv1", wide[0], wide[0], 3)
        self._conv(state, "to_rgb1", wide[0], 3, 1)
        for i, (into, out) in enumerate(itertools.pairwise(wide)):
            self._conv(state, f"convs.{2 * i}", into, out, 3)
            self._conv(state, f"convs.{2 * i + 1}", out, out, 3)
            self._conv(state, f"to_rgbs.{i}", out, 3, 1)
            state[f"convs.{2 * i}.conv.blur.kernel"] = state[f"to_rgbs.{i}.upsample.kernel"] = torch.ones(4, 4)
        for i in range(2 * self.steps + 1):
            side = 4 << ((i + 1) // 2)
            state[f"noises.noise_{i}"] = torch.randn(1, 1, side, side)
        self.state = state

    def _conv(self, state: dict[str, torch.Tensor], name: str, into: int, out: int, size: int) -> None:
        state[f"{name}.conv.weight"] = torch.randn(1, out, into, size, size)
        state[f"{name}.conv.modulation.weight"] = torch.randn(into, self.latent)
        state[f"{name}.conv.modulation.bias"] = 1 + torch.randn(into) / 4
        if size == 3:
            state |= {f"{name}.noise.weight": torch.randn(1) / 4, f"{name}.activate.bias": torch.randn(out) / 4}
        else:
            state[f"{name}.bias"] = torch.randn(1, 3, 1, 1) / 4

    def modulated(self, x: torch.Tensor, name: str, w: torch.Tensor, *, up: bool = False) -> torch.Tensor:
        weight = self.state[f"{name}.conv.weight"][0]
        into, size = weight.shape[1], weight.shape[-1]
        style = self.state[f"{name}.conv.modulation.weight"] @ w / math.sqrt(self.latent)
        style = style + self.state[f"{name}.conv.modulation.bias"]
        weight = weight / math.sqrt(into * size**2) * style[None, :, None, None]
        if size == 3:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if not up:
            return F.conv2d(x, weight, padding=size // 2)
        wide = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return self.filtered(F.pad(wide, (1, 1, 1, 1)))

    @staticmethod
    def filtered(x: torch.Tensor) -> torch.Tensor:
        """1-3-3-1, of gain 4, without padding."""
        row = torch.tensor((1.0, 3.0, 3.0, 1.0)) / 4
        return F.conv2d(x, (row[:, None] * row).expand(x.shape[1], 1, 4, 4), groups=x.shape[1])

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        w = z / (z.square().mean() + 1e-8).sqrt()
        for i in range(1, 3):
            w = self.state[f"style.{i}.weight"] @ w * 0.01 / math.sqrt(self.latent)
            w = F.leaky_relu(w + self.state[f"style.{i}.bias"] * 0.01, 0.2) * math.sqrt(2)
        x, picture = self.state["input.input"], torch.zeros(1, 3, 2, 2)
        names = ["conv1", *(f"convs.{i}" for i in range(2 * self.steps))]
        for i, name in enumerate(names):
            x = self.modulated(x, name, w, up=i % 2 == 1)
            x = x + self.state[f"{name}.noise.weight"] * self.state[f"noises.noise_{i}"]
            x = F.leaky_relu(x + self.state[f"{name}.activate.bias"][:, None, None], 0.2) * math.sqrt(2)
            if i % 2 == 0:
                to_rgb = f"to_rgbs.{i // 2 - 1}" if i else "to_rgb1"
                colours = self.modulated(x, to_rgb, w) + self.state[f"{to_rgb}.bias"]
                zeros = torch.zeros(1, 3, 2 * picture.shape[2], 2 * picture.shape[3])
                zeros[:, :, ::2, ::2] = picture
                picture = colours + (self.filtered(F.pad(zeros, (2, 1, 2, 1))) if i else 0)
        return picture


@pytest.mark.parametrize(("side_px", "multiplier"), [(64, 1), (128, 2)])
def test_an_imported_stylegan2_draws_what_the_program_draws(side_px: int, multiplier: int, tmp_path: Path) -> None:
    program, average = Rosinality(side_px, 16, 8, multiplier), torch.randn(8)
    both = {
        "g": program.state,
        "g_ema": program.state,
        "d": {"convs.0.0.weight": torch.zeros(3)},
        "latent_avg": average,
    }
    torch.save(both, tmp_path / "net.pt")
    said = import_checkpoint("faces", tmp_path / "net.pt", program="stylegan2", region="head", size_wh=(256, 256))
    network = load_portraits("faces")
    assert said.startswith("g_ema of net.pt is stylegan2") and network.side_px == side_px
    assert torch.equal(network.net.mean_style(), average)
    noise = sampler.drawn_latents(network, range(2))
    made = sampler.pictures(network, noise, None).astype(np.float32)
    for z, picture in zip(noise, made, strict=True):
        expected = ((program(z)[0] + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy() * 255
        assert expected.std() > 20 and np.abs(picture - expected).mean() <= 0.5


def test_options_saved_beside_a_stylegan2_are_ignored(tmp_path: Path) -> None:
    program = Rosinality(16, 8, 8)
    saved = {"g_ema": program.state, "args": argparse.Namespace(lr=0.002, size=16), "latent_avg": torch.randn(8)}
    torch.save(saved, tmp_path / "net.pt")
    said = import_checkpoint("faces", tmp_path / "net.pt", program="stylegan2", region="head", size_wh=(256, 256))
    assert "it also holds" not in said and load_portraits("faces").side_px == 16


def test_a_stylegan2_with_a_missing_layer_is_refused(tmp_path: Path) -> None:
    state = Rosinality(16, 8, 8).state
    torch.save({"g_ema": {name: one for name, one in state.items() if name != "conv1.noise.weight"}}, tmp_path / "n.pt")
    with pytest.raises(MismatchError, match=r"conv1.noise.weight of shape 1 is missing"):
        import_checkpoint("faces", tmp_path / "n.pt", program="stylegan2", region="head", size_wh=(256, 256))
