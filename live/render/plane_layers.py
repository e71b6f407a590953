"""Draws the layers of a look whose networks return planes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from engines.drawing.drawing import DrawnFace
from engines.drawing.face_measures import measure_face
from engines.drawing.hair_colour import hair_in_own_hue
from engines.drawing.lens import face_lenses
from engines.drawing.plane_set import Planes, planes_of
from engines.drawing.steady_pictures import thumbnail_of
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS, PictureRegion
from live.pipeline.frame import Face, Floats, ImageU8
from live.render.paint_job import PaintJob, infer, picture_regions
from live.render.plane_painter import draw_planes
from live.render.plane_regions import PlaneRegion

_BODY_INTERVAL_S = 0.025  # between two passes of a network over the whole frame: at most 40 a second
_LIVE_INTERVAL_S = 0.05  # live, between two passes over the whole frame, or over a head that has not changed


def draw_plane_layers(jobs: Sequence[PaintJob]) -> int:
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
        found = picture_regions(job, masked=not (covered and is_head))
        passes, crops = list[_Pass](), list[ImageU8]()
        for region, face in found:
            one = _Pass(job, region, face)
            passes.append(one)
            crops += [] if one.reuses else [one.crop()]
        cropped_s = time.perf_counter()
        stats.region_ms += (cropped_s - started_s) * 1e3
        drawn_anew = zip(infer(job.layer, crops) if crops else (), crops, strict=True)
        for one in passes:
            planes = Planes(*one.last.pictures) if one.last and one.reuses else one.steadied(*next(drawn_anew))
            parts.append(PlaneRegion(one.region, planes, is_head))
        stats.drawn += [] if covered and is_head else [region for region, _ in found]
        if job.layer.region not in FRAME_REGIONS:
            bare_faces = max(bare_faces, len(job.faces) - len(found))
        started_s = time.perf_counter()
        stats.generate_ms += (started_s - cropped_s) * 1e3
    job = jobs[0]
    draw_planes(
        job.frame_bgr,
        parts,
        drawn,
        medium,
        job.strength,
        person=job.outlined,
        workspace=job.workspace,
    )
    stats.composite_ms += (time.perf_counter() - started_s) * 1e3
    return bare_faces


class _Pass:
    """One region of a layer on one frame, whose planes are the network's or the last ones.

    Attributes:
        last: The last planes of the region.
        reuses: Whether they are drawn again: planes change slowly, and their borders follow the frame's.
    """

    def __init__(self, job: PaintJob, region: PictureRegion, face: Face | None) -> None:
        self._job, self.region, self._face = job, region, face
        self.last = job.steady.get(job.key(face))
        self._bare: ImageU8 | None = None
        self._thumbnail: ImageU8 | None = None
        age_s = job.at_s - self.last.at_s if self.last else -1.0
        interval_s = _LIVE_INTERVAL_S if job.live else _BODY_INTERVAL_S if face is None else 0.0
        self.reuses = 0.0 <= age_s < interval_s
        if job.live and face is not None:
            self._bare = region.crop(job.frame_bgr, job.workspace)
            self._thumbnail = thumbnail_of(self._bare)
            self.reuses &= self.last is not None and self.last.shows(self._thumbnail)

    def crop(self) -> ImageU8:
        """Return the crop as the medium's lenses show it."""
        medium, region = self._job.layer.medium, self.region
        assert medium is not None
        bare = region.crop(self._job.frame_bgr, self._job.workspace) if self._bare is None else self._bare
        if self._face is None:
            return bare
        lenses = face_lenses(region.landmarks(self._face.landmarks_xy), medium.eyes, medium.jaw)
        return bare if lenses is None else lenses.warp(bare)

    def steadied(self, output: Floats, crop_bgr: ImageU8) -> Planes:
        """Return and remember the planes of the network's output for a crop, steadied by the last ones."""
        planes, at_s = planes_of(output), self._job.at_s
        if self._face is not None:  # far from a face, hair is mistaken
            planes = hair_in_own_hue(planes, crop_bgr)
        if self._face is None and self.last is None and self._job.live:
            at_s -= 0.5 * _LIVE_INTERVAL_S  # dated earlier, so that this pass and a still head's alternate
        arrays = planes.colour, planes.fields
        return Planes(*self._job.steadied(self.region, self._face, arrays, at_s, self._thumbnail))


def _drawn_face(job: PaintJob, face: Face, temporal: TemporalFilter) -> DrawnFace:
    """Measure a face on the bare frame, and return it as the medium's lenses show it."""
    assert job.layer.medium is not None
    measures = measure_face(job.frame_bgr, face.landmarks_xy, temporal_filter=temporal, at_s=job.at_s)
    lenses = face_lenses(face.landmarks_xy, job.layer.medium.eyes, job.layer.medium.jaw)
    if lenses is None:
        return DrawnFace(face.landmarks_xy, measures, face.hands)
    hands = tuple(np.column_stack((lenses.moved(hand[:, :2]), hand[:, 2])) for hand in face.hands)
    return DrawnFace(lenses.moved(face.landmarks_xy), measures, hands)
