"""Small pairs, lip crops and configs for the tests of the training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.training.data.paired_dataset import PairedDataset
from engines.training.data.picture_pairs import ImageU8
from engines.training.methods.paired import Paired, PairedConfig
from live.portrait import portrait_bgr


def negative(rgb: ImageU8) -> ImageU8:
    """A look that a small network learns at once."""
    return np.asarray(255 - rgb // 2, np.uint8)


def make_pairs(count: int = 6, side: int = 48) -> PairedDataset:
    """Pieces of the portrait and their negatives."""
    portrait = cv2.cvtColor(cv2.resize(portrait_bgr(), (192, 192), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    places = np.random.default_rng(5).integers(0, 192 - side, (count, 2))
    before = np.stack([portrait[y : y + side, x : x + side] for y, x in places]).astype(np.uint8)
    return PairedDataset(tuple(f"{i:02}" for i in range(count)), before, negative(before), "made for a test")


def make_config(**changes: object) -> PairedConfig:
    """Seconds of training, without worker processes."""
    usual: dict[str, object] = {
        "generator_args": {"channels": 4, "blocks": 1}, "steps": 8, "batch": 4, "crop_px": 32, "check_every": 2,
        "precision": "32-true", "warm_up_steps": 2, "workers": 0,
    }  # fmt: skip
    return PairedConfig(**{**usual, **changes})  # type: ignore[arg-type]


def paired(pairs: PairedDataset | None = None, **changes: object) -> Paired:
    """The paired method on small pairs."""
    return Paired(make_config(**changes), make_pairs() if pairs is None else pairs)


def write_pairs(pairs: PairedDataset, folder: Path) -> tuple[Path, Path]:
    """As PNG files in folder/before and folder/after."""
    for side, pictures in (("before", pairs.before_rgb), ("after", pairs.after_rgb)):
        (folder / side).mkdir(parents=True)
        for i, name in enumerate(pairs.names):
            assert cv2.imwrite(str(folder / side / f"{name}.png"), pictures[i][:, :, ::-1])
    return folder / "before", folder / "after"


def lip_crops(count: int = 6, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Skin with a darker, redder ellipse on it; painted, the ellipse is crimson. (count, 30, 90, 3) RGB each."""
    rng = np.random.default_rng(seed)
    bare, painted = [], []
    for _ in range(count):
        skin = rng.uniform((150, 110, 90), (240, 190, 170))
        centre, axes = (int(rng.integers(38, 52)), int(rng.integers(13, 18))), (int(rng.integers(30, 40)), 9)
        lip = cv2.ellipse(np.zeros((30, 90), np.float32), centre, axes, 0, 0, 360, (1.0,), -1)
        lip = cv2.GaussianBlur(lip, (0, 0), 1.0)[:, :, None]
        picture = skin + lip * ((170, 80, 90) - skin) + rng.normal(0, 3, (30, 90, 3))
        bare.append(picture)
        painted.append(picture + lip * (10, -55, -40))
    before, after = (np.clip(np.stack(stack), 0, 255).astype(np.uint8) for stack in (bare, painted))
    return before, after


@contextmanager
def full_disk(*, after_bytes: int = 4096) -> Iterator[None]:
    """Limit the size of files: the system refuses to write more, as it does on a full disk."""
    resource = pytest.importorskip("resource", reason="no file size limits on this system")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
