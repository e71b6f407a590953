"""Faces too small for the face mesh's own detector: found by the full-range one, followed in a part of the picture."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engines.errors import TrackingError
from live.pipeline.frame import Floats, ImageU8
from live.tracking.quiet_stderr import quiet_stderr

SEARCH_EVERY_S = 0.3
LEAST_SIDE = 24  # below this there is no face to find, and the model's own scaling breaks
# Face sizes round a far face that are cut out, tried in turn: the wide cut gives the truest fit, the narrow ones keep
# neighbours out of it.
_MARGINS = (2.0, 1.0, 0.5)
_LEAST_FIT = 0.75  # landmarks much smaller than the detected face have settled on a part of it
_MOST_TRIED = 6  # detections looked at in one search, so that a busy wall costs little


class Mesh(Protocol):
    """A face mesh that carries its face over from one picture to the next."""

    def find(self, picture_rgb: ImageU8) -> list[Floats]:
        """The faces, each (478, 2), in pixels of the picture."""
        ...

    def forget(self) -> None:
        """Carry nothing over."""
        ...

    def close(self) -> None:
        """Let go of the model."""
        ...


@dataclass
class _Followed:
    mesh: Mesh
    box: tuple[int, int, int, int]  # left, top, right, bottom
    margin: float
    landmarks_xy: Floats


class FarFaces:
    """Looks for far faces a few times a second, and follows each with a one-face mesh of its own.

    Args:
        new_mesh: loads a mesh for one face.
        most: faces on one frame, the near ones included.
        still: nothing is carried over from frame to frame, and every frame is searched.
    """

    def __init__(self, new_mesh: Callable[[], Mesh], *, most: int, still: bool) -> None:
        self._new_mesh, self._most, self._still = new_mesh, most, still
        self._detector: Any = None
        self._followed: list[_Followed] = []
        self._spare: list[Mesh] = []
        self._searched_s = float("-inf")
        self._preparing: threading.Thread | None = None

    @property
    def found_xy(self) -> list[Floats]:
        """The far faces on the frame that was looked at last."""
        return [far.landmarks_xy for far in self._followed]

    def prepare(self) -> None:
        """Load aside what the first far face will want: some 50 ms, in which the picture would stand still then."""
        if self._preparing is None and not self._still:
            thread = threading.Thread(target=self._load, name="far faces", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread can be had just now
                thread.start()
                self._preparing = thread

    def _load(self) -> None:
        with contextlib.suppress(Exception):  # it is tried again, and told, when it is wanted
            self._detector = self._detector or _new_detector(np.zeros((144, 256, 3), np.uint8))
            if not self._spare and not self._followed:
                self._spare.append(self._new_mesh())

    def _await_prepared(self) -> None:
        if self._preparing is not None:
            self._preparing.join()

    def follow(self, search_rgb: ImageU8) -> None:
        """Find the faces of the frame before on this one; a face that is gone is forgotten."""
        if self._still:
            self._keep([])
            return
        kept: list[_Followed] = []
        for far in self._followed:
            # Where the mesh has lost the place (a quick move, a box that was moved), its second look searches anew.
            landmarks_xy = _find(far.mesh, search_rgb, far.box) or _find(far.mesh, search_rgb, far.box)
            if landmarks_xy and not overlaps(landmarks_xy[0], (other.landmarks_xy for other in kept)):
                far.landmarks_xy = landmarks_xy[0]
                far.box = _moved_box(far, search_rgb)
                kept.append(far)
        self._keep(kept)

    def give_way(self, near_xy: Sequence[Floats]) -> None:
        """Forget the far faces that are among the near ones, and those for which there is no room beside them."""
        apart = [far for far in self._followed if not overlaps(far.landmarks_xy, near_xy)]
        self._keep(apart[: self._most - len(near_xy)])

    def look(self, search_rgb: ImageU8, near_xy: Sequence[Floats], at_s: float) -> None:
        """Search the whole frame for more far faces, if it is time to and there is room for one."""
        due = self._still or abs(at_s - self._searched_s) >= SEARCH_EVERY_S
        if not due or len(near_xy) + len(self._followed) >= self._most:
            return
        self._searched_s = at_s
        for middle_xy, face_px in self._detect(search_rgb)[:_MOST_TRIED]:
            found_xy = [*near_xy, *self.found_xy]
            if len(found_xy) < self._most and not _is_inside(middle_xy, face_px, found_xy):
                self._start(search_rgb, middle_xy, face_px, found_xy)

    def close(self) -> None:
        """Let go of the models; idempotent."""
        self._await_prepared()
        self._preparing = None
        parts = [self._detector, *self._spare, *(far.mesh for far in self._followed)]
        self._detector, self._spare, self._followed = None, [], []
        for index, part in enumerate(parts):
            if part is not None and not any(part is earlier for earlier in parts[:index]):
                part.close()

    def _keep(self, kept: list[_Followed]) -> None:
        """Follow these only; the meshes of the others are kept for the next far faces."""
        dropped = [far.mesh for far in self._followed if not any(far is other for other in kept)]
        self._followed = kept
        if not self._still:
            for mesh in dropped:
                mesh.forget()
            self._spare += dropped

    def _detect(self, search_rgb: ImageU8) -> list[tuple[Floats, float]]:
        """Middle and size in pixels of every face the full-range detector sees, largest first."""
        if self._detector is None:
            self._await_prepared()
            self._detector = self._detector or _new_detector(search_rgb)
        height, width = search_rgb.shape[:2]
        detected = []
        for detection in self._detector.process(search_rgb).detections or ():
            box = detection.location_data.relative_bounding_box
            middle_xy = np.array([(box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height], np.float32)
            detected.append((middle_xy, max(box.width * width, box.height * height)))
        return sorted(detected, key=lambda face: -face[1])

    def _start(self, search_rgb: ImageU8, middle_xy: Floats, face_px: float, found_xy: Sequence[Floats]) -> None:
        """Follow the detected face, if the mesh finds it there."""
        if not self._spare:
            self._await_prepared()
        mesh = self._spare.pop() if self._spare else self._new_mesh()
        for margin in _MARGINS:
            box = _box(middle_xy, face_px, margin, search_rgb)
            for landmarks_xy in _find(mesh, search_rgb, box):
                fits = _is_inside(middle_xy, face_px, [landmarks_xy]) and _place(landmarks_xy)[1] > _LEAST_FIT * face_px
                if fits and not overlaps(landmarks_xy, found_xy):
                    self._followed.append(_Followed(mesh, box, margin, landmarks_xy))
                    if self._still:
                        self._spare.append(mesh)  # it carries nothing over: one serves all faces
                    return
            mesh.forget()
        self._spare.append(mesh)


def overlaps(landmarks_xy: Floats, others_xy: Iterable[Floats]) -> bool:
    """Whether the face is one of the others: their middles are nearer than half a face size."""
    return _is_inside(*_place(landmarks_xy), others_xy)


def apart_px(landmarks_xy: Floats, others_xy: Iterable[Floats]) -> float:
    """How far the middle of the face is from that of the nearest other; 0.0 where there is no other."""
    middle_xy = _place(landmarks_xy)[0]
    return min((float(np.hypot(*(middle_xy - _place(other_xy)[0]))) for other_xy in others_xy), default=0.0)


def _is_inside(middle_xy: Floats, face_px: float, others_xy: Iterable[Floats]) -> bool:
    places = (_place(other_xy) for other_xy in others_xy)
    return any(np.hypot(*(middle_xy - other)) < 0.5 * max(face_px, size_px) for other, size_px in places)


def _place(landmarks_xy: Floats) -> tuple[Floats, float]:
    """Middle and size (the longer side of the upright box round it) of a face, in pixels."""
    low, high = landmarks_xy.min(0), landmarks_xy.max(0)
    return (low + high) / 2, float((high - low).max())


def _find(mesh: Mesh, search_rgb: ImageU8, box: tuple[int, int, int, int]) -> list[Floats]:
    left, top, right, bottom = box
    cut_rgb = np.ascontiguousarray(search_rgb[top:bottom, left:right])
    if min(cut_rgb.shape[:2]) < LEAST_SIDE:  # also where the frames have become smaller meanwhile
        return []
    corner_xy = np.array([left, top], np.float32)
    return [face_xy + corner_xy for face_xy in mesh.find(cut_rgb)]


def _box(middle_xy: Floats, face_px: float, margin: float, search_rgb: ImageU8) -> tuple[int, int, int, int]:
    height, width = search_rgb.shape[:2]
    (x, y), half = middle_xy, face_px * (0.5 + margin)
    return max(0, int(x - half)), max(0, int(y - half)), min(width, int(x + half)), min(height, int(y + half))


def _moved_box(far: _Followed, search_rgb: ImageU8) -> tuple[int, int, int, int]:
    """The same box, or one round the face when that nears a rim which is not the picture's own."""
    middle_xy, face_px = _place(far.landmarks_xy)
    height, width = search_rgb.shape[:2]
    (left, top, right, bottom), low, high = far.box, far.landmarks_xy.min(0), far.landmarks_xy.max(0)
    rooms_px = [
        low[0] - left if left > 0 else np.inf,
        low[1] - top if top > 0 else np.inf,
        right - high[0] if right < width else np.inf,
        bottom - high[1] if bottom < height else np.inf,
    ]
    return _box(middle_xy, face_px, far.margin, search_rgb) if min(rooms_px) < 0.2 * face_px else far.box


def _new_detector(search_rgb: ImageU8) -> Any:
    try:
        from mediapipe.python.solutions.face_detection import FaceDetection

        with quiet_stderr():
            detector = FaceDetection(model_selection=1, min_detection_confidence=0.5)
            detector.process(search_rgb)  # the first picture is the one with the chatter
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        got = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrackingError("the face detector", got, "reinstall mediapipe==0.10.21") from error
    return detector
