"""Paints a look onto the faces of one frame: region, generator, compositor, layer by layer."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from engines.errors import EngineError
from engines.lips_light import Known, as_known, taken_back
from engines.region import Region, lips_region
from live.compositor import add_change
from live.frame import Face, ImageU8
from live.wardrobe import ReadyLayer, ReadyLook


@dataclass(slots=True)
class StageMs:
    """Milliseconds that one frame spent in each of the painter's stages."""

    region: float = 0.0
    generate: float = 0.0
    composite: float = 0.0


def paint(frame_bgr: ImageU8, faces: tuple[Face, ...], ready: ReadyLook, strength: float) -> StageMs:
    """Paint the look onto every face, in place.

    Args:
        frame_bgr: (H, W, 3) uint8; outside the regions' boxes it stays bit-identical.
        faces: with landmarks of this very frame.
        ready: the look.
        strength: 0..1, multiplies the strength of every layer.

    Raises:
        EngineError: a generator failed or gave something that is no picture; layers below it are already painted.
    """
    spent = StageMs()
    for layer in ready.layers:
        if layer.strength * strength > 0.0:
            _paint_layer(frame_bgr, faces, layer, layer.strength * strength, spent)
    return spent


def _paint_layer(
    frame_bgr: ImageU8, faces: tuple[Face, ...], layer: ReadyLayer, strength: float, spent: StageMs
) -> None:
    started_s = time.perf_counter()
    found = (lips_region(face.landmarks_xy, frame_bgr, size_wh=layer.size_wh) for face in faces)
    regions = [region for region in found if region is not None]
    crops = [_known(frame_bgr, region, layer) for region in regions] if layer.engine else []
    cropped_s = time.perf_counter()
    spent.region += (cropped_s - started_s) * 1e3
    if not regions:
        return
    if layer.engine is not None:
        painted = layer.engine.infer(np.stack([known.shown_bgr for known in crops]))
        if not np.isfinite(painted).all():
            raise EngineError(f"style {layer.engine.info.style}", f"{layer.engine.info.runtime} gave NaN or infinity")
        changes = [taken_back(change, known) for change, known in zip(painted, crops, strict=True)]
    else:
        assert layer.shade is not None
        changes = [layer.shade.change(region.cut(frame_bgr), region) for region in regions]
    generated_s = time.perf_counter()
    spent.generate += (generated_s - cropped_s) * 1e3
    for region, change in zip(regions, changes, strict=True):
        add_change(frame_bgr, region, change, strength)
    spent.composite += (time.perf_counter() - generated_s) * 1e3


def _known(frame_bgr: ImageU8, region: Region, layer: ReadyLayer) -> Known:
    assert layer.usual_bgr is not None
    return as_known(region.crop(frame_bgr), region, layer.usual_bgr)
