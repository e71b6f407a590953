"""The built-in portrait with its face and person mask, and a stand-in for a network."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engines.looks import Look
from engines.regions.upright import FRAME_REGIONS
from engines.runtime.base import EngineInfo
from engines.runtime.hot_swap import HotSwapEngine
from engines.style_lookup import load_style
from engines.styles import FACE_SIZE_WH, FRAME_SIZE_WH
from live.pipeline.frame import Face, ImageU8
from live.portrait import portrait_bgr
from live.render.look_loader import LoadedLayer, LoadedLook
from live.render.look_tile import find_faces
from live.tracking.person_segmenter import PersonSegmenter


@cache
def _found() -> tuple[ImageU8, Face, ImageU8]:
    frame_bgr = portrait_bgr()
    with PersonSegmenter() as segmenter:
        return frame_bgr, find_faces(frame_bgr)[0], segmenter.mask(frame_bgr)


def portrait_face() -> tuple[ImageU8, Face]:
    """Return a copy of the portrait, and its face."""
    frame_bgr, face, _ = _found()
    return frame_bgr.copy(), face


def portrait_person() -> ImageU8:
    """Return the portrait's person mask."""
    return _found()[2].copy()


class NegativeEngine:
    """Gives the negative of its input, or the change that produces it."""

    info = EngineInfo("negative", "stand-in", "none", "none", "a test")

    def __init__(self, output: str = "picture") -> None:
        self.output = output

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        negative = 255.0 - regions_bgr.astype(np.float32)
        return negative if self.output == "picture" else negative - regions_bgr

    def close(self) -> None:
        """Release nothing."""


def stand_in_layer(
    engine: HotSwapEngine, region: str, *, output: str = "picture", strength: float = 1.0
) -> LoadedLayer:
    """Return a layer of a stand-in for an engine."""
    size_wh = FRAME_SIZE_WH if region in FRAME_REGIONS else FACE_SIZE_WH
    style = replace(load_style("toon"), region=region, size_wh=size_wh, output=output)
    return LoadedLayer(style, strength, engine)


def negative_look(*regions: str, output: str = "picture", no_face: str = "hold") -> LoadedLook:
    """Return a look whose layers turn these regions into their negative."""
    engine = HotSwapEngine(NegativeEngine(output))
    layers = tuple(stand_in_layer(engine, region, output=output) for region in regions)
    return LoadedLook(Look("negative", "", (), no_face, 0.5), layers)
