"""Faces too small for the face mesh's detector: detected by the full-range model, tracked by the mesh inside crops."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from live.pipeline.frame import Floats, Head, ImageU8
from live.tracking.mesh_model import Mesh, MeshFactory, loading
from live.tracking.seen_heads import head_of, is_one_of

SEARCH_INTERVAL_S = 0.3
MIN_SIDE_PX = 24  # smaller images contain no detectable face, and the model's own scaling fails on them
# Crop margins in face sizes, tried in turn: the wide crop fits best, the narrow ones exclude neighbouring faces.
_MARGINS = (2.0, 1.0, 0.5)
_MIN_RELATIVE_SIZE = 0.75  # landmarks much smaller than the detection have converged to a part of the face
_MAX_DETECTIONS = 6  # per search, so that a picture with many faces does not take long
MAX_ASPECT = 2.4  # of frames on which the models see faces as a whole; others are searched in square views
_EDGE_MARGIN = 0.2  # in face sizes: the crop is moved when the face comes closer to its edge

Box = tuple[int, int, int, int]
"""left, top, right, bottom, in pixels."""


@dataclass
class _FarFace:
    mesh: Mesh
    box: Box
    margin: float
    landmarks_xy: Floats


class FarFaces:
    """Searches for far faces a few times a second, and tracks each with a one-face mesh of its own.

    Args:
        max_faces: Maximum number of faces on a frame, near and far.
        still: The frames are unrelated pictures: each is searched, without any state.
        new_mesh: Loads the mesh of one face.
    """

    def __init__(self, *, max_faces: int, still: bool, new_mesh: MeshFactory) -> None:
        self._max_faces, self._still, self._new_mesh = max_faces, still, new_mesh
        self._detector: Any = None
        self._faces: list[_FarFace] = []
        self._spare: list[Mesh] = []
        self._searched_s = float("-inf")
        self._preloading: threading.Thread | None = None

    @property
    def found_xy(self) -> list[Floats]:
        """Landmarks of the far faces on the last frame, each (478, 2) float32, pixels."""
        return [face.landmarks_xy for face in self._faces]

    def preload(self) -> None:
        """Load the models for the first far face in a thread: loading would stall the stream for about 50 ms."""
        if self._preloading is None and not self._still:
            thread = threading.Thread(target=self._load, name="far faces", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread is available
                thread.start()
                self._preloading = thread

    def _load(self) -> None:
        with contextlib.suppress(Exception):  # loading is repeated, and errors reported, when the models are needed
            self._detector = self._detector or new_detector(np.zeros((144, 256, 3), np.uint8))
            if not self._spare and not self._faces:
                self._spare.append(self._new_mesh(1, still=self._still))

    def _await_preload(self) -> None:
        if self._preloading is not None:
            self._preloading.join()

    def follow(self, search_rgb: ImageU8) -> None:
        """Track the faces of the last frame on this one, (H, W, 3) uint8 RGB; lost faces are dropped."""
        if self._still:
            self._keep([])
            return
        kept: list[_FarFace] = []
        for face in self._faces:
            # After a fast movement or a moved crop, the first call loses the face and the second one searches again.
            landmarks_xy = _find(face.mesh, search_rgb, face.box) or _find_anew(face.mesh, search_rgb, face.box)
            if landmarks_xy and not overlaps(landmarks_xy[0], (other.landmarks_xy for other in kept)):
                face.landmarks_xy = landmarks_xy[0]
                face.box = _updated_box(face, search_rgb)
                kept.append(face)
        self._keep(kept)

    def remove_near(self, near_xy: Sequence[Floats]) -> None:
        """Drop the faces that are also near faces, and those in excess of `max_faces`."""
        far_only = [face for face in self._faces if not overlaps(face.landmarks_xy, near_xy)]
        self._keep(far_only[: self._max_faces - len(near_xy)])

    def search(self, search_rgb: ImageU8, near_xy: Sequence[Floats], at_s: float) -> None:
        """Search the whole frame for more far faces, if a search is due and fewer than `max_faces` are tracked."""
        is_due = self._still or abs(at_s - self._searched_s) >= SEARCH_INTERVAL_S
        if not is_due or len(near_xy) + len(self._faces) >= self._max_faces:
            return
        self._searched_s = at_s
        for head in self._detect(search_rgb)[:_MAX_DETECTIONS]:
            found_xy = [*near_xy, *self.found_xy]
            if len(found_xy) < self._max_faces and not is_one_of(head, map(head_of, found_xy)):
                self._start(search_rgb, head, found_xy)

    def close(self) -> None:
        """Release the models; idempotent."""
        self._await_preload()
        self._preloading = None
        models = {id(model): model for model in (self._detector, *self._spare, *(face.mesh for face in self._faces))}
        self._detector, self._spare, self._faces = None, [], []
        for model in filter(None, models.values()):
            model.close()

    def _keep(self, kept: list[_FarFace]) -> None:
        """Track only these faces; the meshes of the others become spare."""
        dropped = [face.mesh for face in self._faces if not any(face is other for other in kept)]
        self._faces = kept
        if not self._still:
            for mesh in dropped:
                mesh.forget()
            self._spare += dropped

    def _detect(self, search_rgb: ImageU8) -> list[Head]:
        """Return each face that the full-range detector finds, largest first."""
        if self._detector is None:
            self._await_preload()
            self._detector = self._detector or new_detector(search_rgb)
        detected: list[Head] = []
        for left, top, right, bottom in _views(search_rgb.shape[1], search_rgb.shape[0]):
            width, height = right - left, bottom - top
            view_rgb = search_rgb[top:bottom, left:right]
            for detection in self._detector.process(np.ascontiguousarray(view_rgb)).detections or ():
                box = detection.location_data.relative_bounding_box
                x, y = left + (box.xmin + box.width / 2) * width, top + (box.ymin + box.height / 2) * height
                detected.append(((x, y), max(box.width * width, box.height * height)))
        found: list[Head] = []
        for head in sorted(detected, key=lambda head: -head[1]):
            if not is_one_of(head, found):
                found.append(head)  # views overlap
        return found

    def _start(self, search_rgb: ImageU8, head: Head, found_xy: Sequence[Floats]) -> None:
        """Start to track a detected face, if the mesh finds it there."""
        if not self._spare:
            self._await_preload()
        mesh = self._spare.pop() if self._spare else self._new_mesh(1, still=self._still)
        for margin in _MARGINS:
            box = _crop_box(head, margin, search_rgb)
            for landmarks_xy in (_find if self._still else _find_anew)(mesh, search_rgb, box):
                found = head_of(landmarks_xy)
                is_same = is_one_of(head, [found])
                is_whole = found[1] > _MIN_RELATIVE_SIZE * head[1]
                if is_same and is_whole and not overlaps(landmarks_xy, found_xy):
                    self._faces.append(_FarFace(mesh, box, margin, landmarks_xy))
                    if self._still:
                        self._spare.append(mesh)  # without state one mesh serves all faces
                    return
            mesh.forget()
        self._spare.append(mesh)


def _views(width: int, height: int) -> list[Box]:
    """Return the parts of a frame to search: all of it, or of a very wide or tall one squares that overlap by half."""
    side, length = min(width, height), max(width, height)
    if length <= MAX_ASPECT * side:
        return [(0, 0, width, height)]
    count = math.ceil(2 * (length - side) / side)
    starts = [round((length - side) * number / count) for number in range(count + 1)]
    return [(at, 0, at + side, side) if width > height else (0, at, side, at + side) for at in starts]


def overlaps(landmarks_xy: Floats, others_xy: Iterable[Floats]) -> bool:
    """Return whether a face is the same as one of the others."""
    return is_one_of(head_of(landmarks_xy), map(head_of, others_xy))


def nearest_distance_px(landmarks_xy: Floats, others_xy: Iterable[Floats]) -> float:
    """Return the distance of a face's centre from the nearest other face's; 0.0 if there are no others."""
    centre_xy, _ = head_of(landmarks_xy)
    return min((math.dist(centre_xy, head_of(other_xy)[0]) for other_xy in others_xy), default=0.0)


def _find(mesh: Mesh, search_rgb: ImageU8, box: Box) -> list[Floats]:
    return _find_in_crop(mesh.find, search_rgb, box)


def _find_anew(mesh: Mesh, search_rgb: ImageU8, box: Box) -> list[Floats]:
    return _find_in_crop(mesh.find_settled, search_rgb, box)


def _find_in_crop(find: Callable[[ImageU8], list[Floats]], search_rgb: ImageU8, box: Box) -> list[Floats]:
    left, top, right, bottom = box
    crop_rgb = np.ascontiguousarray(search_rgb[top:bottom, left:right])
    if min(crop_rgb.shape[:2]) < MIN_SIDE_PX:  # also if the frames have become smaller
        return []
    corner_xy = np.array([left, top], np.float32)
    return [face_xy + corner_xy for face_xy in find(crop_rgb)]


def _crop_box(head: Head, margin: float, search_rgb: ImageU8) -> Box:
    ((x, y), size_px), (height, width) = head, search_rgb.shape[:2]
    half = size_px * (0.5 + margin)
    return max(0, int(x - half)), max(0, int(y - half)), min(width, int(x + half)), min(height, int(y + half))


def _updated_box(face: _FarFace, search_rgb: ImageU8) -> Box:
    """Return the same box, or a new one around the face if it approaches an edge that is not the frame's."""
    head = head_of(face.landmarks_xy)
    height, width = search_rgb.shape[:2]
    (left, top, right, bottom), low, high = face.box, face.landmarks_xy.min(0), face.landmarks_xy.max(0)
    distances_px = [
        low[0] - left if left > 0 else np.inf,
        low[1] - top if top > 0 else np.inf,
        right - high[0] if right < width else np.inf,
        bottom - high[1] if bottom < height else np.inf,
    ]
    is_close = min(distances_px) < _EDGE_MARGIN * head[1]
    return _crop_box(head, face.margin, search_rgb) if is_close else face.box


def new_detector(search_rgb: ImageU8, min_confidence: float = 0.5) -> Any:
    """Return MediaPipe's full-range face detector, warmed up on the picture."""
    with loading("the face detector"):
        from mediapipe.python.solutions.face_detection import FaceDetection

        detector = FaceDetection(model_selection=1, min_detection_confidence=min_confidence)
        detector.process(search_rgb)  # native code prints messages on the first picture
        return detector
