"""Face tracking with MediaPipe's FaceLandmarker task, for newer versions of MediaPipe, with the user's model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from live.pipeline.frame import Face, Frame
from live.pipeline.frame_pool import FramePool
from live.tracking.face_identity import FaceIdentity
from live.tracking.face_mesh import prepare_search_image
from live.tracking.far_faces import MIN_SIDE_PX
from live.tracking.mesh_model import loading
from live.tracking.task_file import REMEDY, read_task


class FaceLandmarkerTracker:
    """The `FaceLandmarker` task in video mode; a `FaceTracker`.

    Args:
        model: A `.task` bundle.
        max_faces: Maximum number of faces, 1 to 4.
        smooth: Apply a one-euro filter to the landmarks.
    """

    def __init__(self, model: Path, *, max_faces: int = 1, smooth: bool = True) -> None:
        self._model, self._max_faces = model, max_faces
        self._identity = FaceIdentity(smooth=smooth)
        self._task: Any = None
        self._last_ms = -1
        self._pool = FramePool()

    def open(self) -> None:
        """Load the bundle.

        Raises:
            TrackingError: The file does not exist or is not a usable model.
        """
        bundle = read_task(self._model)
        with loading(f"face model {self._model}", REMEDY):
            from mediapipe.tasks.python import BaseOptions, vision

            self._task = vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    base_options=BaseOptions(model_asset_buffer=bundle),
                    running_mode=vision.RunningMode.VIDEO,
                    num_faces=self._max_faces,
                )
            )

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """Return the faces on this frame; see `FaceTracker`."""
        if self._task is None:
            self.open()
        if min(frame.size_wh) < MIN_SIDE_PX:
            return ()
        import mediapipe as mp

        at_s = frame.time_s
        search_rgb, scale = prepare_search_image(frame.bgr, self._pool)
        self._last_ms = max(self._last_ms + 1, int(at_s * 1e3))  # the task requires strictly increasing timestamps
        result = self._task.detect_for_video(mp.Image(image_format=mp.ImageFormat.SRGB, data=search_rgb), self._last_ms)
        size_wh = np.array([search_rgb.shape[1], search_rgb.shape[0]], np.float32)
        found_xy = [
            np.array([(point.x, point.y) for point in face], np.float32) * size_wh / scale
            for face in result.face_landmarks
        ]
        return self._identity.assign(found_xy, at_s)

    def close(self) -> None:
        """Release the model; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.close()
