"""The face mesh of MediaPipe's FaceLandmarker task, with the user's model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from live.pipeline.frame import Floats, ImageU8
from live.tracking.mesh_model import Mesh, loading
from live.tracking.task_file import REMEDY, read_task

_STEP_MS = 33  # simulated time between two pictures, as MediaPipe's own face mesh has it


class LandmarkerMesh(Mesh):
    """The `FaceLandmarker` task; see `Mesh`.

    Args:
        model: A `.task` bundle.
        max_faces: Maximum number of faces.
        still: Search each picture, without tracking.

    Raises:
        TrackingError: The file does not exist or is not a usable model.
    """

    def __init__(self, model: Path, max_faces: int, *, still: bool) -> None:
        self._still, self._at_ms = still, 0
        bundle = read_task(model)
        with loading(f"face model {model}", REMEDY):
            from mediapipe.tasks.python import BaseOptions, vision

            self._task: Any = vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    base_options=BaseOptions(model_asset_buffer=bundle),
                    running_mode=vision.RunningMode.IMAGE if still else vision.RunningMode.VIDEO,
                    num_faces=max_faces,
                )
            )
            self.warm_up()

    def find(self, picture_rgb: ImageU8) -> list[Floats]:
        """Return the landmarks of each face; see `Mesh`."""
        import mediapipe as mp

        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture_rgb)
        if self._still:
            result = self._task.detect(image)
        else:
            self._at_ms += _STEP_MS  # the task requires increasing times
            result = self._task.detect_for_video(image, self._at_ms)
        size_wh = np.array([picture_rgb.shape[1], picture_rgb.shape[0]], np.float32)
        return [
            np.array([(point.x, point.y) for point in face], np.float32) * size_wh for face in result.face_landmarks
        ]

    def close(self) -> None:
        """Release the model."""
        self._task.close()
