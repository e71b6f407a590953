"""Paints a look onto the faces of one frame: for each layer, crop the regions, run the generator, blend the result."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby

import cv2
import numpy as np

from engines.drawing.drawing import DrawnFace
from engines.drawing.face_measures import measure_face
from engines.drawing.lens import face_lenses
from engines.drawing.plane_set import CHANNELS, planes_of
from engines.errors import EngineError
from engines.generators.shade import Shade
from engines.regions.illumination import normalise_crop, restore_change
from engines.regions.lips_region import lips_region
from engines.regions.masks import region_mask
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FACE_OVAL, FACE_REGIONS, FRAME_REGIONS, PictureRegion, picture_region
from engines.regions.workspace import Workspace
from engines.styles import Style
from engines.text import first_line
from live.pipeline.frame import Face, Floats, ImageU8
from live.render.blending import add_change, add_region_change, blend_picture
from live.render.look_loader import LoadedLayer, LoadedLook
from live.render.plane_painter import PlaneRegion, draw_planes
from live.tracking.base import LANDMARKS

_MAX_DISTANCE = 10  # of a landmark from the frame's origin, in frame sizes
_MIN_FILL, _MIN_ROUNDNESS = 0.4, 0.8  # real face outlines, turned and tilted, have at least 0.64 and 0.97


@dataclass(slots=True)
class PaintStats:
    """The result of painting one frame.

    Attributes:
        region_ms: time of the first stage; the others likewise.
        bare_faces: number of faces that a layer missed.
        drawn: regions that were drawn, with their masks.
    """

    region_ms: float = 0.0
    generate_ms: float = 0.0
    composite_ms: float = 0.0
    bare_faces: int = 0
    drawn: list[PictureRegion] = field(default_factory=list)


class Painter:
    """Paints the frames of one film. Keeps temporal filters per face and layer, which prevent flicker."""

    def __init__(self) -> None:
        self._filters: dict[tuple[int, int], TemporalFilter] = {}  # by face id and layer index
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
    ) -> PaintStats:
        """Paint the look onto every face, in place.

        Args:
            frame_bgr: (H, W, 3) uint8 BGR; bit-identical outside the regions' boxes.
            faces: with landmarks on this frame; implausible ones (see `is_plausible`) count as bare.
            loaded: the look.
            strength: 0..1, multiplies the strength of every layer.
            at_s: the frame's time in seconds.
            person: see `TrackedFrame`; without it, the whole box of a region is painted.

        Raises:
            EngineError: A generator failed or returned an invalid array; earlier layers are already painted.
        """
        found, faces = faces, tuple(face for face in faces if is_plausible(face, frame_bgr.shape))
        stats = PaintStats(bare_faces=len(found) - len(faces))
        keys = [(face.face_id, index) for face in faces for index in range(len(loaded.layers))]
        self._filters = {key: self._filters.get(key) or TemporalFilter() for key in keys}
        jobs = []
        for index, layer in enumerate(loaded.layers):
            opacity = layer.strength * strength
            if opacity > 0.0:
                filters = [self._filters[face.face_id, index] for face in faces]
                jobs.append(
                    _Job(frame_bgr, faces, filters, layer, opacity, at_s, person, self._workspace, index, stats)
                )
        try:
            for (is_drawing, medium), group in groupby(jobs, key=lambda job: (job.layer.covers, job.layer.medium)):
                if is_drawing:
                    draw = _draw_planes if medium else _draw
                    stats.bare_faces = max(stats.bare_faces, draw(list(group)))
                    continue
                bare_faces = max(_paint_lips(job) if job.layer.region == "lips" else _draw([job]) for job in group)
                if not loaded.covers:  # a drawing hides lips that could not be painted
                    stats.bare_faces = max(stats.bare_faces, bare_faces)
        except (cv2.error, MemoryError) as error:
            raise EngineError(f"look {loaded.look.name}", first_line(error)) from error
        return stats


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


@dataclass(frozen=True, slots=True)
class _Job:
    """One layer on one frame."""

    frame_bgr: ImageU8
    faces: tuple[Face, ...]
    filters: list[TemporalFilter]
    layer: LoadedLayer
    strength: float
    at_s: float
    person: ImageU8 | None
    workspace: Workspace
    index: int
    stats: PaintStats


def _paint_lips(job: _Job) -> int:
    """Paint a lips layer; return the number of faces left bare."""
    started_s = time.perf_counter()
    frame_bgr, style = job.frame_bgr, job.layer.style
    size_wh = style.size_wh if isinstance(style, Style) else None
    regions, crops = [], []
    for face, temporal in zip(job.faces, job.filters, strict=True):
        region = lips_region(face.landmarks_xy, frame_bgr, size_wh=size_wh, temporal_filter=temporal, at_s=job.at_s)
        if region is not None:
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
        outputs = _infer(job.layer, [crop.input_bgr for crop in crops])
        changes = [restore_change(output, crop) for output, crop in zip(outputs, crops, strict=True)]
    generated_s = time.perf_counter()
    job.stats.generate_ms += (generated_s - cropped_s) * 1e3
    for region, change in zip(regions, changes, strict=True):
        add_change(frame_bgr, region, change, job.strength)
    job.stats.composite_ms += (time.perf_counter() - generated_s) * 1e3
    return bare_faces


def _infer(layer: LoadedLayer, crops_bgr: list[ImageU8]) -> Floats:
    """Run the layer's engine on all crops at once; `HotSwapEngine` has checked that the output is finite."""
    assert layer.engine is not None
    regions_bgr = crops_bgr[0][None] if len(crops_bgr) == 1 else np.stack(crops_bgr)
    output: object = layer.engine.infer(regions_bgr)
    count, height, width, _ = regions_bgr.shape
    expected = (count, CHANNELS, height // 2, width // 2) if layer.medium else regions_bgr.shape
    if not isinstance(output, np.ndarray) or output.shape != expected or output.dtype != np.float32:
        got = f"shape {output.shape}, {output.dtype}" if isinstance(output, np.ndarray) else type(output).__name__
        info = layer.engine.info
        raise EngineError(f"style {info.style}", f"{info.runtime} gave {got} for {regions_bgr.shape}")
    return output


def _draw(jobs: list[_Job]) -> int:
    """Blend the layers' outputs into the frame; return the number of faces left bare.

    All crops are taken before the first drawing is blended: the head's finer drawing, which lies over the person's
    coarser one, must not be a drawing of a drawing.
    """
    crops = [_crop(job) for job in jobs]
    return max(_blend(job, *regions_and_crops) for job, regions_and_crops in zip(jobs, crops, strict=True))


def _crop(job: _Job) -> tuple[list[PictureRegion], list[ImageU8]]:
    """Return the layer's regions and their current content."""
    started_s = time.perf_counter()
    regions = [region for region, _ in _picture_regions(job)]
    crops = [region.crop(job.frame_bgr, job.workspace) for region in regions]
    job.stats.region_ms += (time.perf_counter() - started_s) * 1e3
    return regions, crops


def _blend(job: _Job, regions: list[PictureRegion], crops: list[ImageU8]) -> int:
    """Run the generator on the crops and blend its output into the frame; return the number of faces left bare."""
    bare_faces = 0 if job.layer.region in FRAME_REGIONS else len(job.faces) - len(regions)
    if not regions:
        return bare_faces
    started_s = time.perf_counter()
    outputs = _infer(job.layer, crops)
    generated_s = time.perf_counter()
    job.stats.generate_ms += (generated_s - started_s) * 1e3
    blend = blend_picture if job.layer.covers else add_region_change
    for region, output in zip(regions, outputs, strict=True):
        blend(job.frame_bgr, region, output, job.strength, job.workspace)
    job.stats.drawn += regions if job.layer.covers else []
    job.stats.composite_ms += (time.perf_counter() - generated_s) * 1e3
    return bare_faces


def _draw_planes(jobs: list[_Job]) -> int:
    """Draw the planes that the layers' networks return; return the number of faces left bare."""
    stats, medium, parts, bare_faces = jobs[0].stats, jobs[0].layer.medium, list[PlaneRegion](), 0
    assert medium is not None
    started_s = time.perf_counter()
    # Before anything is drawn, and once for all layers of the drawing; the last one is the finest.
    drawn = [
        _drawn_face(jobs[-1], face, temporal) for face, temporal in zip(jobs[-1].faces, jobs[-1].filters, strict=True)
    ]
    covered = any(job.layer.region in FRAME_REGIONS for job in jobs)  # the masks of heads are not needed then
    for job in jobs:
        is_head = job.layer.region in FACE_REGIONS
        crops, found = [], _picture_regions(job, masked=not (covered and is_head))
        for region, face in found:
            crop = region.crop(job.frame_bgr, job.workspace)
            lenses = None if face is None else face_lenses(region.landmarks(face.landmarks_xy), medium.eyes, medium.jaw)
            crops.append(crop if lenses is None else lenses.warp(crop))
        cropped_s = time.perf_counter()
        stats.region_ms += (cropped_s - started_s) * 1e3
        if found:
            outputs = _infer(job.layer, crops)
            parts += [
                PlaneRegion(region, planes_of(output), is_head)
                for (region, _), output in zip(found, outputs, strict=True)
            ]
            stats.drawn += [] if covered and is_head else [region for region, _ in found]
        if job.layer.region not in FRAME_REGIONS:
            bare_faces = max(bare_faces, len(job.faces) - len(found))
        started_s = time.perf_counter()
        stats.generate_ms += (started_s - cropped_s) * 1e3
    job = jobs[0]
    draw_planes(job.frame_bgr, parts, drawn, medium, job.strength, person=job.person, workspace=job.workspace)
    stats.composite_ms += (time.perf_counter() - started_s) * 1e3
    return bare_faces


def _drawn_face(job: _Job, face: Face, temporal: TemporalFilter) -> DrawnFace:
    """Measure a face on the bare frame, and return it as the medium's lenses show it."""
    assert job.layer.medium is not None
    measures = measure_face(job.frame_bgr, face.landmarks_xy, temporal_filter=temporal, at_s=job.at_s)
    lenses = face_lenses(face.landmarks_xy, job.layer.medium.eyes, job.layer.medium.jaw)
    return DrawnFace(face.landmarks_xy if lenses is None else lenses.moved(face.landmarks_xy), measures)


def _picture_regions(job: _Job, *, masked: bool = True) -> list[tuple[PictureRegion, Face | None]]:
    """Return the layer's regions, with their masks if `masked`; those of faces with the face."""
    style = job.layer.style
    assert isinstance(style, Style)
    kind, frame_wh = style.region, (job.frame_bgr.shape[1], job.frame_bgr.shape[0])
    places: Iterable[tuple[Face | None, TemporalFilter | None]] = zip(job.faces, job.filters, strict=True)
    regions: list[tuple[PictureRegion, Face | None]] = []
    for face, temporal in [(None, None)] if kind in FRAME_REGIONS else places:
        xy = None if face is None else face.landmarks_xy
        region = picture_region(kind, xy, style.size_wh, frame_wh, temporal_filter=temporal, at_s=job.at_s)
        if region is not None:
            name = f"mask {job.index} {len(regions)}"  # masks of all layers are in use at the same time
            drawn_xy = [one.landmarks_xy for one in job.faces] if xy is None else [xy]
            if masked:
                mask = region_mask(region, kind, drawn_xy, job.person, workspace=job.workspace, name=name)
                region = replace(region, mask=mask)
            regions.append((region, face))
    return regions
