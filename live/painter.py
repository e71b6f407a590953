"""Paints a look onto the faces of one frame: region, generator, compositor, layer by layer."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from engines.errors import EngineError
from engines.lips_light import Known, as_known, taken_back
from engines.region import MouthMemory, Region, lips_region
from live.compositor import add_change
from live.frame import Face, Floats, ImageU8
from live.wardrobe import ReadyLayer, ReadyLook


@dataclass(slots=True)
class StageMs:
    """Milliseconds that one frame spent in each of the painter's stages; and how many faces a layer left bare."""

    region: float = 0.0
    generate: float = 0.0
    composite: float = 0.0
    bare: int = 0


class Painter:
    """Paints the frames of one film; remembers each face's mouth, so that light and opening do not flicker."""

    def __init__(self) -> None:
        self._mouths: dict[tuple[int, int], MouthMemory] = {}  # by face id and layer

    def paint(
        self, frame_bgr: ImageU8, faces: tuple[Face, ...], ready: ReadyLook, strength: float, *, at_s: float
    ) -> StageMs:
        """Paint the look onto every face, in place.

        Args:
            frame_bgr: (H, W, 3) uint8; outside the regions' boxes it stays bit-identical.
            faces: with landmarks of this very frame.
            ready: the look.
            strength: 0..1, multiplies the strength of every layer.
            at_s: the frame's time in seconds.

        Raises:
            EngineError: a generator failed or gave something that is no picture; layers below it are already painted.
        """
        keys = [(face.face_id, index) for face in faces for index in range(len(ready.layers))]
        self._mouths = {key: self._mouths.get(key) or MouthMemory() for key in keys}
        spent = StageMs()
        for index, layer in enumerate(ready.layers):
            if layer.strength * strength > 0.0:
                mouths = [self._mouths[face.face_id, index] for face in faces]
                _paint_layer(frame_bgr, faces, mouths, layer, layer.strength * strength, at_s, spent)
        return spent


def _paint_layer(
    frame_bgr: ImageU8,
    faces: tuple[Face, ...],
    mouths: list[MouthMemory],
    layer: ReadyLayer,
    strength: float,
    at_s: float,
    spent: StageMs,
) -> None:
    started_s = time.perf_counter()
    regions, crops = [], []
    for face, memory in zip(faces, mouths, strict=True):
        region = lips_region(face.landmarks_xy, frame_bgr, size_wh=layer.size_wh, memory=memory, at_s=at_s)
        if region is not None:
            regions.append(region)
            if layer.usual_bgr is not None:
                crops.append(as_known(region.crop(frame_bgr), region, layer.usual_bgr, memory=memory, at_s=at_s))
    cropped_s = time.perf_counter()
    spent.region += (cropped_s - started_s) * 1e3
    spent.bare = max(spent.bare, len(faces) - len(regions))
    if not regions:
        return
    changes = _changes(frame_bgr, regions, crops, layer)
    generated_s = time.perf_counter()
    spent.generate += (generated_s - cropped_s) * 1e3
    for region, change in zip(regions, changes, strict=True):
        add_change(frame_bgr, region, change, strength)
    spent.composite += (time.perf_counter() - generated_s) * 1e3


def _changes(frame_bgr: ImageU8, regions: list[Region], crops: list[Known], layer: ReadyLayer) -> list[Floats]:
    """What the layer adds to each region."""
    if layer.engine is None:
        assert layer.shade is not None
        return [layer.shade.change(region.cut(frame_bgr), region) for region in regions]
    painted = layer.engine.infer(np.stack([known.shown_bgr for known in crops]))
    if not np.isfinite(painted).all():
        raise EngineError(f"style {layer.engine.info.style}", f"{layer.engine.info.runtime} gave NaN or infinity")
    return [taken_back(change, known) for change, known in zip(painted, crops, strict=True)]
