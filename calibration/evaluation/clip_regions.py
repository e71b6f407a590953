"""Regions of a video clip, frame by frame, as the live program crops them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import FRAME_REGIONS, PictureRegion, face_box, frame_box, in_frame
from live.pipeline.frame import Frame, ImageU8
from live.sources.video_source import VideoSource
from live.tracking.face_mesh import FaceMeshTracker


def clip_regions(clip: Path, kind: str, size_wh: tuple[int, int], *, most: int) -> Iterator[ImageU8 | None]:
    """Yield the region of one face on each of the first `most` frames, (H, W, 3) RGB uint8; None without a face.

    "frame" and "person" give the whole frame, with or without a face. Landmarks and region are filtered over time as in
    live use. Raises SourceError or TrackingError if the clip or the face model is not readable.
    """
    source, tracker = VideoSource(clip), FaceMeshTracker(max_faces=1)
    filters: dict[int, TemporalFilter] = {}
    try:
        source.open()
        for _ in range(most):
            frame = source.read()
            if frame is None:
                return
            is_frame = kind in FRAME_REGIONS
            box = frame_box(frame.size_wh, size_wh) if is_frame else _face_box(frame, kind, tracker, filters)
            if box is None:
                yield None
                continue
            crop_bgr = PictureRegion(box, size_wh, frame.size_wh).crop(frame.bgr)
            yield np.asarray(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        source.close()
        tracker.close()


def _face_box(
    frame: Frame, kind: str, tracker: FaceMeshTracker, filters: dict[int, TemporalFilter]
) -> tuple[int, int, int, int] | None:
    for face in tracker.track(frame):
        temporal_filter = filters.setdefault(face.face_id, TemporalFilter())
        box = face_box(face.landmarks_xy, kind, temporal_filter=temporal_filter, at_s=frame.pts_s or 0.0)
        if box is not None and in_frame(box, frame.size_wh):
            return box
    return None
