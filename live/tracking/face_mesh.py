"""Face tracking with the face mesh that is part of MediaPipe 0.10.21."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrackingError
from engines.text import first_line
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.pipeline.frame_pool import FramePool
from live.portrait import portrait_bgr
from live.tracking.base import LANDMARKS
from live.tracking.face_identity import FaceIdentity
from live.tracking.far_faces import MIN_SIDE_PX, SEARCH_INTERVAL_S, FarFaces, nearest_distance_px, overlaps
from live.tracking.quiet_stderr import quiet_stderr

_MAX_SEARCH_SIDE_PX = 1920  # larger frames are reduced for the search; landmarks are scaled back


class FaceMeshTracker:
    """`FaceMesh(refine_landmarks=True)`: 478 landmarks, with the attention model for lips and eyes; a `FaceTracker`.

    The mesh's own detector misses faces narrower than about a sixth of the frame. If it finds fewer faces than
    requested, MediaPipe's full-range detector runs a few times a second, and the mesh tracks its detections inside
    crops of the frame. Near faces have priority over far ones.

    Args:
        max_faces: Maximum number of faces, 1 to 4.
        smooth: Apply a one-euro filter to the landmarks.
        still: The frames are unrelated pictures: each is searched independently, without any state.
    """

    def __init__(self, *, max_faces: int = 1, smooth: bool = True, still: bool = False) -> None:
        self._max_faces, self._still = max_faces, still
        self._identity = FaceIdentity(smooth=smooth and not still)
        self._mesh: _Mesh | None = None
        self._far = FarFaces(lambda: _Mesh(1, still=still), max_faces=max_faces, still=still)
        self._near_xy: list[Floats] = []  # faces found on the whole of the last frame
        self._searched_s = self._near_seen_s = float("-inf")
        self._pool = FramePool()

    def open(self) -> None:
        """Load the model (about 0.7 s, mostly imports).

        Raises:
            TrackingError: MediaPipe is missing or cannot load its model.
        """
        if self._mesh is None:
            self._mesh = _Mesh(self._max_faces, still=self._still)

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """Return the faces on this frame; see `FaceTracker`."""
        self.open()
        if min(frame.size_wh) < MIN_SIDE_PX:
            return ()
        at_s = frame.captured_s if frame.pts_s is None else frame.pts_s
        search_rgb, scale = prepare_search_image(frame.bgr, self._pool)
        self._far.follow(search_rgb)
        self._search_near(search_rgb, at_s)
        self._far.search(search_rgb, self._near_xy, at_s)
        found_xy = [*self._near_xy, *self._far.found_xy]
        return self._identity.assign([landmarks_xy / scale for landmarks_xy in found_xy], at_s)

    def _search_near(self, search_rgb: ImageU8, at_s: float) -> None:
        """Run the mesh on the whole frame: on every frame, or a few times a second while all faces are far."""
        only_far = bool(self._far.found_xy) and abs(at_s - self._near_seen_s) >= SEARCH_INTERVAL_S
        if only_far and abs(at_s - self._searched_s) < SEARCH_INTERVAL_S:
            return
        assert self._mesh is not None
        self._searched_s = at_s
        before_xy, self._near_xy = [] if self._still else self._near_xy, []
        # With several faces MediaPipe may find one twice, slightly shifted: keep the one nearer to the last frame's.
        for landmarks_xy in sorted(self._mesh.find(search_rgb), key=lambda xy: nearest_distance_px(xy, before_xy)):
            if not overlaps(landmarks_xy, self._near_xy):
                self._near_xy.append(landmarks_xy)
        if self._near_xy:
            self._near_seen_s = at_s
            self._far.preload()
        self._far.remove_near(self._near_xy)

    def close(self) -> None:
        """Release the models; idempotent."""
        if self._mesh is not None:
            self._mesh.close()
        self._mesh, self._near_xy = None, []
        self._far.close()


class _Mesh:
    """MediaPipe's face mesh, warmed up.

    Raises:
        TrackingError: MediaPipe is missing or cannot load its model.
    """

    def __init__(self, max_faces: int, *, still: bool) -> None:
        try:
            with quiet_stderr():
                from mediapipe.python.solutions.face_mesh import FaceMesh

                self._mesh: Any = FaceMesh(static_image_mode=still, max_num_faces=max_faces, refine_landmarks=True)
                self.find(np.ascontiguousarray(portrait_bgr()[:384, :, ::-1]))  # the first face takes longest
                self.forget()
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise TrackingError("the face mesh", first_line(error), "reinstall mediapipe==0.10.21") from error

    def find(self, picture_rgb: ImageU8) -> list[Floats]:
        """Return the landmarks of each face, (478, 2) float32, in pixels of the (H, W, 3) uint8 RGB picture."""
        size_wh = np.array([picture_rgb.shape[1], picture_rgb.shape[0]], np.float32)
        faces = self._mesh.process(picture_rgb).multi_face_landmarks or ()
        return [_relative_xy(face) * size_wh for face in faces]

    def forget(self) -> None:
        """Discard the tracking state of earlier pictures."""
        self._mesh.process(np.zeros((384, 384, 3), np.uint8))

    def close(self) -> None:
        """Release the model."""
        self._mesh.close()


def prepare_search_image(frame_bgr: ImageU8, pool: FramePool) -> tuple[ImageU8, float]:
    """Convert a frame for MediaPipe, reduced if it is large.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR.
        pool: Supplies the memory.

    Returns:
        A read-only (H * scale, W * scale, 3) uint8 RGB image, and the scale, at most 1.
    """
    scale = min(1.0, _MAX_SEARCH_SIDE_PX / max(frame_bgr.shape[:2]))
    if scale < 1.0:
        frame_bgr = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    picture_rgb = pool.take(frame_bgr.shape)
    cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB, dst=picture_rgb)
    search_rgb = picture_rgb.view()
    search_rgb.flags.writeable = False  # MediaPipe reads a read-only array without copying it
    return search_rgb, scale


_RECORD_HEADER = np.frombuffer(struct.pack("<BBB", 0x0A, 0x0F, 0x0D), np.uint8)


def _relative_xy(face: Any) -> NDArray[np.float32]:
    """Return the relative x, y of a landmark list, (478, 2) float32, 0..1, from its protobuf wire format.

    This is 15 times faster than reading the points one by one. A point is a record of 17 bytes: tag and length, then
    x, y, z as a tag and a 32-bit float each. Lists in any other form (a coordinate of exactly 0 is omitted) are read
    point by point.
    """
    wire = np.frombuffer(face.SerializeToString(), np.uint8)
    if wire.size == LANDMARKS * 17:
        records = wire.reshape(LANDMARKS, 17)
        if (records[:, :3] == _RECORD_HEADER).all() and (records[:, 7] == 0x15).all():
            columns = [records[:, at : at + 4].copy().view("<f4") for at in (3, 8)]
            return np.asarray(np.concatenate(columns, axis=1), np.float32)
    return np.array([(point.x, point.y) for point in face.landmark], np.float32)
