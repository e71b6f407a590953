"""Paints a look onto the faces of one frame: region, generator, compositor, layer by layer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np

from engines.errors import EngineError
from engines.generators.shade import Shade
from engines.regions.illumination import normalise_crop, restore_change
from engines.regions.lips_region import lips_region
from engines.regions.masks import region_mask
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FACE_OVAL, FRAME_REGIONS, PictureRegion, face_box, frame_box, in_frame
from engines.regions.workspace import Workspace
from engines.runtime.base import Engine
from engines.text import first_line, one_line
from live.pipeline.frame import Face, Floats, ImageU8
from live.render.blending import add_change, add_region_change, blend_picture
from live.render.look_loader import ReadyLayer, ReadyLook
from live.tracking.base import LANDMARKS

_MOST_FRAMES_OFF = 10  # landmarks may lie so many frame sizes outside; beyond that they are no landmarks
_LEAST_FILLED, _LEAST_ROUND = 0.4, 0.8  # of real faces, turned and tilted, the outline has at least 0.64 and 0.97


@dataclass(slots=True)
class StageMs:
    """Milliseconds that one frame spent in each of the painter's stages; and how many faces a layer left bare."""

    region: float = 0.0
    generate: float = 0.0
    composite: float = 0.0
    bare: int = 0


class Painter:
    """Paints the frames of one film; remembers each face, so that light, opening and place do not flicker."""

    def __init__(self) -> None:
        self._memories: dict[tuple[int, int], TemporalFilter] = {}  # by face id and layer
        self._workspace = Workspace()

    def paint(
        self,
        frame_bgr: ImageU8,
        faces: tuple[Face, ...],
        ready: ReadyLook,
        strength: float,
        *,
        at_s: float,
        person: ImageU8 | None = None,
    ) -> StageMs:
        """Paint the look onto every face, in place.

        Args:
            frame_bgr: (H, W, 3) uint8; outside the regions' boxes it stays bit-identical.
            faces: with landmarks of this very frame; one that cannot be a face (see `is_sure`) counts as bare.
            ready: the look.
            strength: 0..1, multiplies the strength of every layer.
            at_s: the frame's time in seconds.
            person: see `TrackedFrame`; where it is missing, a region's whole square is painted.

        Raises:
            EngineError: a generator failed or gave something that is no picture; layers below it are already painted.
        """
        given, faces = len(faces), tuple(face for face in faces if is_sure(face, frame_bgr.shape))
        keys = [(face.face_id, index) for face in faces for index in range(len(ready.layers))]
        self._memories = {key: self._memories.get(key) or TemporalFilter() for key in keys}
        works = [
            _Work(frame_bgr, faces, [self._memories[face.face_id, index] for face in faces], layer,
                  layer.strength * strength, at_s, person, self._workspace, index)
            for index, layer in enumerate(ready.layers)
            if layer.strength * strength > 0.0
        ]  # fmt: skip
        spent = StageMs(bare=given - len(faces))
        try:
            for drawn, group in groupby(works, key=lambda work: work.layer.output == "picture"):
                if drawn:
                    spent.bare = max(spent.bare, _draw(list(group), spent))
                    continue
                bare = max((_paint_lips if w.layer.region == "lips" else _retouch)(w, spent) for w in group)
                if not ready.covers:  # under a drawing, unpainted lips are not seen
                    spent.bare = max(spent.bare, bare)
        except (cv2.error, MemoryError) as error:
            raise EngineError(f"look {ready.look.name}", first_line(error)) from error
        return spent


def is_sure(face: Face, shape: tuple[int, ...]) -> bool:
    """Whether the landmarks can be a face's: all there, finite, near the frame, the outline round and not twisted."""
    xy: object = face.landmarks_xy
    if not isinstance(xy, np.ndarray) or xy.shape != (LANDMARKS, 2):
        return False
    if not (np.abs(xy) <= _MOST_FRAMES_OFF * max(shape[:2])).all():  # not-a-number neither
        return False
    outline = np.asarray(xy[FACE_OVAL], np.float32)
    width, height = (outline.max(0) - outline.min(0)).tolist()
    area, hull = cv2.contourArea(outline), cv2.contourArea(cv2.convexHull(outline))
    return bool(area > _LEAST_FILLED * width * height and area > _LEAST_ROUND * hull)


@dataclass(frozen=True, slots=True)
class _Work:
    """One layer on one frame."""

    frame_bgr: ImageU8
    faces: tuple[Face, ...]
    memories: list[TemporalFilter]
    layer: ReadyLayer
    strength: float
    at_s: float
    person: ImageU8 | None
    workspace: Workspace
    index: int


def _paint_lips(work: _Work, spent: StageMs) -> int:
    """Paint, and return how many faces were left bare."""
    started_s = time.perf_counter()
    frame_bgr, layer = work.frame_bgr, work.layer
    regions, crops = [], []
    for face, memory in zip(work.faces, work.memories, strict=True):
        region = lips_region(
            face.landmarks_xy, frame_bgr, size_wh=layer.size_wh, temporal_filter=memory, at_s=work.at_s
        )
        if region is not None:
            regions.append(region)
            if layer.usual_bgr is not None:
                crops.append(
                    normalise_crop(
                        region.crop(frame_bgr), region, layer.usual_bgr, temporal_filter=memory, at_s=work.at_s
                    )
                )
    cropped_s = time.perf_counter()
    spent.region += (cropped_s - started_s) * 1e3
    bare = len(work.faces) - len(regions)
    if not regions:
        return bare
    if layer.engine is None:
        shade = _shade(layer)
        changes = [shade.change(region.cut(frame_bgr), region) for region in regions]
    else:
        painted = _infer(layer.engine, [known.input_bgr for known in crops])
        changes = [restore_change(change, known) for change, known in zip(painted, crops, strict=True)]
    generated_s = time.perf_counter()
    spent.generate += (generated_s - cropped_s) * 1e3
    for region, change in zip(regions, changes, strict=True):
        add_change(frame_bgr, region, change, work.strength)
    spent.composite += (time.perf_counter() - generated_s) * 1e3
    return bare


def _shade(layer: ReadyLayer) -> Shade:
    assert layer.shade is not None
    return layer.shade


def _infer(engine: Engine, crops_bgr: list[ImageU8]) -> Floats:
    style = f"style {engine.info.style}"
    asked_bgr = crops_bgr[0][None] if len(crops_bgr) == 1 else np.stack(crops_bgr)
    try:
        made: object = engine.infer(asked_bgr)
    except (EngineError, MemoryError):
        raise
    except Exception as error:  # libraries raise what they please; the frame is treated as the look says
        got = f"{engine.info.runtime} failed: {one_line(error)}"
        raise EngineError(style, got) from error
    if not isinstance(made, np.ndarray) or made.shape != asked_bgr.shape or made.dtype != np.float32:
        got = f"shape {made.shape}, {made.dtype}" if isinstance(made, np.ndarray) else type(made).__name__
        raise EngineError(style, f"{engine.info.runtime} gave {got} for {asked_bgr.shape}")
    if not math.isfinite(float(made.sum())):  # one value that is not finite spoils the sum
        raise EngineError(style, f"{engine.info.runtime} gave NaN or infinity")
    return made


def _draw(works: list[_Work], spent: StageMs) -> int:
    """Put drawings over the frame, and return how many faces were left bare.

    All of them are made from the frame as it was: the head's finer drawing, which comes to lie on the person's coarser
    one, is no drawing of a drawing.
    """
    cut = [_cut(work, spent) for work in works]
    return max(_put(work, *one, spent) for work, one in zip(works, cut, strict=True))


def _retouch(work: _Work, spent: StageMs) -> int:
    """Change what is there, and return how many faces were left bare."""
    return _put(work, *_cut(work, spent), spent)


def _cut(work: _Work, spent: StageMs) -> tuple[list[PictureRegion], list[ImageU8]]:
    """The layer's regions, and what they show now."""
    started_s = time.perf_counter()
    regions = _picture_regions(work)
    crops = [region.crop(work.frame_bgr, work.workspace) for region in regions]
    spent.region += (time.perf_counter() - started_s) * 1e3
    return regions, crops


def _put(work: _Work, regions: list[PictureRegion], crops: list[ImageU8], spent: StageMs) -> int:
    """Run the generator on the crops and put its work into the frame."""
    bare = 0 if work.layer.region in FRAME_REGIONS else len(work.faces) - len(regions)
    if not regions:
        return bare
    assert work.layer.engine is not None
    started_s = time.perf_counter()
    made = _infer(work.layer.engine, crops)
    generated_s = time.perf_counter()
    spent.generate += (generated_s - started_s) * 1e3
    put = blend_picture if work.layer.output == "picture" else add_region_change
    for region, picture in zip(regions, made, strict=True):
        put(work.frame_bgr, region, picture, work.strength, work.workspace)
    spent.composite += (time.perf_counter() - generated_s) * 1e3
    return bare


def _picture_regions(work: _Work) -> list[PictureRegion]:
    kind, size_wh = work.layer.region, work.layer.size_wh
    assert size_wh is not None
    frame_wh = work.frame_bgr.shape[1], work.frame_bgr.shape[0]
    faces_xy = [face.landmarks_xy for face in work.faces]
    if kind in FRAME_REGIONS:
        boxes = [(frame_box(frame_wh, size_wh), faces_xy)]
    else:
        found = [
            (face_box(face.landmarks_xy, kind, temporal_filter=memory, at_s=work.at_s), [face.landmarks_xy])
            for face, memory in zip(work.faces, work.memories, strict=True)
        ]
        boxes = [(box, own_xy) for box, own_xy in found if box is not None and in_frame(box, frame_wh)]
    regions = []
    for place, (box, own_xy) in enumerate(boxes):
        bare = PictureRegion(box, size_wh, frame_wh)
        name = f"mask {work.index} {place}"  # it is needed until all drawings are made
        mask = region_mask(bare, kind, own_xy, work.person, workspace=work.workspace, name=name)
        regions.append(PictureRegion(box, size_wh, frame_wh, mask))
    return regions
