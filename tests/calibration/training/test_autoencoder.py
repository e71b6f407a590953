"""Autoencoder and VAE: the layers of the textbook network, and trainings from the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.cli_parts import call

from engines.generators.autoencoder_net import ConvDecoder, ConvEncoder
from engines.generators.registry import fresh_generator
from engines.generators.spec import Value
from engines.style_lookup import load_style
from live.portrait import portrait_bgr

FILTERS, KERNELS, STRIDES = (32, 64, 64, 64), (3, 3, 3, 3), (1, 2, 2, 1)
SMALL = ("--arg", "side=16", "--arg", "filters=8,16,16", "--arg", "strides=1,2,2", "--arg", "kernels=3", "--arg",
         "latent=8")  # fmt: skip


def count(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_the_encoder_for_digits_has_98946_parameters() -> None:
    encoder = ConvEncoder(1, 28, FILTERS, KERNELS, STRIDES, 2)
    decoder = ConvDecoder(1, encoder.shape, FILTERS, KERNELS, STRIDES, 2)
    assert count(encoder) == 98_946 and encoder.shape == (64, 7, 7)
    pictures = decoder(encoder(torch.rand(3, 1, 28, 28))[0])
    assert pictures.shape == (3, 1, 28, 28) and pictures.min() > 0 and pictures.max() < 1


@pytest.mark.parametrize("method", ["autoencoder", "vae"])
def test_both_are_trained_from_one_folder(method: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "photos" / f"{i}.png"), np.roll(portrait_bgr()[::2, ::2], 30 * i, axis=1))
    words = ("--before", tmp_path / "photos", "--after", tmp_path / "photos", "--no-cut", "--work", tmp_path / "work")
    small = (*SMALL, "--steps", 4, "--batch", 2)
    done = call("train", "faces", "--method", method, *words, *small, "--precision", "32-true", "--workers", 0)
    assert done.returncode == 0, done.stderr
    card = load_style("faces").card
    assert card["method"] == method and card["generator_args"].get("variational", False) == (method == "vae")
    done = call("sample", "faces", "--count", 4, "--grid", tmp_path / "grid.png")
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / "grid.png")).shape == (32, 32, 3)
    done = call("sample", "faces", "--interpolate", 1, 2, "--film", tmp_path / "way.mp4")
    assert done.returncode == 0 and done.stdout.startswith("48 frames"), done.stderr
    done = call("sample", "faces", "--mix", 2, 2, "--grid", tmp_path / "mix.png")
    assert done.returncode == 2 and "faces has no styles" in done.stderr


def test_samples_of_an_autoencoder_resemble_its_pictures(tmp_path: Path) -> None:
    """All pictures are blue, light to dark. Those of random latents are blue too, and differ."""
    (tmp_path / "photos").mkdir()
    for i in range(12):
        picture = np.full((16, 16, 3), (120 + 11 * i, 60, 20), np.uint8)
        cv2.imwrite(str(tmp_path / "photos" / f"{i}.png"), picture)
    words = ("--before", tmp_path / "photos", "--after", tmp_path / "photos", "--no-cut", "--work", tmp_path / "work")
    small = (*SMALL, "--crop", 16, "--steps", 250, "--batch", 8)
    done = call("train", "flags", "--method", "autoencoder", *words, *small, "--precision", "32-true", "--workers", 0)
    assert done.returncode == 0, done.stderr
    done = call("sample", "flags", "--count", 9, "--out", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    made = np.stack([cv2.imread(str(path)) for path in sorted((tmp_path / "made").iterdir())]).astype(float)
    blue, _, red = made.mean((1, 2)).T
    assert (blue > red + 50).all() and blue.std() > 5


def test_layers_are_given_by_lists() -> None:
    net = fresh_generator("autoencoder", {"side": 24, "filters": "8,16", "kernels": "5,3", "strides": "1,3"})
    assert [(one.out_channels, one.kernel_size[0], one.stride[0]) for one in net.encoder.layers[::3][:2]] == [
        (8, 5, 1), (16, 3, 3),
    ]  # fmt: skip
    assert net.eval()(torch.rand(2, 3, 48, 40)).shape == (2, 3, 48, 40)
    assert [type(one) for one in net.decoder.layers].count(torch.nn.LeakyReLU) == 1
    narrow = fresh_generator("autoencoder", {"filters": "3,3,8", "strides": "1", "latent": 2, "batch_norm": False})
    assert [type(one) for one in narrow.decoder.layers].count(torch.nn.LeakyReLU) == 2, "also after 3 filters"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": "8,x"}, "filters must be 1 to 8 whole numbers from 1 to 1024"),
        ({"filters": ",".join(["8"] * 9)}, "1 to 8 whole numbers"),
        ({"filters": "8,2000"}, "from 1 to 1024"),
        ({"filters": 8}, "1 to 8 whole numbers"),
        ({"filters": "8,16,16"}, "3 filters, kernels 3 and strides 1,2,2,2,1 do not fit each other"),
        ({"kernels": "4"}, "kernels 4 must be odd"),
        ({"side": 60}, "side 60 is no multiple of 8, the product of the strides"),
    ],
)  # fmt: skip
def test_lists_that_fit_no_network_are_named(arguments: dict[str, Value], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fresh_generator("autoencoder", arguments)


def test_another_generator_has_no_latent(tmp_path: Path) -> None:
    words = ("--before", tmp_path, "--after", tmp_path, "--no-cut")
    done = call("train", "faces", "--method", "vae", "--generator", "toon_net", *words)
    assert done.returncode == 2 and "it has no latent" in done.stderr
