"""The regions of a clip, frame by frame, as the live program cuts them."""

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
    """The region of the one face on each frame of a clip, (H, W, 3) RGB uint8; None for a frame without a face.

    Landmarks are smoothed, and the region stays or follows, as they do live.

    Args:
        clip: a video file.
        kind: "face" or "head"; "frame" and "person" are the whole frame, whoever is on it.
        size_wh: of the regions.
        most: frames, from the beginning.

    Raises:
        SourceError: it cannot be read.
        TrackingError: no face model.
    """
    source, tracker = VideoSource(clip), FaceMeshTracker(max_faces=1)
    memories: dict[int, TemporalFilter] = {}
    try:
        source.open()
        for _ in range(most):
            frame = source.read()
            if frame is None:
                return
            box = frame_box(frame.size_wh, size_wh) if kind in FRAME_REGIONS else _box(frame, kind, tracker, memories)
            if box is None:
                yield None
                continue
            crop_bgr = PictureRegion(box, size_wh, frame.size_wh).crop(frame.bgr)
            yield np.asarray(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        source.close()
        tracker.close()


def _box(
    frame: Frame, kind: str, tracker: FaceMeshTracker, memories: dict[int, TemporalFilter]
) -> tuple[int, int, int, int] | None:
    for face in tracker.track(frame):
        memory = memories.setdefault(face.face_id, TemporalFilter())
        box = face_box(face.landmarks_xy, kind, temporal_filter=memory, at_s=frame.pts_s or 0.0)
        if box is not None and in_frame(box, frame.size_wh):
            return box
    return None
