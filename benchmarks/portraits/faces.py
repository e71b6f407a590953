"""How near samples of networks from noise come to faces: `python -m benchmarks.portraits.faces NAME ... --photos DIR`.

The photos are cut to the same place already, as in WORK/regions of a training. One line for each network: the sliced
Wasserstein distance by Laplacian level (the finest first) of its samples, and its mean for the same network without
training; precision and recall in the features of the identity network. The first line compares two halves of the
photos. `veneer sample` draws the samples.

Exit code 2: a network or the photos are not usable; one line says why.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, run_main
from engines.errors import OptionsError
from engines.files import write_json
from engines.generators.registry import fresh_generator
from engines.identity.network import IdentityNetwork, open_network
from engines.paths import portraits_dir
from engines.portraits.portrait_network import PortraitNetwork, load_portraits
from engines.portraits.portrait_sampler import drawn_latents, pictures
from engines.training.data.labelled_pictures import open_labelled
from engines.training.data.picture_pairs import ImageU8
from engines.training.metrics.precision_recall import precision_recall
from engines.training.metrics.sliced_wasserstein import EXACT_PATCHES, swd_by_level
from engines.untrusted_files import read_json

_FACE = slice(0.10, 0.80), slice(0.15, 0.85)  # rows and columns of a face region that the identity network gets
_LEAST_HALF = 4  # photos in a half: precision and recall look for the third neighbour
Floats = NDArray[np.float32]


def main() -> int:
    """Print one line for each network; return the exit code."""
    parser = Parser("portraits.faces", __doc__)
    parser.add_argument("name", nargs="+", help="portrait network")
    parser.add_argument("--photos", type=Path, required=True, help="faces, cut to the same place")
    parser.add_argument("--count", type=int, default=2000, help="samples of each network")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_file("--out")
    options = parser.parse()
    networks = [load_portraits(name) for name in options.name]
    data, _ = open_labelled(options.photos, networks[0].side_px, None, "", lambda _count: None)
    real = data.pictures_rgb[np.random.default_rng(options.seed).permutation(len(data))]
    identity, half = open_network(), min(options.count, len(real) // 2)
    if half < _LEAST_HALF:
        do = f"use at least {_LEAST_HALF} samples and {2 * _LEAST_HALF} photos"
        raise OptionsError(f"{options.count} samples and {len(real)} photos", "too few to compare", do)
    results = {"photos": _scores(_features(identity, real[:half]), real[:half], real[half : 2 * half], identity)}
    real = real[: options.count]
    features = _features(identity, real)
    print(_line("photos", results["photos"]), flush=True)
    seeds = range(options.seed, options.seed + options.count)
    for network in networks:
        made = _samples(network, seeds)
        found = _scores(features, real, made, identity)
        untrained = swd_by_level(list(_samples(_untrained(network), seeds)), list(real), patches=EXACT_PATCHES)
        results[network.name] = {**found, "untrained": float(np.mean(untrained))}
        print(_line(network.name, results[network.name]), flush=True)
    write_json("--out", options.out, results)
    return 0


def _samples(network: PortraitNetwork, seeds: range) -> ImageU8:
    return pictures(network, drawn_latents(network, seeds), network.labels("", seeds))


def _untrained(network: PortraitNetwork) -> PortraitNetwork:
    """Return the network with its first weights. Raises OptionsError for an autoencoder, which is a style."""
    if not (portraits_dir() / f"{network.name}.json").is_file():
        raise OptionsError(f"network {network.name}", "it is an autoencoder", "name networks from noise")
    card = read_json(portraits_dir() / f"{network.name}.json")
    torch.manual_seed(0)
    return dataclasses.replace(network, net=fresh_generator(card["generator"], card["generator_args"]).eval())


def _scores(features: Floats, real: ImageU8, made: ImageU8, identity: IdentityNetwork) -> dict[str, object]:
    precision, recall = precision_recall(features, _features(identity, made))
    levels = swd_by_level(list(made), list(real), patches=EXACT_PATCHES)
    return {"swd": levels, "mean": float(np.mean(levels)), "precision": precision, "recall": recall}


def _features(identity: IdentityNetwork, pictures_rgb: ImageU8) -> Floats:
    """Return the embeddings of faces (N, S, S, 3), (N, features)."""
    side_px, size = pictures_rgb.shape[1], identity.card.side_px
    rows, columns = (slice(round(one.start * side_px), round(one.stop * side_px)) for one in _FACE)
    crops = [cv2.resize(one[rows, columns], (size, size), interpolation=cv2.INTER_CUBIC) for one in pictures_rgb]
    return identity.of_crops(np.stack(crops))


def _line(name: str, found: dict[str, object]) -> str:
    levels = " ".join(f"{level:.0f}" for level in found["swd"])  # type: ignore[attr-defined]
    untrained = f", untrained {found['untrained']:.0f}" if "untrained" in found else ""
    swd = f"SWD {levels}, mean {found['mean']:.0f}{untrained}"
    return f"{name:<12} {swd}; precision {found['precision']:.2f}, recall {found['recall']:.2f}"


if __name__ == "__main__":
    sys.exit(run_main("portraits.faces", main))
