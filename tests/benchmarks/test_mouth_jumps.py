"""The search for frames on which the mouth jumps against the face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.video_files import write_video

from benchmarks.faces.mouth_jumps import measure
from live.pipeline.frame import Face, Frame
from live.portrait import portrait_bgr
from live.tracking.face_mesh import FaceMeshTracker


class SlippingTracker(FaceMeshTracker):
    """Puts the lips of one frame onto the chin."""

    def track(self, frame: Frame) -> tuple[Face, ...]:
        (face,) = super().track(frame)
        landmarks_xy = face.landmarks_xy.copy()
        if frame.frame_id == 5:
            landmarks_xy[[61, 291]] += np.float32([0, 8])
        return (Face(face.face_id, landmarks_xy),)


@pytest.mark.parametrize(("tracker", "jumps"), [(FaceMeshTracker(), ()), (SlippingTracker(), (5, 6))])
def test_slipped_frame_is_found(tmp_path: Path, tracker: FaceMeshTracker, jumps: tuple[int, ...]) -> None:
    clip = write_video(tmp_path / "still.mp4", [np.asarray(portrait_bgr()[:400])] * 10)
    found = measure(clip, tracker)
    assert (found.frames, found.faces, found.jumps) == (10, 10, jumps)
