"""A slow person detector for films without a true mask: pose segmentation and face detection on many views."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from live.pipeline.frame import Floats, ImageU8
from live.tracking.mesh_model import loading
from live.tracking.quiet_stderr import quiet_stderr

_SCALES = (1.0, 0.6)  # sides of the square views in the frame's shorter side
_MIN_FACE, _MIN_POSE = 0.75, 0.5
_MIN_VIEWS = 2  # that show the same person


class ReferencePersons:
    """Finds persons without the models of the program's person mask, on pictures of any size."""

    def __init__(self) -> None:
        with loading("pose segmentation"):
            from mediapipe.python.solutions.face_detection import FaceDetection
            from mediapipe.python.solutions.pose import Pose

            self._pose: Any = Pose(static_image_mode=True, model_complexity=1, enable_segmentation=True)
            self._faces: Any = [FaceDetection(number, _MIN_FACE) for number in (0, 1)]

    def mask(self, frame_bgr: ImageU8) -> Floats:
        """Return where persons are, (H, W) float32, 0 or 1.

        A person that only one view shows is not one: the models invent heads in the mirrored halves of furniture and
        of other persons. Views overlap by half in two sizes, so that a head in the picture is in several of them.
        """
        return (self.views_showing(frame_bgr) >= _MIN_VIEWS).astype(np.float32)

    def views_showing(self, frame_bgr: ImageU8) -> Floats:
        """Return in how many views each pixel shows a person, (H, W) float32."""
        height, width = frame_bgr.shape[:2]
        found = np.zeros((height, width), np.float32)
        short = min(height, width)
        views = [(0, 0, width, height)]
        for scale in _SCALES:
            side = round(short * scale)
            for y in range(-(side // 4) if scale < 1 else 0, max(1, height - side // 2), max(1, side // 2)):
                views += [(x, y, x + side, y + side) for x in range(-(side // 2), width - side // 2 + 1, side // 2)]
        rim = short // 2 + 1
        wide_bgr = cv2.copyMakeBorder(frame_bgr, rim, rim, rim, rim, cv2.BORDER_REFLECT)
        for left, top, right, bottom in views:
            view_rgb = cv2.cvtColor(wide_bgr[rim + top : rim + bottom, rim + left : rim + right], cv2.COLOR_BGR2RGB)
            shown = np.zeros(wide_bgr.shape[:2], np.float32)
            shown[rim + top : rim + bottom, rim + left : rim + right] = self._persons(np.asarray(view_rgb, np.uint8))
            found += shown[rim : rim + height, rim : rim + width]
        return found

    def _persons(self, view_rgb: ImageU8) -> Floats:
        """Return the heads in a view with their bodies, on which both kinds of model agree: each alone invents some."""
        height, width = view_rgb.shape[:2]
        shown = np.zeros((height, width), np.float32)
        for detector in self._faces:
            for detection in detector.process(view_rgb).detections or ():
                box = detection.location_data.relative_bounding_box
                centre = round((box.xmin + box.width / 2) * width), round((box.ymin + box.height / 2) * height)
                axes = round(0.42 * box.width * width), round(0.5 * box.height * height)
                cv2.ellipse(shown, centre, axes, 0, 0, 360, (1,), -1)
        if not shown.any():
            return shown
        with quiet_stderr():
            segmented = self._pose.process(view_rgb).segmentation_mask
        if segmented is None or segmented[shown > 0].mean() <= _MIN_POSE:
            return np.zeros_like(shown)
        shown[segmented > _MIN_POSE] = 1
        return shown

    def close(self) -> None:
        """Release the models."""
        for model in (self._pose, *self._faces):
            model.close()
