"""How often a network from noise makes what was asked for: `python -m benchmarks.portraits.attributes NAME ...`.

NAME is a portrait network of `veneer train`, whose labelled pictures are given again. A classifier is trained on nine
tenths of them first. Printed is how often it is right on the rest, and on samples of each combination of values.

Exit code 2: the network or the pictures are not usable; one line says why.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.common.arguments import Parser, run_main
from benchmarks.portraits.picture_classes import as_tensor
from engines.files import write_json
from engines.portraits.portrait_network import load_portraits
from engines.portraits.portrait_sampler import drawn_latents, pictures
from engines.training.data.labelled_pictures import LabelledPictures, label_length, open_labelled, read_labels

_STEPS, _BATCH, _RATE, _HELD_OUT = 1200, 64, 1e-3, 0.1


def main() -> int:
    """Train the classifier, sample, and print one line for each attribute; return the exit code."""
    parser = Parser("portraits.attributes", __doc__)
    parser.add_argument("name", help="portrait network")
    parser.add_argument("--photos", type=Path, required=True, help="the labelled pictures")
    parser.add_argument("--labels", type=Path, required=True, help="table of the labels")
    parser.add_argument("--each", type=int, default=20, help="samples of each combination of values")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_file("--out")
    options = parser.parse()
    network = load_portraits(options.name)
    data, _ = open_labelled(options.photos, network.side_px, read_labels(options.labels), "", lambda _count: None)
    order = np.random.default_rng(options.seed).permutation(len(data))
    held, learned = np.split(order, [max(1, round(_HELD_OUT * len(data)))])
    classifier = _trained(data, learned, options.seed)
    real = _right(classifier, as_tensor(data.pictures_rgb[held]), torch.from_numpy(data.labels[held]), data)
    combinations = [
        dict(zip(data.attributes, values, strict=True)) for values in itertools.product(*data.attributes.values())
    ]
    made, asked = [], []
    for number, values in enumerate(combinations):
        first = options.seed + number * options.each
        seeds = range(first, first + options.each)
        labels = network.labels(",".join(f"{name}={value}" for name, value in values.items()), seeds)
        assert labels is not None
        made.append(pictures(network, drawn_latents(network, seeds), labels))
        asked.append(labels)
    right = _right(classifier, as_tensor(np.concatenate(made)), torch.cat(asked), data)
    count = len(combinations) * options.each
    for name in data.attributes:
        print(f"{name}: {right[name]:.1%} of {count} samples as asked, real pictures {real[name]:.1%}")
    write_json("--out", options.out, {"samples": right, "real": real})
    return 0


def _trained(data: LabelledPictures, learned: NDArray[np.int64], seed: int) -> nn.Module:
    """Return a convolutional classifier with one logit for each value."""
    torch.manual_seed(seed)
    wide, layers = (3, 24, 48, 96, 96), list[nn.Module]()
    for into, out in itertools.pairwise(wide):
        layers += [nn.Conv2d(into, out, 3, 2, 1), nn.BatchNorm2d(out), nn.ReLU()]
    net = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * wide[-1], label_length(data.attributes))
    )
    optimiser, rng = torch.optim.Adam(net.parameters(), _RATE), np.random.default_rng(seed)
    for _ in range(_STEPS):
        chosen = rng.choice(learned, _BATCH)
        parts = _by_attribute(net(as_tensor(data.pictures_rgb[chosen])), torch.from_numpy(data.labels[chosen]), data)
        loss = torch.stack([F.cross_entropy(told, wanted.argmax(1)) for told, wanted in parts.values()]).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return net.eval()


def _by_attribute(told: Tensor, wanted: Tensor, data: LabelledPictures) -> dict[str, tuple[Tensor, Tensor]]:
    sizes = [len(values) for values in data.attributes.values()]
    return dict(
        zip(data.attributes, zip(torch.split(told, sizes, 1), torch.split(wanted, sizes, 1), strict=True), strict=True)
    )


@torch.inference_mode()
def _right(net: nn.Module, rgb: Tensor, wanted: Tensor, data: LabelledPictures) -> dict[str, float]:
    """Return the share of pictures (N, 3, S, S) whose label the classifier tells, by attribute."""
    parts = _by_attribute(torch.cat([net(part) for part in torch.split(rgb, 256)]), wanted, data)
    return {name: float((told.argmax(1) == one.argmax(1)).float().mean()) for name, (told, one) in parts.items()}


if __name__ == "__main__":
    sys.exit(run_main("portraits.attributes", main))
