"""A VGG-16 with random weights that respond as sparsely as trained ones."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from support.cli_parts import call

from engines.painting.vgg_file import kept_file

CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512)  # conv1_1 to conv5_1
PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24)  # in torchvision's `features`
NAMES = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1")


@functools.cache
def vgg_layers() -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights and biases for RGB in 0..255 minus the mean."""
    rng, layers, into = np.random.default_rng(0), [], 3
    for i, out in enumerate(CHANNELS):
        scale = (2 / (9 * into)) ** 0.5 * (1 / 60 if i == 0 else 1)
        weight = rng.standard_normal((out, into, 3, 3), np.float32) * np.float32(scale)
        if i >= 7:  # the inputs are positive: a negative mean leaves a fifth of the outputs above 0
            weight -= np.float32(0.025 * scale)
        layers.append((weight, np.full(out, 0.01, np.float32)))
        into = out
    return layers


@functools.cache
def _kept() -> bytes:
    """The file that the command keeps."""
    with tempfile.TemporaryDirectory() as folder:
        named = {f"conv{name}.{part}": torch.tensor(one) for name, layer in zip(NAMES, vgg_layers(), strict=True)
                 for part, one in zip(("weight", "bias"), layer, strict=True)}  # fmt: skip
        save_file(named, Path(folder, "vgg.safetensors"))
        words = ("models", "add", "vgg", Path(folder, "vgg.safetensors"), "--input", "rgb")
        done = call(*words, env={"VENEER_HOME": folder})
        assert done.returncode == 0, done.stderr
        return Path(folder, "data", "models", "vgg.safetensors").read_bytes()


def keep_vgg() -> None:
    """Put the VGG where the command keeps it, in the test's own home."""
    kept_file().parent.mkdir(parents=True)
    kept_file().write_bytes(_kept())
