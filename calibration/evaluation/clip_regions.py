"""Regions of a video clip, frame by frame, as the live program crops them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FRAME_REGIONS, picture_region
from live.pipeline.frame import ImageU8
from live.sources.video_source import film_frames
from live.tracking.face_mesh import FaceMeshTracker


def clip_regions(clip: Path, kind: str, size_wh: tuple[int, int], *, most: int) -> Iterator[ImageU8 | None]:
    """Yield the region of one face on each of the first `most` frames, (H, W, 3) RGB uint8; None without a face.

    "frame" and "person" give the whole frame, with or without a face. Landmarks and region are filtered over time as in
    live use. Raises SourceError or TrackingError if the clip or the face model is not readable.
    """
    filters: dict[int, TemporalFilter] = {}
    with closing(FaceMeshTracker(max_faces=1)) as tracker, closing(film_frames(clip)) as frames:
        for frame in islice(frames, most):
            landmarks_xy, temporal_filter = None, None
            if kind not in FRAME_REGIONS and (faces := tracker.track(frame)):
                landmarks_xy = faces[0].landmarks_xy
                temporal_filter = filters.setdefault(faces[0].face_id, TemporalFilter())
            at_s = frame.pts_s or 0.0
            region = picture_region(
                kind, landmarks_xy, size_wh, frame.size_wh, temporal_filter=temporal_filter, at_s=at_s
            )
            yield None if region is None else np.ascontiguousarray(region.crop(frame.bgr)[:, :, ::-1])
