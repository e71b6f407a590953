"""Face tracking with the face mesh that is bundled in MediaPipe 0.10.21."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrackingError
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.pipeline.frame_pool import FramePool
from live.portrait import portrait_bgr
from live.tracking.base import LANDMARKS
from live.tracking.face_identity import FaceIdentity
from live.tracking.far_faces import LEAST_SIDE, SEARCH_EVERY_S, FarFaces, apart_px, overlaps
from live.tracking.quiet_stderr import quiet_stderr

_MOST_PIXELS_WIDE = 1920  # a larger frame is brought down for the search; landmarks are scaled back


class FaceMeshTracker:
    """`FaceMesh(refine_landmarks=True)`: 478 points, with the attention model's finer lips and eyes.

    Its detector misses faces narrower than about a sixth of the picture. Where it finds fewer than asked for,
    MediaPipe's full-range detector looks a few times a second, and the mesh goes on inside the parts of the picture
    that it names. A near face goes before a far one.

    Args:
        max_faces: 1-4.
        smooth: one-euro smoothing of the landmarks; off for pictures that have nothing to do with each other.
        still: every frame is searched anew (unrelated pictures), nothing is carried over.
    """

    def __init__(self, *, max_faces: int = 1, smooth: bool = True, still: bool = False) -> None:
        self._max_faces, self._still = max_faces, still
        self._identity = FaceIdentity(smooth=smooth and not still)
        self._mesh: _Mesh | None = None
        self._far = FarFaces(lambda: _Mesh(1, still=still), most=max_faces, still=still)
        self._near_xy: list[Floats] = []  # what the mesh found on the whole of the frame before
        self._searched_s = self._near_seen_s = float("-inf")
        self._pool = FramePool()

    def open(self) -> None:
        """Load the model (about 0.7 s, nearly all of it imports).

        Raises:
            TrackingError: MediaPipe is missing or cannot load its model.
        """
        if self._mesh is None:
            self._mesh = _Mesh(self._max_faces, still=self._still)

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """The faces on this frame; see `FaceTracker`."""
        self.open()
        if min(frame.size_wh) < LEAST_SIDE:
            return ()
        at_s = frame.captured_s if frame.pts_s is None else frame.pts_s
        search_rgb, scale = _searchable(frame.bgr, self._pool)
        self._far.follow(search_rgb)
        self._search_near(search_rgb, at_s)
        self._far.look(search_rgb, self._near_xy, at_s)
        found = [*self._near_xy, *self._far.found_xy]
        return self._identity.assign([landmarks_xy / scale for landmarks_xy in found], at_s)

    def _search_near(self, search_rgb: ImageU8, at_s: float) -> None:
        """The mesh on the whole frame: always but while all faces are far ones, then a few times a second."""
        only_far = bool(self._far.found_xy) and abs(at_s - self._near_seen_s) >= SEARCH_EVERY_S
        if only_far and abs(at_s - self._searched_s) < SEARCH_EVERY_S:
            return
        assert self._mesh is not None
        self._searched_s = at_s
        before_xy, self._near_xy = [] if self._still else self._near_xy, []
        # Looking for several, MediaPipe may find a face a second time, a little off: the one that was there stays.
        for landmarks_xy in sorted(self._mesh.find(search_rgb), key=lambda found: apart_px(found, before_xy)):
            if not overlaps(landmarks_xy, self._near_xy):
                self._near_xy.append(landmarks_xy)
        if self._near_xy:
            self._near_seen_s = at_s
            self._far.prepare()
        self._far.give_way(self._near_xy)

    def close(self) -> None:
        """Let go of the models; idempotent."""
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
                self.find(np.ascontiguousarray(portrait_bgr()[:384, :, ::-1]))  # the first face is the slow one
                self.forget()
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            got = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrackingError("the face mesh", got, "reinstall mediapipe==0.10.21") from error

    def find(self, picture_rgb: ImageU8) -> list[Floats]:
        """The faces, each (478, 2), in pixels of the picture."""
        size_wh = np.array([picture_rgb.shape[1], picture_rgb.shape[0]], np.float32)
        faces = self._mesh.process(picture_rgb).multi_face_landmarks or ()
        return [_points_xy(face) * size_wh for face in faces]

    def forget(self) -> None:
        """Carry no face over to the next picture."""
        self._mesh.process(np.zeros((384, 384, 3), np.uint8))

    def close(self) -> None:
        """Let go of the model."""
        self._mesh.close()


def _searchable(frame_bgr: ImageU8, pool: FramePool) -> tuple[ImageU8, float]:
    """RGB for the model, brought down where the frame is huge, and the factor by which it was."""
    scale = min(1.0, _MOST_PIXELS_WIDE / max(frame_bgr.shape[:2]))
    if scale < 1.0:
        frame_bgr = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    picture_rgb = pool.take(frame_bgr.shape)
    cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB, dst=picture_rgb)
    search_rgb = picture_rgb.view()
    search_rgb.flags.writeable = False  # MediaPipe then reads it where it lies
    return search_rgb, scale


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
