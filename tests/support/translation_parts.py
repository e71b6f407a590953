"""Small photos and drawings, and configs of a second, for the tests of the translation methods."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from support.kit_parts import make_pairs

from engines.training.data.unpaired_dataset import UnpairedDataset
from engines.training.method import TrainingMethod
from engines.training.methods import load_method
from live.portrait import portrait_bgr

_SMALL: dict[str, dict[str, Any]] = {
    "cyclegan": {"generator_args": {"channels": 4, "blocks": 1}, "pool": 3},
    "ugatit": {"generator_args": {"channels": 4, "blocks": 1, "edge_levels": 14.0}},
    "photo2cartoon": {"generator_args": {"channels": 4, "blocks": 1, "depth": 2}, "face_id": 0},
    "pix2pix": {"generator": "pix2pix_unet", "generator_args": {"channels": 4, "depth": 4}},
    "pix2pixhd": {
        "generator_args": {"channels": 4, "steps": 2, "blocks": 1, "local_blocks": 1},
        "critic_channels": 4,
    },
    "vid2vid": {"generator_args": {"channels": 4, "blocks": 1}, "batch": 4},
    "cgan": {"generator_args": {"channels": 4, "blocks": 1}, "batch": 2},
}


def unpaired(count: int = 6, side: int = 32) -> UnpairedDataset:
    """Pieces of the portrait, and flat drawings with a dark ring."""
    portrait = cv2.cvtColor(cv2.resize(portrait_bgr(), (96, 96), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    rng = np.random.default_rng(3)
    photos = np.stack([portrait[y : y + side, x : x + side] for y, x in rng.integers(0, 96 - side, (count, 2))])
    drawings = rng.integers(120, 256, (count, 1, 1, 3)).repeat(side, 1).repeat(side, 2).astype(np.uint8)
    for drawing in drawings:
        cv2.circle(drawing, (side // 2, side // 2), side // 3, (30, 20, 60), 2)
    names = tuple(f"{i:02}" for i in range(count))
    eyes = np.tile(np.array(((10, 14), (21, 14)), np.float32), (count, 1, 1))
    return UnpairedDataset(names, names, photos.astype(np.uint8), drawings, eyes, "made for a test")


def small_method(name: str, **changes: object) -> TrainingMethod[Any]:
    """A method with a few channels on pictures of 32 pixels."""
    method = load_method(name)
    size = {"side_px": 32} if method.data_kind == "unpaired" else {"crop_px": 32}
    usual = {"steps": 4, "check_every": 2, "workers": 0, "precision": "32-true", **size, **_SMALL[name], **changes}
    if "critic_channels" in method.config_class.__dataclass_fields__:
        usual = {"critic_channels": 4, **usual}
    return method(method.config_class(**usual), unpaired() if method.data_kind == "unpaired" else make_pairs())
