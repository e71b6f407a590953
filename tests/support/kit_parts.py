"""Small pairs and recipes for the tests of the training kit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.training.data.paired_dataset import Pairs
from engines.training.data.picture_pairs import ImageU8
from engines.training.recipe import Objectives, Recipe
from live.portrait import portrait_bgr


def negative(rgb: ImageU8) -> ImageU8:
    """A look that a small network learns at once."""
    return np.asarray(255 - rgb // 2, np.uint8)


def make_pairs(count: int = 6, side: int = 48) -> Pairs:
    """Pieces of the portrait and their negatives."""
    portrait = cv2.cvtColor(cv2.resize(portrait_bgr(), (192, 192), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    dice = np.random.default_rng(5)
    places = dice.integers(0, 192 - side, (count, 2))
    before = np.stack([portrait[y : y + side, x : x + side] for y, x in places]).astype(np.uint8)
    return Pairs(tuple(f"{i:02}" for i in range(count)), before, negative(before), "made for a test")


def make_recipe(**changes: object) -> Recipe:
    """Seconds of training."""
    usual: dict[str, object] = {
        "generator_args": {"channels": 4, "blocks": 1}, "steps": 8, "batch": 4, "crop_px": 32, "check_every": 2,
        "precision": "32-true", "objectives": Objectives(temporal=0.2), "warm_up_steps": 2,
    }  # fmt: skip
    return Recipe(**{**usual, **changes})  # type: ignore[arg-type]


def write_pairs(pairs: Pairs, folder: Path) -> tuple[Path, Path]:
    """As PNG files in folder/before and folder/after."""
    for side, pictures in (("before", pairs.before_rgb), ("after", pairs.after_rgb)):
        (folder / side).mkdir(parents=True)
        for name, rgb in zip(pairs.names, pictures, strict=True):
            assert cv2.imwrite(str(folder / side / f"{name}.png"), rgb[:, :, ::-1])
    return folder / "before", folder / "after"


@contextmanager
def full_disk(*, after_bytes: int = 4096) -> Iterator[None]:
    """No file grows beyond so many bytes meanwhile: the system refuses the rest, as it does on a full disk."""
    resource = pytest.importorskip("resource", reason="no file size limits on this system")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
