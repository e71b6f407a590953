"""MediaPipe's models: loading without its messages, the interface of a face mesh, and the bundled one."""

from __future__ import annotations

import contextlib
import struct
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import TrackingError
from engines.text import first_line
from live.pipeline.frame import Floats, ImageU8
from live.portrait import portrait_bgr
from live.tracking.base import LANDMARKS
from live.tracking.quiet_stderr import quiet_stderr

_MAX_SETTLING = 4  # searches of one picture after the first
_SETTLED = 0.01  # a mesh that moves less from one search to the next, in face sizes, is settled
_MAX_MOVE = 0.5  # in face sizes, of a face from one picture to the next


@contextlib.contextmanager
def loading(requested: str, remedy: str = "reinstall mediapipe==0.10.21") -> Iterator[None]:
    """Suppress the messages of native code while a model is loaded, without what MediaPipe imports in vain.

    Raises:
        TrackingError: MediaPipe is missing or cannot load the model.
    """
    try:
        with quiet_stderr(), _without_plots_and_sound():
            yield
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise TrackingError(requested, first_line(error), remedy) from error


@contextlib.contextmanager
def _without_plots_and_sound() -> Iterator[None]:
    """Replace matplotlib and sounddevice while MediaPipe is imported the first time.

    It imports them for plots and microphones only. They take a third of its import, and a new user's first start waits
    while matplotlib lists the system's fonts.
    """
    replaced: dict[str, Any] = {"matplotlib": ModuleType("matplotlib"), "sounddevice": None}
    replaced["matplotlib.pyplot"] = ModuleType("matplotlib.pyplot")
    if "mediapipe" in sys.modules or "matplotlib.pyplot" in sys.modules:
        replaced = {}
    added = {name: module for name, module in replaced.items() if sys.modules.setdefault(name, module) is module}
    try:
        yield
    finally:
        for name in added:
            sys.modules.pop(name, None)


class Mesh(Protocol):
    """A face mesh, warmed up; it tracks its faces from one picture to the next. Subclass it."""

    def find(self, picture_rgb: ImageU8) -> list[Floats]:
        """Return the landmarks of each face, (478, 2) float32, in pixels of the (H, W, 3) uint8 RGB picture."""
        ...

    def warm_up(self) -> None:
        """Find a first face: that takes longest, and native code prints messages."""
        self.find(np.ascontiguousarray(portrait_bgr()[:384, :, ::-1]))
        self.forget()

    def forget(self) -> None:
        """Discard the tracking state of earlier pictures."""
        self.find(np.zeros((384, 384, 3), np.uint8))

    def find_settled(self, picture_rgb: ImageU8, known_xy: Sequence[Floats] = ()) -> list[Floats]:
        """Find faces, and search a picture with a face that is not near a known one again until the mesh settles.

        On the first picture after its detection, a mesh is fitted to the detector's box. If that is coarse, as on small
        faces, the mesh is up to a third too long, with the lips on the chin. Each further search starts from the
        result of the one before.

        Args:
            picture_rgb: (H, W, 3) uint8, RGB.
            known_xy: Landmarks of the faces on the picture before, (478, 2) float32 each.
        """
        found_xy = self.find(picture_rgb)
        for _ in range(_MAX_SETTLING):
            if all(_nearest_distance(landmarks_xy, known_xy) < _MAX_MOVE for landmarks_xy in found_xy):
                break
            before_xy, found_xy = found_xy, self.find(picture_rgb)
            if all(_nearest_distance(landmarks_xy, before_xy) < _SETTLED for landmarks_xy in found_xy):
                break
        return found_xy

    def close(self) -> None:
        """Release the model."""
        ...


class MeshFactory(Protocol):
    """Loads a mesh."""

    def __call__(self, max_faces: int, *, still: bool) -> Mesh:
        """Return a mesh for up to `max_faces` faces; with `still` it searches each picture, without tracking.

        Raises:
            TrackingError: The model is missing or cannot be loaded.
        """
        ...


class BundledMesh(Mesh):
    """The face mesh that is part of MediaPipe 0.10.21; see `Mesh`.

    `FaceMesh(refine_landmarks=True)`: 478 landmarks, with the attention model for lips and eyes.

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
            self.warm_up()

    def find(self, picture_rgb: ImageU8) -> list[Floats]:
        """Return the landmarks of each face; see `Mesh`."""
        size_wh = np.array([picture_rgb.shape[1], picture_rgb.shape[0]], np.float32)
        faces = self._mesh.process(picture_rgb).multi_face_landmarks or ()
        return [_relative_xy(face) * size_wh for face in faces]

    def close(self) -> None:
        """Release the model."""
        self._mesh.close()


def _nearest_distance(landmarks_xy: Floats, others_xy: Sequence[Floats]) -> float:
    """Return the mean distance between the landmarks of a face and of the nearest other one, in face sizes."""
    distances_px = (float(np.hypot(*(landmarks_xy - other_xy).T).mean()) for other_xy in others_xy)
    return min(distances_px, default=float("inf")) / float(np.ptp(landmarks_xy, axis=0).max())


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
