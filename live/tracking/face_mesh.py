"""Face tracking with the face mesh that is bundled in MediaPipe 0.10.21."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrackingError
from live.frame import Face, Floats, Frame, ImageU8
from live.portrait import portrait_bgr
from live.tracking.base import LANDMARKS
from live.tracking.identity import FaceIdentity
from live.tracking.quiet import quiet_stderr

_MOST_PIXELS_WIDE = 1920  # a larger frame is brought down for the search; landmarks are scaled back
_LEAST_SIDE = 24  # below this there is no face to find, and the model's own scaling breaks
_FAR_SEARCH_EVERY_S = 0.3
_FAR_MARGIN = 2.0  # face widths round a far face that are cut out and searched


class FaceMeshTracker:
    """`FaceMesh(refine_landmarks=True)`: 478 points, with the attention model's finer lips and eyes.

    Its detector misses faces narrower than about a sixth of the picture. Where it finds none, MediaPipe's full-range
    detector looks a few times a second, and the mesh goes on inside the part of the picture that it names.

    Args:
        max_faces: 1-4.
        smooth: one-euro smoothing of the landmarks; off for pictures that have nothing to do with each other.
        still: every frame is searched anew (unrelated pictures), nothing is carried over.
    """

    def __init__(self, *, max_faces: int = 1, smooth: bool = True, still: bool = False) -> None:
        self._max_faces, self._still = max_faces, still
        self._identity = FaceIdentity(smooth=smooth and not still)
        self._mesh: Any = None
        self._far: Any = None
        self._far_mesh: Any = None
        self._far_box: tuple[int, int, int, int] | None = None  # left, top, right, bottom
        self._far_searched_s = float("-inf")

    def open(self) -> None:
        """Load the model (about 0.7 s, nearly all of it imports).

        Raises:
            TrackingError: MediaPipe is missing or cannot load its model.
        """
        try:
            with quiet_stderr():
                self._mesh = self._new_mesh(self._max_faces)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise TrackingError("the face mesh", str(error).splitlines()[0], "reinstall mediapipe==0.10.21") from error

    def _new_mesh(self, max_faces: int) -> Any:
        from mediapipe.python.solutions.face_mesh import FaceMesh

        mesh = FaceMesh(static_image_mode=self._still, max_num_faces=max_faces, refine_landmarks=True)
        face_rgb = np.ascontiguousarray(portrait_bgr()[:384, :, ::-1])
        for picture_rgb in (face_rgb, np.zeros_like(face_rgb)):  # the first face is the slow one; then forget it
            mesh.process(picture_rgb)
        return mesh

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """The faces on this frame; see `FaceTracker`."""
        if self._mesh is None:
            self.open()
        width, height = frame.size_wh
        if min(width, height) < _LEAST_SIDE:
            return ()
        at_s = frame.captured_s if frame.pts_s is None else frame.pts_s
        search_rgb, scale = _searchable(frame.bgr)
        found = self._find_far(search_rgb) if self._far_box else None
        if not found:
            found = _landmarks(self._mesh.process(search_rgb), search_rgb.shape)
        if not found and (self._still or abs(at_s - self._far_searched_s) >= _FAR_SEARCH_EVERY_S):
            self._far_searched_s = at_s
            self._look_far(search_rgb)
            found = self._find_far(search_rgb) if self._far_box else []
        return self._identity.assign([landmarks_xy / scale for landmarks_xy in found], at_s)

    def _look_far(self, search_rgb: ImageU8) -> None:
        """Ask the full-range detector for a small face, and set the box to search in."""
        if self._far is None:
            from mediapipe.python.solutions.face_detection import FaceDetection

            with quiet_stderr():
                self._far = FaceDetection(model_selection=1, min_detection_confidence=0.5)
                detections = self._far.process(search_rgb).detections
        else:
            detections = self._far.process(search_rgb).detections
        height, width = search_rgb.shape[:2]
        self._far_box = None
        if detections:
            box = detections[0].location_data.relative_bounding_box
            face_px = max(box.width * width, box.height * height)
            middle_x, middle_y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
            self._set_far_box(middle_x, middle_y, face_px, width, height)

    def _set_far_box(self, x: float, y: float, face_px: float, width: int, height: int) -> None:
        half = face_px * (0.5 + _FAR_MARGIN)
        left, top = max(0, int(x - half)), max(0, int(y - half))
        right, bottom = min(width, int(x + half)), min(height, int(y + half))
        large_enough = min(right - left, bottom - top) >= _LEAST_SIDE
        self._far_box = (left, top, right, bottom) if large_enough else None

    def _find_far(self, search_rgb: ImageU8) -> list[Floats]:
        """The mesh inside the box; forgets the box when the face is gone, moves it when the face nears its rim."""
        assert self._far_box is not None
        if self._far_mesh is None:
            with quiet_stderr():
                self._far_mesh = self._new_mesh(1)
        left, top, right, bottom = self._far_box
        cut = np.ascontiguousarray(search_rgb[top:bottom, left:right])
        found = _landmarks(self._far_mesh.process(cut), cut.shape)
        if not found:
            self._far_box = None
            return []
        landmarks_xy = found[0] + np.array([left, top], np.float32)
        low, high = landmarks_xy.min(0), landmarks_xy.max(0)
        face_px = float((high - low).max())
        near_rim = min(low[0] - left, low[1] - top, right - high[0], bottom - high[1]) < 0.3 * face_px
        touches_frame = left == 0 or top == 0 or right == search_rgb.shape[1] or bottom == search_rgb.shape[0]
        if near_rim and not touches_frame:
            middle = (low + high) / 2
            self._set_far_box(middle[0], middle[1], face_px, search_rgb.shape[1], search_rgb.shape[0])
        return [landmarks_xy]

    def close(self) -> None:
        """Let go of the models; idempotent."""
        for part in (self._mesh, self._far_mesh, self._far):
            if part is not None:
                part.close()
        self._mesh = self._far_mesh = self._far = None


def _searchable(frame_bgr: ImageU8) -> tuple[ImageU8, float]:
    """RGB for the model, brought down where the frame is huge, and the factor by which it was."""
    scale = min(1.0, _MOST_PIXELS_WIDE / max(frame_bgr.shape[:2]))
    if scale < 1.0:
        frame_bgr = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    search_rgb = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
    search_rgb.flags.writeable = False  # MediaPipe then reads it where it lies
    return search_rgb, scale  # type: ignore[return-value]


def _landmarks(result: Any, shape: tuple[int, ...]) -> list[Floats]:
    size_wh = np.array([shape[1], shape[0]], np.float32)
    faces = result.multi_face_landmarks or ()
    return [_points_xy(face) * size_wh for face in faces]


_RECORD_HEAD = np.frombuffer(struct.pack("<BBB", 0x0A, 0x0F, 0x0D), np.uint8)


def _points_xy(face: Any) -> NDArray[np.float32]:
    """The relative x, y of a landmark list: read from its wire form, 15 times faster than point by point.

    A point is one record of 17 bytes: tag and length, then x, y, z as a tag and a 32-bit float each. A list that is
    written in any other way (a coordinate of exactly 0 is left out) is read point by point.
    """
    wire = np.frombuffer(face.SerializeToString(), np.uint8)
    if wire.size == LANDMARKS * 17:
        records = wire.reshape(LANDMARKS, 17)
        if (records[:, :3] == _RECORD_HEAD).all() and (records[:, 7] == 0x15).all():
            columns = [records[:, at : at + 4].copy().view("<f4") for at in (3, 8)]
            return np.asarray(np.concatenate(columns, axis=1), np.float32)
    return np.array([(point.x, point.y) for point in face.landmark], np.float32)
