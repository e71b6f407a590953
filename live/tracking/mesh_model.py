"""MediaPipe's models: loading without its messages, and the face mesh."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import TrackingError
from engines.text import first_line
from live.pipeline.frame import Floats, ImageU8
from live.portrait import portrait_bgr
from live.tracking.base import LANDMARKS
from live.tracking.quiet_stderr import quiet_stderr


@contextlib.contextmanager
def loading(requested: str, remedy: str = "reinstall mediapipe==0.10.21") -> Iterator[None]:
    """Suppress the messages of native code while a model is loaded, and convert errors.

    Raises:
        TrackingError: MediaPipe is missing or cannot load the model.
    """
    try:
        with quiet_stderr():
            yield
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise TrackingError(requested, first_line(error), remedy) from error


class Mesh:
    """MediaPipe's face mesh, warmed up; it tracks its faces from one picture to the next.

    Args:
        max_faces: Maximum number of faces.
        still: Search each picture, without tracking.

    Raises:
        TrackingError: MediaPipe is missing or cannot load its model.
    """

    def __init__(self, max_faces: int, *, still: bool) -> None:
        with loading("the face mesh"):
            from mediapipe.python.solutions.face_mesh import FaceMesh

            self._mesh: Any = FaceMesh(static_image_mode=still, max_num_faces=max_faces, refine_landmarks=True)
            self.find(np.ascontiguousarray(portrait_bgr()[:384, :, ::-1]))  # the first face takes longest
            self.forget()

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
