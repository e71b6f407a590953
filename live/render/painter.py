"""Paints a look onto the faces of one frame: for each layer, crop the regions, run the generator, blend the result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from types import MappingProxyType

import cv2
import numpy as np

from engines.drawing.medium import Medium
from engines.drawing.steady_pictures import SteadyPictures
from engines.errors import EngineError
from engines.generators.shade import Shade
from engines.regions.hand_shapes import uncovered
from engines.regions.illumination import normalise_crop, restore_change
from engines.regions.lips_region import lips_region
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FACE_OVAL, FRAME_REGIONS, PictureRegion
from engines.regions.workspace import Workspace
from engines.styles import Style
from engines.text import first_line
from live.pipeline.frame import Face, Head, ImageU8
from live.render.blending import add_change, add_region_change, as_picture, blend_picture
from live.render.face_swapping import swap_faces
from live.render.look_loader import LoadedLook
from live.render.paint_job import PaintJob, PaintStats, PictureKey, infer, picture_regions
from live.render.person_areas import part_of_persons
from live.render.plane_layers import draw_plane_layers
from live.tracking.base import LANDMARKS
from live.tracking.scene_cut import SceneCut

_MAX_DISTANCE = 10  # of a landmark from the frame's origin, in frame sizes
_MIN_FILL, _MIN_ROUNDNESS = 0.4, 0.8  # real face outlines, turned and tilted, have at least 0.64 and 0.97


class Painter:
    """Paints the frames of one film. Keeps temporal filters per face and layer, which prevent flicker.

    Args:
        live: Whether networks that draw slowly changing planes may skip frames.
    """

    def __init__(self, *, live: bool = False) -> None:
        self._live = live
        self._filters: dict[tuple[int, int], TemporalFilter] = {}  # by face id and layer index
        self._cut = SceneCut()
        self._steady: dict[PictureKey, SteadyPictures] = {}
        self._last_bgr: dict[PictureKey, ImageU8] = {}  # what generators that see their last picture gave
        self._workspace = Workspace()

    def paint(
        self,
        frame_bgr: ImageU8,
        faces: tuple[Face, ...],
        loaded: LoadedLook,
        strength: float,
        *,
        at_s: float,
        person: ImageU8 | None = None,
        outlined: ImageU8 | None = None,
        names: Mapping[int, str] = MappingProxyType({}),
        heads: Sequence[Head] = (),
    ) -> PaintStats:
        """Paint the look onto every face, in place.

        Args:
            frame_bgr: (H, W, 3) uint8 BGR; bit-identical outside the regions' boxes.
            faces: with landmarks on this frame; implausible ones (see `is_plausible`) count as bare.
            loaded: the look.
            strength: 0..1, multiplies the strength of every layer.
            at_s: the frame's time in seconds.
            person: see `TrackedFrame`; without it, the whole box of a region is painted.
            outlined: see `TrackedFrame`; None for `person`.
            names: see `TrackedFrame`; for layers that are for some persons only.
            heads: see `TrackedFrame`; for the same layers.

        Raises:
            EngineError: A generator failed or returned an invalid array; earlier layers are already painted.
        """
        found, faces = faces, tuple(face for face in faces if is_plausible(face, frame_bgr.shape))
        stats = PaintStats(bare_faces=len(found) - len(faces))
        self._forget_pictures(frame_bgr, faces)
        jobs = self._jobs(frame_bgr, found, faces, loaded, strength, at_s, (person, outlined), names, heads, stats)
        try:
            for (is_drawing, medium, *_), group in groupby(jobs, key=_kind):
                if is_drawing:
                    draw = draw_plane_layers if medium else _draw
                    stats.bare_faces = max(stats.bare_faces, draw(list(group)))
                    continue
                bare_faces = max(_paint(job) for job in group)
                if not loaded.covers:  # a drawing hides lips that could not be painted
                    stats.bare_faces = max(stats.bare_faces, bare_faces)
        except (cv2.error, MemoryError) as error:
            raise EngineError(f"look {loaded.look.name}", first_line(error)) from error
        return stats

    def _jobs(
        self,
        frame_bgr: ImageU8,
        found: tuple[Face, ...],
        faces: tuple[Face, ...],
        loaded: LoadedLook,
        strength: float,
        at_s: float,
        masks: tuple[ImageU8 | None, ImageU8 | None],
        names: Mapping[int, str],
        heads: Sequence[Head],
        stats: PaintStats,
    ) -> list[PaintJob]:
        """Return what each layer paints; one for some persons gets their faces and their part of the mask.

        Args:
            masks: `person` and `outlined`.
        """
        keys = [(face.face_id, index) for face in faces for index in range(len(loaded.layers))]
        self._filters = {key: self._filters.get(key) or TemporalFilter() for key in keys}
        jobs, frame_wh = [], (frame_bgr.shape[1], frame_bgr.shape[0])
        parts: dict[tuple[int, ...], ImageU8] = {}  # by the faces: the layers of one drawing are for the same persons
        for index, layer in enumerate(loaded.layers):
            opacity, shown, (mask, outlined) = layer.strength * strength, faces, masks
            if layer.chosen:
                shown = tuple(face for face in faces if layer.is_for(names.get(face.face_id)))
                ids = tuple(face.face_id for face in shown)
                if ids not in parts:
                    parts[ids] = part_of_persons(masks[0], frame_wh, found, ids, heads)
                mask = outlined = parts[ids]
            if opacity <= 0.0 or (layer.chosen and not shown):
                continue
            filters, space = [self._filters[face.face_id, index] for face in shown], self._workspace
            jobs.append(
                PaintJob(
                    frame_bgr,
                    shown,
                    filters,
                    layer,
                    opacity,
                    at_s,
                    mask,
                    space,
                    index,
                    self._steady,
                    self._last_bgr,
                    stats,
                    self._live,
                    mask if outlined is None else outlined,
                )
            )
        return jobs

    def _forget_pictures(self, frame_bgr: ImageU8, faces: tuple[Face, ...]) -> None:
        """Discard the last pictures of lost faces; after a cut, all of them."""
        kept = set() if self._cut.seen(frame_bgr) else {None, *(face.face_id for face in faces)}
        self._steady = {key: steady for key, steady in self._steady.items() if key[1] in kept}
        self._last_bgr = {key: picture for key, picture in self._last_bgr.items() if key[1] in kept}


def _kind(job: PaintJob) -> tuple[bool, Medium | None, float, tuple[str, ...], tuple[str, ...]]:
    """Return what the jobs of one drawing have in common; planes are drawn with one strength."""
    layer = job.layer
    return layer.covers, layer.medium, job.strength if layer.medium else 0.0, layer.only, layer.excepted


def is_plausible(face: Face, shape: tuple[int, ...]) -> bool:
    """Whether landmarks can be those of a face: complete, finite, near the frame, with a round, untwisted outline."""
    xy: object = face.landmarks_xy
    if not isinstance(xy, np.ndarray) or xy.shape != (LANDMARKS, 2):
        return False
    if not (np.abs(xy) <= _MAX_DISTANCE * max(shape[:2])).all():  # also False for NaN
        return False
    outline = np.asarray(xy[FACE_OVAL], np.float32)
    width, height = (outline.max(0) - outline.min(0)).tolist()
    area, hull = cv2.contourArea(outline), cv2.contourArea(cv2.convexHull(outline))
    return bool(area > _MIN_FILL * width * height and area > _MIN_ROUNDNESS * hull)


def _paint(job: PaintJob) -> int:
    """Paint a layer that is no part of a drawing; return the number of faces left bare."""
    if job.layer.region == "lips":
        return _paint_lips(job)
    return swap_faces(job) if job.style.swaps else _draw([job])


def _paint_lips(job: PaintJob) -> int:
    """Paint a lips layer; return the number of faces left bare."""
    started_s = time.perf_counter()
    frame_bgr, style = job.frame_bgr, job.layer.style
    size_wh = style.size_wh if isinstance(style, Style) else None
    regions, crops = [], []
    for face, temporal in zip(job.faces, job.filters, strict=True):
        region = lips_region(face.landmarks_xy, frame_bgr, size_wh=size_wh, temporal_filter=temporal, at_s=job.at_s)
        if region is not None:
            if face.hands:
                shown = np.float32(1 / 255) * uncovered(region.box, face.hands)
                region = replace(region, mask=region.mask * shown)
            regions.append(region)
            if isinstance(style, Style) and style.usual_bgr is not None:
                crop_bgr, usual_bgr = region.crop(frame_bgr), style.usual_bgr
                crops.append(normalise_crop(crop_bgr, region, usual_bgr, temporal_filter=temporal, at_s=job.at_s))
    cropped_s = time.perf_counter()
    job.stats.region_ms += (cropped_s - started_s) * 1e3
    bare_faces = len(job.faces) - len(regions)
    if not regions:
        return bare_faces
    if isinstance(style, Shade):
        changes = [style.change(region.cut(frame_bgr), region) for region in regions]
    else:
        outputs = infer(job.layer, [crop.input_bgr for crop in crops])
        changes = [restore_change(output, crop) for output, crop in zip(outputs, crops, strict=True)]
    generated_s = time.perf_counter()
    job.stats.generate_ms += (generated_s - cropped_s) * 1e3
    for region, change in zip(regions, changes, strict=True):
        add_change(frame_bgr, region, change, job.strength)
    job.stats.composite_ms += (time.perf_counter() - generated_s) * 1e3
    return bare_faces


def _draw(jobs: list[PaintJob]) -> int:
    """Blend the layers' outputs into the frame; return the number of faces left bare.

    All crops are taken before the first drawing is blended: the head's finer drawing, which lies over the person's
    coarser one, must not be a drawing of a drawing.
    """
    crops = [_crop(job) for job in jobs]
    return max(_blend(job, *regions_and_crops) for job, regions_and_crops in zip(jobs, crops, strict=True))


def _crop(job: PaintJob) -> tuple[list[tuple[PictureRegion, Face | None]], list[ImageU8]]:
    """Return the layer's regions and what its engine receives for their current content."""
    started_s = time.perf_counter()
    places = picture_regions(job)
    crops = [
        job.style.engine_input(region.crop(job.frame_bgr, job.workspace), last_bgr=job.last_bgr.get(job.key(face)))
        for region, face in places
    ]
    job.stats.region_ms += (time.perf_counter() - started_s) * 1e3
    return places, crops


def _blend(job: PaintJob, places: list[tuple[PictureRegion, Face | None]], crops: list[ImageU8]) -> int:
    """Run the generator on the crops and blend its output into the frame; return the number of faces left bare."""
    bare_faces = 0 if job.layer.region in FRAME_REGIONS else len(job.faces) - len(places)
    if not places:
        return bare_faces
    started_s = time.perf_counter()
    outputs = infer(job.layer, crops)
    generated_s = time.perf_counter()
    job.stats.generate_ms += (generated_s - started_s) * 1e3
    for (region, face), output in zip(places, outputs, strict=True):
        if not job.layer.covers:
            add_region_change(job.frame_bgr, region, output, job.strength, job.workspace)
            continue
        picture_bgr = as_picture(output)
        if job.style.sees_last_picture:
            job.last_bgr[job.key(face)] = picture_bgr
        (picture_bgr,) = job.steadied(region, face, (picture_bgr,))
        blend_picture(job.frame_bgr, region, picture_bgr, job.strength, job.workspace)
        job.stats.drawn.append(region)
    job.stats.composite_ms += (time.perf_counter() - generated_s) * 1e3
    return bare_faces
